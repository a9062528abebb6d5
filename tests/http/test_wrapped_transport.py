"""The crawl's transport inside another transport: limits and deadlines still hold."""

from __future__ import annotations

import httpx
import pytest

from crawler import Crawl, Response, Results, Spider
from crawler.http.transport import Transport
from tests.http.servers import HANG, answer, scripted, serve


class Signed(httpx.AsyncBaseTransport):
    """Adds a header and passes on, as documented."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.signed = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["X-Signature"] = "7"
        self.signed += 1
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def spider_of(*urls: str) -> Spider:
    class One(Spider):
        name = "one"
        start_urls = list(urls)
        settings = {"politeness": {"robots": False}, "retry": {"attempts": 1}}
        scope = "none"

        async def parse(self, response: Response) -> Results:
            yield {"url": response.url}
            yield response.follow_links()

    return One()


async def test_the_private_host_that_a_person_named_is_requested() -> None:
    page = answer(b"<p>page</p>", "Content-Type: text/html")
    signed = Signed(Transport())

    async with serve(scripted([page])) as served:
        report = await Crawl(spider_of(served.url + "/"), transport=signed).wait()

    assert (report.pages, signed.signed) == (1, 1)


async def test_a_page_cannot_lead_further_into_the_private_network() -> None:
    async with serve(scripted([answer(b"secret")])) as inside:
        link = f"<a href=http://127.0.0.1:{inside.port}/>in</a>".encode()
        page = answer(link, "Content-Type: text/html")
        async with serve(scripted([page])) as served:
            crawl = Crawl(spider_of(served.url + "/"), transport=Signed(Transport()))
            report = await crawl.wait()

    assert report.errors == {"blocked_address": 1}
    assert inside.requests == []


@pytest.mark.parametrize(
    ("script", "http", "reason"),
    [
        pytest.param(
            [answer(b"x" * 5000, "Content-Type: text/html")],
            {"max_body": 1000},
            "too_large",
            id="max_body",
        ),
        pytest.param(
            [answer(b"x", "X-Long: " + "y" * 5000)],
            {"max_headers": 2000},
            "header_too_large",
            id="max_headers",
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", HANG],
            {"total": 0.2},
            "deadline",
            id="total",
        ),
        pytest.param([HANG], {"read": 0.2}, "read_timeout", id="read"),
    ],
)
async def test_the_limits_of_the_settings_apply(
    script: list[bytes | str], http: dict[str, object], reason: str
) -> None:
    async with serve(scripted(script)) as served:
        crawl = Crawl(
            spider_of(served.url + "/"), {"http": http}, transport=Signed(Transport())
        )
        report = await crawl.wait()

    assert report.errors == {reason: 1}
