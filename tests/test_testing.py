"""The fake site responds like a server, and records its requests."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from crawler import Reason, Request, Response, Results, Spider, crawl, fetch
from crawler.errors import ConfigError, FetchError
from crawler.testing import Answer, FakeSite, Page

URL = "https://books.example/"


class Books(Spider):
    name = "books"
    start_urls = (URL,)

    async def parse(self, response: Response) -> Results:
        for book in response.css("article.book"):
            yield {"title": book.text("h3")}
        yield response.follow_all("a.next")


def test_a_spider_can_be_tested_with_a_dict_of_pages() -> None:
    site = FakeSite(
        {
            URL: "<a class=next href=/2>more</a>",
            f"{URL}2": "<article class=book><h3>Emma</h3></article>",
        }
    )

    assert crawl(Books, transport=site).items == [{"title": "Emma"}]
    assert site.urls == [URL, f"{URL}2"]


@pytest.mark.parametrize(
    ("url", "page", "kind", "content"),
    [
        pytest.param(
            URL, "<p>ü", "text/html; charset=utf-8", "<p>ü".encode(), id="text"
        ),
        pytest.param(
            URL, b"<p>\xfc", "text/html", b"<p>\xfc", id="bytes without ending"
        ),
        pytest.param(
            f"{URL}a.pdf", b"%PDF", "application/pdf", b"%PDF", id="bytes by ending"
        ),
        pytest.param(
            f"{URL}a.xyz", b"?", "application/octet-stream", b"?", id="strange ending"
        ),
        pytest.param(
            f"{URL}a.jsonl", b"{}\n", "application/jsonl", b"{}\n", id="JSON lines"
        ),
        pytest.param(
            URL, {"a": [1]}, "application/json", b'{"a": [1]}', id="a dict is JSON"
        ),
        pytest.param(URL, [1, 2], "application/json", b"[1, 2]", id="a list is JSON"),
        pytest.param(URL, None, None, b"", id="nothing"),
    ],
)
async def test_a_body_has_the_content_type_of_its_kind(
    url: str, page: Page, kind: str | None, content: bytes
) -> None:
    response = await fetch(url, transport=FakeSite({url: page}))

    assert repr(response.status_code) == "200"  # an int, as from a server
    assert response.headers.get("content-type") == kind
    assert response.content == content


async def test_a_saved_file_is_read_when_it_is_requested(tmp_path: Path) -> None:
    saved = tmp_path / "page.html"
    site = FakeSite({URL: saved})
    saved.write_text("<title>saved</title>", encoding="utf-8")

    response = await fetch(URL, transport=site)

    assert response.css("title")[0].text() == "saved"
    assert response.content_type == "text/html"


async def test_status_and_headers_are_the_given_ones() -> None:
    site = FakeSite(
        {
            URL: (301, {"Location": "/new"}, ""),
            f"{URL}new": (203, {"Content-Type": "text/plain", "X-Shop": "1"}, "hello"),
        }
    )

    response = await fetch(URL, transport=site)

    assert response.status_code == 203
    assert response.headers["x-shop"] == "1"
    assert response.content_type == "text/plain"


async def test_an_unknown_page_and_robots_txt_are_404() -> None:
    site = FakeSite({})

    response = await fetch(URL, transport=site)
    robots = await fetch(f"{URL}robots.txt", transport=site)

    assert response.status_code == robots.status_code == 404
    assert URL in response.text
    assert site.urls == [URL]
    assert len(site.requests) == 2


async def test_a_url_is_found_in_every_spelling_and_with_its_query() -> None:
    site = FakeSite({"HTTPS://Books.Example:443/a/../b?q=1#top": "b"})

    assert (await fetch(f"{URL}b?q=1", transport=site)).text == "b"
    assert (await fetch(f"{URL}b?q=2", transport=site)).status_code == 404


async def test_a_compressed_body_is_decoded_by_the_crawl_and_not_by_httpx() -> None:
    packed = gzip.compress(b"<title>packed</title>" * 10_000)
    site = FakeSite(
        {URL: (200, {"Content-Encoding": "gzip", "Content-Type": "text/html"}, packed)}
    )

    response = await fetch(URL, transport=site)

    assert response.content == gzip.decompress(packed)
    assert response.received == len(packed)


async def test_a_decompression_bomb_is_rejected_as_in_a_real_crawl() -> None:
    bomb = gzip.compress(bytes(80 * 1024**2))
    site = FakeSite({URL: (200, {"Content-Encoding": "gzip"}, bomb)})

    with pytest.raises(FetchError) as failure:
        await fetch(URL, transport=site)

    assert failure.value.reason is Reason.BOMB


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        pytest.param(Reason.DNS_ERROR, Reason.DNS_ERROR, id="a reason"),
        pytest.param(
            httpx.ConnectTimeout("late"), Reason.CONNECT_TIMEOUT, id="an error of httpx"
        ),
        pytest.param(
            ConnectionRefusedError("no"),
            Reason.CONNECT_REFUSED,
            id="an error of the OS",
        ),
    ],
)
async def test_an_error_is_raised_as_by_a_transport(page: Page, reason: Reason) -> None:
    with pytest.raises(FetchError) as failure:
        await fetch(URL, transport=FakeSite({URL: page}))

    assert failure.value.reason is reason


async def test_a_function_may_respond_to_each_request() -> None:
    def search(request: httpx.Request) -> Answer:
        return {"query": request.content.decode(), "method": request.method}

    async def later(request: httpx.Request) -> Answer:
        return (202, request.headers["x-token"])

    site = FakeSite({URL: search, f"{URL}later": later})
    asked = Request(URL, json={"q": "emma"}, method="PUT")

    first = await fetch(asked, transport=site)
    second = await fetch(f"{URL}later", headers={"X-Token": "t"}, transport=site)

    assert first.json() == {"query": '{"q":"emma"}', "method": "PUT"}
    assert (second.status_code, second.text) == (202, "t")
    assert site.requests[0].json() == {"q": "emma"}
    assert site.requests[1].headers["x-token"] == "t"
    assert site.requests[1].method == "GET"


def test_a_body_may_arrive_in_pieces_and_is_closed_if_it_is_left() -> None:
    sent: list[int] = []
    closed: list[bool] = []

    async def pieces(number: int) -> AsyncIterator[bytes]:
        try:
            for piece in range(number):
                sent.append(piece)
                yield bytes(1000)
        finally:
            closed.append(True)

    class Feed(Spider):
        name = "feed"

        async def start(self) -> Results:
            yield Request(f"{URL}feed", stream=True)

        async def parse(self, response: Response) -> Results:
            async for piece in response.aiter_bytes():
                yield {"size": len(piece)}
                return

    site = FakeSite({f"{URL}feed": lambda request: pieces(100)})

    assert crawl(Feed, transport=site).items == [{"size": 1000}]
    assert sent == [0]
    assert closed == [True]


async def test_a_head_request_receives_only_the_head() -> None:
    asked = Request(URL, method="HEAD")

    response = await fetch(asked, transport=FakeSite({URL: "<p>hello"}))

    assert response.headers["content-length"] == "8"
    assert response.content == b""


async def test_a_plain_httpx_client_may_use_the_fake_site() -> None:
    async with httpx.AsyncClient(transport=FakeSite({URL: "hello"})) as client:
        assert (await client.get(URL)).text == "hello"


def test_a_page_without_a_url_is_an_error_of_the_test() -> None:
    with pytest.raises(ConfigError, match="books"):
        FakeSite({"/books": "a path is no URL"})


async def test_a_body_of_an_unknown_kind_is_an_error_of_the_test() -> None:
    site = FakeSite({URL: (200, 7)})  # type: ignore[dict-item]

    with pytest.raises(FetchError, match="the page for"):
        await fetch(URL, transport=site)
