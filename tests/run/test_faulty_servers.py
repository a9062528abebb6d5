"""Whole crawls of servers on loopback with faulty responses."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from crawler import Crawl, Report, Response, Results, Spider
from crawler.http.transport import Transport
from crawler.web.addresses import Address
from tests.http.servers import CLOSE, Script, Served, answer, options, scripted, serve

OK = b"HTTP/1.1 200 OK\r\n"
#: Retries come at once.
QUICK: dict[str, dict[str, Any]] = {"retry": {"wait": 0, "wait_max": 0}}


class Reader(Spider):
    name = "reader"
    start_urls: Sequence[str] = ()

    async def parse(self, response: Response) -> Results:
        yield {"text": response.text}


async def crawled(
    served: Served, settings: dict[str, Any] | None = None, **terms: Any
) -> Report:
    """Crawl the server's start page."""
    spider = Reader()
    spider.start_urls = (served.url,)
    return await Crawl(spider, {**QUICK, **(settings or {})}, **terms).wait()


def asked_for(served: Served) -> Counter[str]:
    return Counter(line.split()[1] for line in served.requests)


@pytest.mark.parametrize(
    ("page", "tries"),
    [
        pytest.param([b"<html>hello</html>\r\n\r\n", CLOSE], 2, id="HTTP/0.9"),
        pytest.param([OK + b"A: b\0c\r\n\r\n", CLOSE], 2, id="NUL"),
        pytest.param(
            [OK + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", CLOSE], 2, id="size ZZ"
        ),
        pytest.param([CLOSE], 5, id="no answer at all"),
    ],
)
async def test_a_response_that_cannot_be_parsed_is_requested_once_more(
    page: Script, tries: int
) -> None:
    robots: Script = [answer(b"", status="404 Not Found"), CLOSE]
    async with serve(scripted({"/": page, "/robots.txt": robots})) as served:
        report = await crawled(served)

    assert report.errors == {"proto_error": 1}
    assert asked_for(served)["/"] == tries


@pytest.mark.parametrize(
    "robots",
    [
        pytest.param([OK + b"A: \x01\r\n", answer()[17:]], id="a control"),
        pytest.param([answer(b"User-agent: *", "A : b", ": c")], id="blank, no name"),
        pytest.param([answer(b"User-agent: *", "A: b\r\n c")], id="folded"),
        pytest.param(
            [OK + b"Transfer-Encoding: chunked\r\n\r\n4 \nUser\n0\n\n"], id="chunks"
        ),
        pytest.param(
            [OK.replace(b" 200", b"  200") + b"Content-Length: 0\r\n\r\n"], id="blanks"
        ),
    ],
)
async def test_a_faulty_response_for_robots_txt_does_not_block_the_host(
    robots: Script,
) -> None:
    async with serve(
        scripted({"/": [answer(b"page")], "/robots.txt": robots})
    ) as served:
        report = await crawled(served)

    assert [item["text"] for item in report.items] == ["page"]
    assert asked_for(served) == {"/robots.txt": 1, "/": 1}


async def test_bytes_of_location_and_cookies_are_sent_back_unchanged() -> None:
    heads: list[bytes] = []

    async def shop(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head)
            if head.startswith(b"GET / "):
                writer.write(
                    b"HTTP/1.1 302 Found\r\n"
                    b"Location: /caf\xe9/\x83e\xc3\xa9?a=\xfc b\r\n"
                    b"Set-Cookie: a=\xe9\r\nSet-Cookie: b=\xc3\xa9\r\n"
                    b"Content-Length: 0\r\n\r\n"
                )
            else:
                writer.write(answer(b"page"))

    async with serve(shop) as served:
        report = await crawled(served, {"politeness": {"robots": False}})

    assert report.pages == 1
    line, *fields = heads[1].split(b"\r\n")
    assert line == b"GET /caf%E9/%83e%C3%A9?a=%FC%20b HTTP/1.1"
    cookies = [field for field in fields if field.lower().startswith(b"cookie:")]
    assert cookies == [b"Cookie: a=\xe9; b=\xc3\xa9"]


class Names:
    """A resolver that goes away after ten answers, for a hundred questions."""

    def __init__(self) -> None:
        self.asked = 0

    async def resolve(self, host: str) -> list[Address]:
        self.asked += 1
        if 10 < self.asked <= 110:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [ip_address("127.0.0.1")]


async def test_a_dns_resolver_that_is_away_for_a_while_loses_no_page() -> None:
    names = Names()
    scripts = {"/": [answer(b"page")], "/robots.txt": [answer(b"")]}
    async with serve(scripted(scripts)) as served:
        spider = Reader()
        spider.start_urls = [f"http://h{n}.test:{served.port}/" for n in range(30)]
        transport = Transport(options=options(resolve=names.resolve))
        report = await Crawl(spider, QUICK, transport=transport).wait()

    assert (report.pages, report.failed) == (30, 0)
    assert names.asked > 110


async def test_an_unanswered_dns_lookup_is_retried_like_a_connection() -> None:
    asked: list[str] = []

    async def resolve(host: str) -> list[Address]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    spider = Reader()
    spider.start_urls = ["http://h.test/"]
    transport = Transport(options=options(resolve=resolve))
    settings = {**QUICK, "politeness": {"robots": False}}
    report = await Crawl(spider, settings, transport=transport).wait()

    assert report.errors == {"dns_error": 1}
    assert len(asked) == 5


@pytest.mark.parametrize(
    ("size", "connections"),
    [pytest.param(2_000, 1, id="short"), pytest.param(2_000_000, 5, id="long")],
)
async def test_a_skipped_short_body_is_read_to_keep_the_connection(
    size: int, connections: int
) -> None:
    image = answer(bytes(size), "Content-Type: image/png")
    head, _, body = image.partition(b"\r\n\r\n")
    script: Script = [head + b"\r\n\r\n", body]
    links = "".join(f"<a href=/{number}>x</a>" for number in range(5))
    pages = {f"/{number}": script for number in range(5)}
    home: Script = [answer(links.encode(), "Content-Type: text/html")]
    async with serve(scripted({"/": home, **pages})) as served:
        one = {"politeness": {"robots": False, "per_host": 1, "rate": 0}}
        report = await Crawl(Follower(served.url), one).wait()

    assert report.skipped == {"unwanted_type": 5}
    assert served.connections == connections
    assert report.bytes <= 5 * size // 2 or connections == 1


class Follower(Reader):
    name = "follower"

    def __init__(self, url: str) -> None:
        super().__init__()
        self.start_urls = (url,)

    async def parse(self, response: Response) -> Results:
        yield response.follow_links()
