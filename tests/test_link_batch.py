"""The options of a batch of links are passed to each of its requests."""

from __future__ import annotations

from typing import Any

import pytest

from crawler import ConfigError, Request, Response, Results, Spider, crawl
from crawler.layers import respond
from crawler.request import DEFAULT_OPTIONS, Options
from crawler.testing import FakeSite

HOME = "https://site.example/"


def page(request: Request | None = None) -> Response:
    links = "<a href=/a?sid=1>a</a> <a href=b>b</a> <a href=/a?sid=2>a</a>"
    request = request or Request(HOME)
    return respond(request, 200, [("Content-Type", "text/html")], links.encode())


def test_batches_without_options_share_the_default() -> None:
    assert page().follow_links().options is DEFAULT_OPTIONS
    assert page().follow_links(priority=1, stream=False).options is DEFAULT_OPTIONS


@pytest.mark.parametrize("function", ["follow_all", "follow_links", "follow_urls"])
def test_all_options_of_a_batch_are_passed_to_its_requests(function: str) -> None:
    first: Any = {"follow_all": ["a"], "follow_links": [], "follow_urls": [["/a"]]}

    batch = getattr(page(), function)(
        *first[function],
        "parse_book",
        priority=3,
        meta={"a": 1},
        errback="failed",
        stream=True,
        headers={"X-A": "b"},
        session="s",
        proxy="http://proxy.example:3128",
        statuses=[404],
        follow_redirects=False,
    )

    assert (batch.callback, batch.priority, batch.meta) == ("parse_book", 3, b'{"a":1}')
    assert batch.options == Options(
        headers=(("X-A", "b"),),
        session="s",
        proxy="http://proxy.example:3128",
        stream=True,
        errback="failed",
        statuses=(404,),
        follow_redirects=False,
    )


def test_session_and_proxy_of_the_page_are_used_unless_given() -> None:
    proxy = "http://proxy.example:3128"
    response = page(Request(HOME, session="s", proxy=proxy))

    inherited = response.follow_links().options
    other = response.follow_links(session="", proxy="").options

    assert (inherited.session, inherited.proxy) == ("s", proxy)
    assert other is DEFAULT_OPTIONS


def test_rewrite_receives_absolute_urls_and_may_drop_one() -> None:
    seen = []

    def rewrite(url: str) -> str | None:
        seen.append(url)
        return None if url.endswith("/b") else url.partition("?")[0]

    batch = page().follow_links(rewrite=rewrite)

    assert seen == [f"{HOME}a?sid=1", f"{HOME}b", f"{HOME}a?sid=2"]
    assert batch.references == [f"{HOME}a", f"{HOME}a"]


def test_a_rewrite_that_returns_no_url_is_an_error() -> None:
    rewrite: Any = lambda url: 3  # noqa: E731

    with pytest.raises(
        ConfigError, match=r"the function returned 3 for https://site\.example/a"
    ):
        page().follow_links(rewrite=rewrite)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"statuses": ["404"]}, ConfigError, "use HTTP statuses such as 404"),
        ({"proxy": "gopher://x"}, ConfigError, "proxy"),
        ({"headers": {"a\n": "b"}}, ConfigError, "has the character"),
        ({"css": "a"}, TypeError, "no argument 'css'"),
    ],
)
def test_an_error_about_a_wrong_option_names_it(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        page().follow_links(**options)


def test_a_crawl_follows_a_batch_with_its_options() -> None:
    class Says(Spider):
        name = "says"
        start_urls = [HOME]

        async def parse(self, response: Response) -> Results:
            yield response.follow_all(
                "a",
                self.found,
                rewrite=lambda url: url.partition("?")[0],
                statuses=[404],
                stream=True,
                headers={"X-A": "b"},
                session="s",
            )

        async def found(self, response: Response) -> Results:
            size = sum([len(piece) async for piece in response.aiter_bytes()])
            yield {"url": response.url, "status": response.status_code, "size": size}

    site = FakeSite({HOME: "<a href=/a.pdf?sid=7>a</a>", f"{HOME}a.pdf": (404, "gone")})
    report = crawl(Says, transport=site)

    assert report.items == [{"url": f"{HOME}a.pdf", "status": 404, "size": 4}]
    assert site.requests[-1].headers["x-a"] == "b"
    assert report.skipped == {}


def test_a_redirect_that_is_not_followed_reaches_the_callback() -> None:
    class Keeps(Spider):
        name = "keeps"

        async def start(self) -> Results:
            yield Request(HOME, follow_redirects=False)

        async def parse(self, response: Response) -> Results:
            yield {"to": response.headers["location"]}

    site = FakeSite({HOME: (302, {"Location": "/a"}, ""), f"{HOME}a": ""})
    report = crawl(Keeps, transport=site)

    assert report.items == [{"to": "/a"}]
    assert (report.pages, report.redirected, f"{HOME}a" in site.urls) == (1, 0, False)
