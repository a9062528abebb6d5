"""robots.txt goes the way of the request that needs it, and is asked once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
from tenacity import stop_after_attempt, wait_none

from crawler import Reason, Request, Response, Results, Spider, crawl
from crawler.testing import Answer, FakeSite

HOME = "https://site.example/"
ROBOTS = HOME + "robots.txt"
GOOD, BAD = "http://good.example:3128", "http://bad.example:3128"


class Proxied(Spider):
    """Asks for a page by each of the proxies that it is given, in this order."""

    name = "proxied"
    scope = "none"
    stop = staticmethod(stop_after_attempt(2))
    wait = staticmethod(wait_none())
    proxies: tuple[str, ...] = ()

    async def start(self) -> AsyncIterator[Request]:
        for number, proxy in enumerate(self.proxies):
            yield Request(f"{HOME}{number}", proxy=proxy, priority=-number)

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def by(*proxies: str) -> type[Spider]:
    return type("By", (Proxied,), {"proxies": proxies})


def proxy_of(request: httpx.Request) -> str:
    return str(request.extensions.get("proxy", ""))


def noting(asked: list[str], answer: Answer = "") -> Callable[[httpx.Request], Answer]:
    """A page that notes the proxies by which it is asked; BAD reaches nothing."""

    def page(request: httpx.Request) -> Answer:
        asked.append(proxy_of(request))
        return Reason.CONNECT_REFUSED if proxy_of(request) == BAD else answer

    return page


def site(asked: list[str], robots: Answer = "") -> FakeSite:
    pages = {f"{HOME}{number}": noting([], "page") for number in range(4)}
    return FakeSite({ROBOTS: noting(asked, robots), **pages})


def test_robots_txt_is_asked_by_the_proxy_of_the_request_that_needs_it() -> None:
    asked: list[str] = []

    report = crawl(by(GOOD), transport=site(asked))

    assert (report.pages, asked) == (1, [GOOD])


def test_redirects_of_robots_txt_go_by_the_proxy_too() -> None:
    asked: list[str] = []
    moved = site(asked, (302, {"Location": "/elsewhere.txt"}, ""))
    moved.pages[f"{HOME}elsewhere.txt"] = noting(asked, b"User-agent: *\nDisallow: /0")

    report = crawl(by(GOOD, GOOD), transport=moved)

    assert asked == [GOOD, GOOD]
    assert (report.pages, report.skipped) == (1, {"robots_denied": 1})


def test_what_robots_txt_says_holds_for_requests_by_every_way() -> None:
    asked: list[str] = []
    robots = b"User-agent: *\nDisallow: /1\nDisallow: /2"

    report = crawl(by("", GOOD, ""), transport=site(asked, robots))

    assert asked == [""]
    assert (report.pages, report.skipped) == (1, {"robots_denied": 2})


def test_a_proxy_that_reaches_no_robots_txt_forbids_nothing_to_other_ways() -> None:
    asked: list[str] = []

    report = crawl(by(BAD, BAD, GOOD, ""), transport=site(asked))

    assert asked == [BAD, BAD, GOOD]
    assert report.pages == 2
    assert report.errors == {"connect_refused": 2}
