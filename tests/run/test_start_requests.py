"""`start()` is run as requests are needed; each of its values is committed by
itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from crawler import Request, Response, Results, Spider
from crawler.errors import ConfigError
from crawler.frontier.host_pace import HostPace, Pace
from crawler.pipelines import OpenChain
from crawler.request import START, Entry
from crawler.run.callbacks import Callbacks
from crawler.run.link_filter import LinkFilter
from crawler.run.scheduler import Scheduler
from crawler.run.start_requests import StartRequests
from crawler.store.base import Committed, Facts, Outcome, Portion
from crawler.testing import Page
from crawler.web import urls
from crawler.web.urls import Scope
from tests.run.timed import HOME, TimedSite, crawl, numbered, slowly, starting

LARGE = "https://large.example/"
SMALL = [f"https://small{number}.example/" for number in range(1000)]


class Every(dict[str, Page]):
    """A site that has every page, and the same one behind each URL of a host."""

    def __init__(self, *, otherwise: Page = "", **hosts: Page) -> None:
        super().__init__()
        self._hosts = {f"{name}.example": page for name, page in hosts.items()}
        self._otherwise = otherwise

    def get(self, url: str, default: Any = None) -> Page:
        return self[url]

    def __contains__(self, url: object) -> bool:
        return True

    def __getitem__(self, url: str) -> Page:
        return self._hosts.get(urls.host_of(url), self._otherwise)


class Plain(Spider):
    """Visits its start URLs, and no more."""

    name = "plain"

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def site_of(**hosts: Page) -> TimedSite:
    site = TimedSite({})
    site.pages = Every(**hosts)
    return site


def last_of_small(site: TimedSite) -> float:
    times = [asked.at for asked in site.log if asked.url.startswith("https://small")]
    assert len(times) == len(SMALL)
    return max(times)


@pytest.mark.parametrize("rate", [8.0, 0.0])
@pytest.mark.parametrize("job", [None, "kept"])
def test_many_hosts_do_not_wait_for_a_large_host_that_comes_first(
    rate: float, job: str | None, tmp_path: Path
) -> None:
    site = site_of(otherwise=slowly(0.1))
    spider = starting(*numbered(4_000, LARGE), *SMALL, of=Plain)
    storage = {"dir": str(tmp_path / "state")}
    politeness = {"rate": rate, "robots": False}
    terms = {"time": 60.0, "job": job}

    crawl(spider, site, politeness=politeness, storage=storage, terms=terms)

    assert last_of_small(site) < 10


SLOW = [
    f"https://slow{number}.example/{page}" for page in (0, 1) for number in range(500)
]
FAST = numbered(200, "https://fast.example/")


class Delays(Every):
    """Its slow hosts want half a minute between two requests."""

    def __getitem__(self, url: str) -> Page:
        if not url.endswith("/robots.txt"):
            return super().__getitem__(url)
        delay = "Crawl-delay: 30\n" if "//slow" in url else ""
        return (200, {"content-type": "text/plain"}, f"User-agent: *\n{delay}Disallow:")


@pytest.mark.parametrize("order", [SLOW + FAST, FAST + SLOW], ids=["last", "first"])
def test_a_fast_host_and_many_slow_ones_do_not_wait_for_each_other(
    order: list[str],
) -> None:
    site = TimedSite({})
    site.pages = Delays(otherwise=slowly(0.1))
    politeness = {"rate": 8.0, "robots": True}

    crawl(starting(*order, of=Plain), site, politeness=politeness)

    assert max(site.times("//fast")) < 30  # 200 pages, 8 a second
    assert max(site.times("//slow")) < 65  # robots.txt and two pages of each


# -- what each value becomes


class Drawn:
    """What a spider's `start()` put, and the scheduler that it was drawn for."""

    def __init__(self, given: Callable[[], Any], *, limit: int = 99) -> None:
        self.outcomes: list[Outcome] = []
        self.scheduler = Scheduler(HostPace(lambda host: Pace()))
        self._limit = limit
        spider = type("Given", (Plain,), {"start": lambda self: given()})()
        scope = Scope("none", [])
        judge = LinkFilter(scope, depth=None, max_url=99, known={}, left_out={})
        chain = OpenChain([])
        callbacks = Callbacks(spider, judge, chain, _no_stage, timeout=5.0)
        self.starts = StartRequests(spider, judge, chain, callbacks, least=99)

    async def all(self) -> list[Outcome]:
        self.scheduler.open_source()
        await self.starts.draw(self.scheduler, self._put)
        return self.outcomes

    async def _put(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if len(self.outcomes) == self._limit:
            self.scheduler.close()


async def _no_stage(entry: Entry, portion: Portion, number: int) -> None:
    raise AssertionError("no stream is here")


def _values() -> Iterator[Any]:
    yield {"n": 0}
    yield Request(LARGE)
    yield {"n": 1}


async def _later(values: Iterable[Any]) -> AsyncIterator[Any]:
    for value in values:
        yield value


async def _returned() -> list[Any]:
    return list(_values())


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(_values, id="a generator"),
        pytest.param(lambda: _later(_values()), id="an async generator"),
        pytest.param(lambda: list(_values()), id="a list"),
        pytest.param(_returned, id="a coroutine that returns a list"),
    ],
)
async def test_each_value_of_start_is_committed_by_itself(
    given: Callable[[], Any],
) -> None:
    *outcomes, last = await Drawn(given).all()

    assert [len(outcome.items) for outcome in outcomes] == [1, 0, 1]
    assert [outcome.first_ordinal for outcome in outcomes] == [0, 1, 1]
    (entry,) = outcomes[1].requests
    assert (entry.url, entry.depth, entry.found_as) == (LARGE, 0, START)
    assert last == Outcome(None, facts=Facts(start_ended=True))


async def test_start_may_yield_nothing() -> None:
    drawn = Drawn(lambda: None)

    assert await drawn.all() == [Outcome(None, facts=Facts(start_ended=True))]
    assert drawn.starts.error is None


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"n": 0}, id="an item"),
        pytest.param("https://large.example/", id="text"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param(Request(LARGE), id="a request"),
    ],
)
async def test_a_start_that_returns_a_single_value_is_an_error(value: Any) -> None:
    drawn = Drawn(lambda: value)

    (last,) = await drawn.all()

    assert last.facts is None
    assert "return a list" in str(drawn.starts.error)


@pytest.mark.parametrize("error", [RuntimeError("no list"), SystemExit(1)])
async def test_a_start_that_raises_runs_again_in_the_resumed_run(
    error: BaseException,
) -> None:
    def given() -> Iterator[Any]:
        yield {"n": 0}
        raise error

    drawn = Drawn(given)
    item, last = await drawn.all()

    assert len(item.items) == 1
    assert last == Outcome(None)
    assert drawn.starts.error is error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(LookupError("no list"), "LookupError: no list", id="with a text"),
        pytest.param(LookupError(), "LookupError", id="without one"),
        pytest.param(ConfigError("no [shop] here"), "no [shop] here", id="ours"),
    ],
)
async def test_the_log_says_why_and_at_which_line_start_failed(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def given() -> Iterator[Any]:
        yield {"n": 0}
        raise error

    await Drawn(given).all()

    (record,) = caplog.records
    assert record.message.startswith(f"The spider's start() failed: {said} (")
    assert "test_start_requests.py" in record.message


async def test_an_interrupted_start_is_closed_and_runs_again() -> None:
    closed = []

    async def given() -> AsyncIterator[Any]:
        try:
            for number in range(9):
                yield {"n": number}
        finally:
            closed.append(True)

    outcomes = await Drawn(given, limit=3).all()

    assert len(outcomes) == 4
    assert outcomes[-1] == Outcome(None)
    assert closed


async def test_an_error_while_start_is_closed_counts_as_a_failure_of_start() -> None:
    async def given() -> AsyncIterator[Any]:
        try:
            for number in range(9):
                yield {"n": number}
        finally:
            raise RuntimeError("no connection to close")

    drawn = Drawn(given, limit=3)
    await drawn.all()

    assert str(drawn.starts.error) == "no connection to close"


async def test_invalid_urls_of_start_are_counted_and_ten_of_them_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def given() -> Iterator[Any]:
        for number in range(12):
            yield Request(f"http://{number}.example:port/")

    *outcomes, last = await Drawn(given).all()

    assert [outcome.cut for outcome in outcomes] == [{"bad_url": 1}] * 12
    assert not any(outcome.requests for outcome in outcomes)
    named = [record.message.split(":")[0] for record in caplog.records]
    assert named == ["A URL of start() is skipped"] * 10
    assert last.facts == Facts(start_ended=True)


async def test_the_scheduler_stays_open_until_all_values_of_start_are_committed() -> (
    None
):
    drawn = Drawn(_values)
    outcomes = await drawn.all()
    waiting = asyncio.ensure_future(anext(drawn.scheduler, None))
    await asyncio.sleep(0)

    for _ in outcomes[1:]:
        drawn.scheduler.landed(Committed(), [], 1)
        await asyncio.sleep(0)
        assert not waiting.done()
    drawn.scheduler.landed(Committed(), [], 1)

    assert await waiting is None


class Differing(Spider):
    """Its page asks for one URL five times, each time with another `meta`."""

    name = "differing"
    start_urls: ClassVar = [HOME]

    async def parse(self, response: Response) -> Results:
        for number in range(5):
            yield Request(f"{HOME}detail", self.detail, meta={"number": number})
            yield response.follow_all("a", callback=self.detail)

    async def detail(self, response: Response) -> Results:
        yield response.meta


def test_requests_that_differ_only_in_meta_are_counted_as_duplicates() -> None:
    page = '<a href="/detail">again</a>'

    report = crawl(Differing, TimedSite(dict.fromkeys((HOME, f"{HOME}detail"), page)))

    assert report.report.items == [{"number": 0}]
    assert report.report.skipped == {"duplicate": 4}
    assert report.report.found == 6
    (advice,) = [line for line in report.report.advice if "once=False" in line]
    assert advice.startswith("4 Requests ")


def test_repeated_start_urls_are_counted_once_over_all_runs_of_start(
    tmp_path: Path,
) -> None:
    urls = [*numbered(4), *numbered(3)]
    given: dict[str, dict[str, Any]] = {
        "politeness": {"rate": 1.0},
        "storage": {"dir": str(tmp_path / "state")},
        "output": {"default": []},
    }
    spider, site, kept = starting(*urls, of=Plain), site_of(), {"job": "kept"}

    stopped = crawl(spider, site, terms={**kept, "max_runtime": 1.5}, **given)
    ended = crawl(spider, site, terms=kept, **given)

    assert stopped.report.exit_code == 4
    assert stopped.report.skipped == {"duplicate": 3}
    assert ended.report.resumed
    assert ended.report.pages == 4
    assert ended.report.skipped == {"duplicate": 3}
