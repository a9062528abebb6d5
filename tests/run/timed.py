"""Whole crawls in virtual time, over a site that records the times of its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from tenacity import stop_after_attempt, wait_fixed

from crawler import Crawl, Report, Response, Results, Spider
from crawler.settings import Layer, build
from crawler.testing import Answer, FakeSite, Page
from tests.virtual_time import run_virtual, virtual_loop

HOST = "site.example"
HOME = f"https://{HOST}/"
#: Seconds between two tries of the spider below.
WAIT = 2.0


class Visits(Spider):
    """Visits its start URLs, follows every link, and yields where it was."""

    name = "visits"
    start_urls = [HOME]
    stop = staticmethod(stop_after_attempt(3))
    wait = staticmethod(wait_fixed(WAIT))

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url, "at": asyncio.get_running_loop().time()}
        yield response.follow_links()


@dataclass(frozen=True)
class Asked:
    """One request: seconds since the first one, and what for."""

    at: float
    url: str
    proxy: str


class TimedSite(FakeSite):
    """A FakeSite that notes the loop's time at each request."""

    def __init__(self, pages: dict[str, Page]) -> None:
        super().__init__(pages)
        self.log: list[Asked] = []
        self._begun: float | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        now = asyncio.get_running_loop().time()
        self._begun = now if self._begun is None else self._begun
        proxy = str(request.extensions.get("proxy", ""))
        self.log.append(Asked(now - self._begun, str(request.url), proxy))
        return await super().handle_async_request(request)

    def times(self, part: str = "") -> list[float]:
        """When URLs with this part were asked for, to the millisecond."""
        return [round(asked.at, 3) for asked in self.log if part in asked.url]


@dataclass(frozen=True)
class Run:
    """How a crawl went, and the virtual seconds that it took."""

    report: Report
    seconds: float


def crawl(
    spider: type[Spider],
    site: httpx.AsyncBaseTransport,
    *,
    terms: dict[str, Any] | None = None,
    **sections: dict[str, Any],
) -> Run:
    """Crawl a site to the end in virtual time; without robots.txt, unless asked for."""
    politeness = {"robots": False, **sections.pop("politeness", {})}
    settings = build([Layer("test", {"politeness": politeness, **sections})])

    async def main() -> Report:
        clock = virtual_loop().wall_clock
        given = {"transport": site, "wall_clock": clock, **(terms or {})}
        return await Crawl(spider(), settings, **given).wait()

    return Run(*run_virtual(main))


def starting(*urls: str, of: type[Spider] = Visits, **attributes: Any) -> type[Spider]:
    """A spider that starts from these URLs, in this order."""
    return type("Starting", (of,), {"start_urls": list(urls), **attributes})


def numbered(count: int, home: str = HOME) -> list[str]:
    return [f"{home}{number}" for number in range(count)]


def in_turn(*answers: Answer) -> Callable[[httpx.Request], Answer]:
    """A page that answers differently each time; in the end it stays with the last."""
    left: Iterator[Answer] = iter(answers[:-1])
    return lambda request: next(left, answers[-1])


def slowly(seconds: float, answer: Answer = "") -> Page:
    """A page that takes so long to answer."""

    async def page(request: httpx.Request) -> Answer:
        await asyncio.sleep(seconds)
        return answer

    return page


def refusal(seconds: float | str | None = None, status: int = 429) -> Answer:
    """A status, with Retry-After if `seconds` are given."""
    headers = {} if seconds is None else {"retry-after": str(seconds)}
    return (status, headers, "later")
