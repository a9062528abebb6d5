"""robots.txt goes the way of the request that needs it, and is asked once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

import anyio
import httpx
import pytest
from tenacity import stop_after_attempt, wait_none

from crawler import Reason, Request, Response, Results, Spider, crawl
from crawler.testing import Answer, FakeSite
from crawler.web.robots_txt import MAX_BYTES

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

    assert asked.count(GOOD) == 1
    assert report.pages == 2
    assert report.errors == {"proxy_error": 2}


@pytest.mark.parametrize(
    "robots",
    [
        pytest.param((302, {"Location": "/robots.txt"}, ""), id="an endless redirect"),
        pytest.param((302, {}, ""), id="a redirect to nowhere"),
        pytest.param((302, {"Location": "ftp://x.example/"}, ""), id="no web address"),
        pytest.param((404, "User-agent: *\nDisallow: /"), id="not there"),
        pytest.param(
            b"#" * MAX_BYTES + b"\nUser-agent: *\nDisallow: /", id="beyond the bound"
        ),
    ],
)
def test_rules_that_cannot_be_read_forbid_nothing(robots: Answer) -> None:
    report = crawl(by(""), transport=site([], robots))

    assert report.pages == 1


def test_a_bound_on_pages_is_none_on_robots_txt() -> None:
    rules = b"#" * 200_000 + b"\nUser-agent: *\nDisallow: /"

    report = crawl(by(""), {"http": {"max_body": 1000}}, transport=site([], rules))

    assert report.skipped == {"robots_denied": 1}


def test_an_origin_whose_robots_txt_does_not_come_is_given_up_with_its_reason() -> None:
    async def never(request: httpx.Request) -> Answer:
        await anyio.sleep_forever()
        raise AssertionError

    silent = site([])
    silent.pages[ROBOTS] = never

    report = crawl(by("", ""), {"http": {"total": 0.01}}, transport=silent)

    assert report.errors == {"deadline": 2}
    assert "robots.txt: over 0.01 s" in report.advice[0]


def test_a_crawl_delay_is_the_host_s_pace() -> None:
    asked: list[float] = []

    def page(request: httpx.Request) -> Answer:
        asked.append(time.monotonic())
        return "page"

    slow = site([], b"User-agent: *\nCrawl-delay: 0.05")
    slow.pages |= {f"{HOME}{number}": page for number in range(3)}

    crawl(by("", "", ""), transport=slow)

    assert asked[2] - asked[0] >= 0.1
