"""A process that shares its run: its lease, and the news of other processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import anyio
import httpx
import pytest

from crawler import (
    Crawl,
    FinishReason,
    Report,
    Response,
    Results,
    Spider,
    StopCrawl,
)
from crawler.errors import Blame, FetchError
from crawler.layers import respond
from crawler.request import Request
from crawler.run.teamwork import Guarded
from crawler.store.sharing import Team

REQUEST = Request("https://books.example/")


class Leased:
    """What the guard sees of a team."""

    def __init__(self, seconds: float) -> None:
        self.deadline = asyncio.get_running_loop().time() + seconds

    def is_held(self) -> bool:
        return asyncio.get_running_loop().time() < self.deadline


class Wire:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, request: Request, /) -> Response:
        self.asked.append(request.url)
        return respond(request)


def guarded(wire: Wire, seconds: float) -> Guarded:
    return Guarded(wire, cast(Team, cast(Any, Leased(seconds))))


async def test_a_request_within_the_lease_is_sent() -> None:
    wire = Wire()
    response = await guarded(wire, 60.0)(REQUEST)
    assert response.status_code == 200
    assert wire.asked == [REQUEST.url]


@pytest.mark.parametrize("seconds", [0.0, -60.0])
async def test_a_request_after_the_lease_is_not_sent(seconds: float) -> None:
    wire = Wire()
    with pytest.raises(FetchError, match="lease") as caught:
        await guarded(wire, seconds)(REQUEST)
    assert wire.asked == []
    # It costs the request no try, and says nothing of the host or the way to it.
    assert caught.value.is_free
    assert caught.value.is_retried
    assert caught.value.blame is Blame.OURS


async def test_after_a_renewal_of_the_lease_requests_are_sent_again() -> None:
    wire, team = Wire(), Leased(-1.0)
    guard = Guarded(wire, cast(Team, cast(Any, team)))
    with pytest.raises(FetchError):
        await guard(REQUEST)
    team.deadline += 60.0
    await guard(REQUEST)
    assert wire.asked == [REQUEST.url]


class Shelves(Spider):
    """Pages of many hosts; what this process does with each is for the test to say."""

    name = "shelves"
    start_urls = [f"https://h{number}.example/0" for number in range(60)]
    settings = {"politeness": {"rate": 20, "robots": False}}

    def __init__(self, act: Callable[[], None], began: anyio.Event) -> None:
        super().__init__()
        self._act, self._began = act, began

    async def parse(self, response: Response) -> Results:
        self._began.set()
        self._act()
        yield response.follow(str(int(response.url.rpartition("/")[2]) + 1))


def shelf(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, html="<h1>page</h1>")


async def led(database: str, act: Callable[[], None], **terms: Any) -> Report:
    """The report of the process that leads, beside one that calls `act` at its first
    page."""
    at, begun, acted = {"storage": {"url": database}}, anyio.Event(), anyio.Event()
    site = httpx.MockTransport(shelf)
    reports: list[Report] = []

    async def lead() -> None:
        spider = Shelves(lambda: None, begun)
        crawl = Crawl(spider, at, job="shelves", transport=site, **terms)
        reports.append(await crawl.wait())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lead)
        await begun.wait()
        worker = Crawl(
            Shelves(act, acted), at, job="shelves", transport=site, joins=True
        )
        await worker.wait()
        assert acted.is_set()
    return reports[0]


async def test_failed_pages_of_all_processes_count_for_the_limit(
    database: str,
) -> None:
    def fail() -> None:
        raise ValueError("broken")

    report = await led(database, fail, errors=5, time=8)

    assert report.finish_reason == FinishReason.ERRORS_LIMIT
    assert report.failed >= 5


async def test_a_spider_that_stops_the_crawl_stops_it_for_all_processes(
    database: str,
) -> None:
    def stop() -> None:
        raise StopCrawl("enough")

    report = await led(database, stop, time=8)

    assert report.finish_reason == FinishReason.STOPPED
    assert report.stop_reason == "enough"
