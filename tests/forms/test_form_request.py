"""A form of a page as a request of the crawl."""

from pathlib import Path
from typing import Any

import pytest

from crawler import (
    Arg,
    Crawl,
    FormError,
    Request,
    Response,
    Results,
    SelectorError,
    Spider,
    crawl,
    fetch,
)
from crawler.testing import FakeSite

URL = "https://site.example/login"
FORM = (
    "<form action=/search><input name=q></form>"
    "<form id=login method=post action=/in><input name=user>"
    "<input type=hidden name=token value=t1><button name=go value=1>in</button></form>"
)


async def page(html: str = FORM, url: str = URL, **headers: str) -> Response:
    kind = {"content-type": "text/html; charset=utf-8"} | headers
    return await fetch(url, transport=FakeSite({url: (200, kind, html)}))


async def test_the_first_form_is_the_default_and_a_selector_chooses_another() -> None:
    response = await page()

    search = response.form(fill={"q": "emma"})
    login = response.form("form#login", fill={"user": "me"}, callback="inside")
    assert (search.method, search.url) == ("GET", "https://site.example/search?q=emma")
    assert (login.method, login.url) == ("POST", "https://site.example/in")
    assert login.content == b"user=me&token=t1&go=1"
    assert login.callback == "inside"


async def test_an_element_may_choose_form_and_button() -> None:
    response = await page()
    form, button = response.css_first("#login"), response.css_first("button")
    assert form is not None
    assert button is not None

    assert response.form(form, submit=button) == response.form("#login")
    assert response.form(form, submit=False).content == b"user=&token=t1"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"form": "form.none"}, SelectorError, "'form.none' matched nothing"),
        (
            {"form": "button"},
            FormError,
            "target 'button' is a <button>; give the <form> element",
        ),
        ({"submit": ".none"}, SelectorError, "'.none' matched nothing"),
        ({"submit": "button"}, FormError, "its submit buttons: none"),
        ({"form": "#login", "submit": "input"}, FormError, "<button name=go>"),
        ({"fill": {"p": 1}}, FormError, "did you mean 'q'|its fields: q"),
    ],
)
async def test_a_missing_form_is_an_error(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    response = await page()

    with pytest.raises(error, match=message):
        response.form(**arguments)


@pytest.mark.parametrize(
    ("action", "referer", "origin"),
    [
        ("/in", URL, "https://site.example"),
        ("https://other.example/", "https://site.example/", "https://site.example"),
        ("http://site.example/in", None, "null"),
    ],
)
async def test_a_post_sends_origin_and_referer_as_browsers_do(
    action: str, referer: str | None, origin: str
) -> None:
    response = await page(f"<form method=post action={action}><input name=a>")

    headers = dict(response.form().options.headers)
    assert headers.get("Referer") == referer
    assert headers["Origin"] == origin
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


async def test_given_headers_take_precedence() -> None:
    response = await page()

    made = response.form("#login", headers={"referer": "x", "X-Token": "1"})
    headers = dict(made.options.headers)
    assert headers["referer"] == "x"
    assert headers["X-Token"] == "1"
    assert "Referer" not in headers


async def test_session_proxy_and_options_are_passed_to_the_request() -> None:
    site = FakeSite({URL: FORM})
    response = await fetch(Request(URL, session="s", meta={"n": 1}), transport=site)

    made = response.form(meta={"x": 1}, priority=3, once=False)
    assert made.options.session == "s"
    assert (made.meta, made.priority, made.options.once) == ({"x": 1}, 3, False)
    assert response.form(session="t").options.session == "t"


async def test_base_and_encoding_of_the_page_are_used() -> None:
    html = "<base href=/app/><form action=go><input name=q value='ä'></form>"
    kind = {"content-type": "text/html; charset=windows-1252"}
    site = FakeSite({URL: (200, kind, html.encode("cp1252"))})

    made = (await fetch(URL, transport=site)).form()

    assert made.url == "https://site.example/app/go?q=%E4"


async def test_a_file_is_a_path_in_the_request(tmp_path: Path) -> None:
    html = "<form method=post enctype=multipart/form-data><input type=file name=cv>"
    response = await page(html)

    made = response.form(fill={"cv": tmp_path / "cv.pdf"}, meta={"n": 1})

    assert made.content == b""
    assert [p for p in made.options.pieces if not isinstance(p, bytes)]
    assert made.meta == {"n": 1}


async def test_a_page_in_xml_has_no_forms() -> None:
    response = await page("<x/>", **{"content-type": "text/xml"})

    with pytest.raises(SelectorError, match="which matches only HTML"):
        response.form()


VIEW = (
    "<form method=post action=list><input type=hidden name=__EVENTTARGET>"
    "<input type=hidden name=__EVENTARGUMENT>"
    "<input type=hidden name=__VIEWSTATE value=state{0}><b>{0}</b>"
    "<a class=next href=\"javascript:__doPostBack('pager','{1}')\">next</a></form>"
)


def test_a_spider_follows_the_pages_of_a_post_back() -> None:
    def answer(request: Any) -> str:
        body = request.content.decode()
        number = int(body.partition("__EVENTARGUMENT=")[2].partition("&")[0])
        assert f"__VIEWSTATE=state{number - 1}" in body
        assert "__EVENTTARGET=pager" in body
        return VIEW.format(number, number + 1) if number < 3 else f"<b>{number}</b>"

    class Pages(Spider):
        name = "pages"
        start_urls = ["https://site.example/list.aspx"]

        async def parse(self, response: Response) -> Results:
            yield {"page": response.page.text("b")}
            if response.css("a.next"):
                yield response.form(submit="a.next")

    site = FakeSite(
        {
            "https://site.example/list.aspx": VIEW.format(1, 2),
            "https://site.example/list": answer,
        }
    )

    assert [item["page"] for item in crawl(Pages, transport=site).items] == [
        "1",
        "2",
        "3",
    ]


class Applicants(Spider):
    """Sends a file by a form, and keeps what came of it."""

    name = "applicants"
    start_urls = ["https://site.example/apply"]
    path: str = Arg()

    async def parse(self, response: Response) -> Results:
        yield {"answer": "asked"}
        yield response.form(fill={"cv": self.path}, callback=self.sent)

    async def sent(self, response: Response) -> Results:
        yield {"answer": response.page.text("p")}


async def test_a_form_with_a_file_is_kept_over_a_restart(tmp_path: Path) -> None:
    def answer(request: Any) -> str:
        assert request.headers["content-length"] == str(len(request.content))
        return f"<p>{b'the late text' in request.content}</p>"

    form = "<form method=post enctype=multipart/form-data action=in>"
    pages: dict[str, Any] = {
        "https://site.example/apply": f"{form}<input type=file name=cv>",
        "https://site.example/in": answer,
    }
    first, second = FakeSite(pages), FakeSite(pages)
    storage: dict[str, Any] = {"storage": {"dir": str(tmp_path / "state")}}
    slowly = {**storage, "politeness": {"rate": 0.5}}
    path = tmp_path / "cv.txt"
    path.write_text("early")
    spider = Applicants(path=str(path))

    async with Crawl(spider, slowly, transport=first, job="a") as run:
        early = [await anext(aiter(run))]
    path.write_text("the late text")
    async with Crawl(spider, storage, transport=second, job="a") as run:
        late = [item async for item in run]

    assert early == [{"answer": "asked"}]
    assert first.urls == ["https://site.example/apply"]
    assert second.urls == ["https://site.example/in"]
    assert {"answer": "True"} in late


async def test_a_large_page_is_not_parsed_again() -> None:
    html = "<table><form><tr><td><input name=a></table>"

    small, large = await page(html), await page(html + "x" * 1024**2)

    assert small.form().url.endswith("?a=")
    assert large.form().url == URL  # the parser alone cannot tell whose the field is
