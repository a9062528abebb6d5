"""The scheduler gives requests to waiting workers in order, and ends by itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from crawler import Request, Response, Spider
from crawler.errors import ConfigError
from crawler.frontier.host_pace import HostPace, Pace
from crawler.layers import Fetch
from crawler.request import START, Entry
from crawler.run.options import RunOptions
from crawler.run.scheduler import RobotsTurn, Scheduler
from crawler.store.base import Committed
from tests.run.timed import TimedSite, crawl
from tests.virtual_time import run_virtual

FREE = Pace(per_host=4, rate=0)


def entry(path: str, host: str = "site.example", *, priority: int = 0) -> Entry:
    request = Request(f"https://{host}/{path}", priority=priority)
    return Entry(request.fingerprint(), request, host)


def browsed(path: str, host: str = "site.example") -> Entry:
    request = Request(f"https://{host}/{path}", kind="browser")
    return Entry(request.fingerprint(), request, host)


def scheduler(pace: Pace = FREE, **options: object) -> Scheduler:
    return Scheduler(HostPace(lambda host: pace), **options)  # type: ignore[arg-type]


def add(made: Scheduler, *entries: Entry) -> None:
    for number, each in enumerate(entries):
        each.sequence = number
    made.landed(Committed(added=list(entries)), [], 0)


def finish(made: Scheduler, *entries: Entry, is_page: bool = True) -> None:
    for each in entries:
        made.done(each, asked=True, is_page=is_page)
        made.landed(Committed(), [(each, None)], 0)


async def take(made: Scheduler) -> Entry:
    turn = await anext(made)
    assert isinstance(turn, Entry)
    return turn


async def test_the_scheduler_ends_when_nothing_waits_and_nothing_is_in_flight() -> None:
    made = scheduler()
    add(made, entry("a"))

    first = await take(made)
    ended = asyncio.ensure_future(anext(made, None))
    await asyncio.sleep(0)

    assert not ended.done()  # what is out may bring more
    finish(made, first)
    assert await ended is None


async def test_the_scheduler_does_not_end_while_a_source_is_open() -> None:
    made = scheduler()
    made.open_source()
    waiting = asyncio.ensure_future(take(made))
    await asyncio.sleep(0)

    add(made, entry("late"))

    assert (await waiting).url.endswith("/late")


async def test_the_best_request_comes_first() -> None:
    made = scheduler()
    add(made, entry("low"), entry("high", priority=5), entry("second"))

    urls = [(await take(made)).url[-4:] for _ in range(3)]

    assert urls == ["high", "/low", "cond"]


async def test_a_host_gets_no_more_requests_than_its_ceiling() -> None:
    made = scheduler(Pace(per_host=2, rate=0))
    add(made, *(entry(str(n)) for n in range(5)))
    first, _ = await take(made), await take(made)

    third = asyncio.ensure_future(take(made))
    await asyncio.sleep(0)
    assert not third.done()
    finish(made, first)

    assert (await third).url.endswith("/2")


async def test_permits_limit_the_pages_and_failed_pages_return_them() -> None:
    made = scheduler(permits=2)
    add(made, *(entry(str(n)) for n in range(5)))

    failed, good = await take(made), await take(made)
    waiting = asyncio.ensure_future(take(made))
    await asyncio.sleep(0)
    assert not waiting.done()
    finish(made, failed, is_page=False)
    last = await waiting
    finish(made, good, last)

    assert await anext(made, None) is None
    assert made.is_exhausted


async def test_a_request_that_is_retried_waits_for_its_due_time() -> None:
    made, loop = scheduler(), asyncio.get_running_loop()
    add(made, entry("a"))
    first = await take(made)
    due = loop.time() + 0.05

    made.done(first, asked=True, is_page=False)
    made.landed(Committed(), [(first, due)], 0)
    again = await take(made)

    assert again is first
    assert loop.time() >= due


async def hand_over_and_cancel(made: Scheduler, *entries: Entry) -> None:
    """Give entries to a worker that is cancelled before it can look."""
    made.open_source()
    waiting = asyncio.ensure_future(anext(made))
    await asyncio.sleep(0)
    add(made, *entries)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    made.landed(Committed(), [], 1)


@pytest.mark.parametrize(
    "made_with",
    [
        pytest.param({}, id="a turn"),
        pytest.param({"permits": 1}, id="the only permit"),
        pytest.param({"pace": Pace(per_host=1, rate=0)}, id="the only place"),
        pytest.param(
            {"pace": Pace(per_host=4, rate=0.001)}, id="a turn of a slow host"
        ),
        pytest.param({"ceilings": {"browser": 1}}, id="the only place of a kind"),
    ],
)
async def test_cancelling_a_worker_does_not_lose_its_request(
    made_with: dict[str, Any],
) -> None:
    made = scheduler(**made_with)
    only = browsed("a")

    await hand_over_and_cancel(made, only)

    assert not made.in_flight
    with anyio.fail_after(5):
        assert await take(made) is only
    finish(made, only)
    assert await anext(made, None) is None


def test_a_robots_txt_request_of_a_cancelled_worker_goes_to_the_next_worker() -> None:
    async def main() -> None:
        gate, only = Gate(), entry("a")
        made = scheduler(Pace(per_host=1, rate=0.001), gate=gate)
        loop = asyncio.get_running_loop()
        begun = loop.time()

        await hand_over_and_cancel(made, only)
        turn = await anext(made)

        assert isinstance(turn, RobotsTurn)
        assert loop.time() == begun  # the turn of the first one was not used
        gate.known.add(turn.origin)
        made.answered(turn, None)
        assert await take(made) is only
        assert loop.time() == begun + 1000
        finish(made, only)
        assert await anext(made, None) is None

    run_virtual(main)


class Gate:
    def __init__(self) -> None:
        self.known: set[str] = set()

    def knows(self, origin: str, proxy: str) -> bool:
        return origin in self.known

    def way_of(self, request: Request) -> str:
        return request.options.proxy


async def test_an_origin_gets_no_requests_before_its_robots_txt_is_known() -> None:
    gate = Gate()
    made = scheduler(gate=gate)
    add(made, entry("a"), entry("b"), entry("c", "other.example"))

    turns = [await anext(made), await anext(made)]
    assert {turn.host for turn in turns} == {"site.example", "other.example"}
    assert all(isinstance(turn, RobotsTurn) for turn in turns)
    waiting = asyncio.ensure_future(take(made))
    await asyncio.sleep(0)
    assert not waiting.done()

    turn = next(turn for turn in turns if turn.host == "other.example")
    assert isinstance(turn, RobotsTurn)
    gate.known.add("https://other.example")
    made.answered(turn, None)

    assert (await waiting).url == "https://other.example/c"


async def test_a_robots_txt_that_could_not_be_fetched_is_requested_again() -> None:
    made, loop = scheduler(gate=Gate()), asyncio.get_running_loop()
    add(made, entry("a"))
    turn = await anext(made)
    assert isinstance(turn, RobotsTurn)
    again = loop.time() + 0.05

    made.answered(turn, again)
    second = await anext(made)

    assert isinstance(second, RobotsTurn)
    assert loop.time() >= again


async def test_the_scheduler_does_not_end_while_only_the_store_has_entries() -> None:
    made, page = scheduler(stocked=True), entry("1")
    made.landed(Committed(stocked={page.host: (0, 0, 1)}), [], 0)
    given: list[Entry] = []

    async def work() -> None:
        async for turn in made:
            assert isinstance(turn, Entry)
            given.append(turn)
            finish(made, turn)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        assert await made.wanted_host() == page.host
        assert made.held(page.host) == set()
        made.refill(page.host, [page], more=False)

    assert given == [page]


async def test_close_ends_the_waiting_workers() -> None:
    made = scheduler()
    made.open_source()
    ended = asyncio.ensure_future(anext(made, None))
    await asyncio.sleep(0)

    made.close()

    assert await ended is None
    assert await made.hungry(10) is False


async def test_start_pauses_while_too_many_of_its_requests_wait() -> None:
    made = scheduler(Pace(per_host=1, rate=1), most_starts=3)
    starts = [entry(str(number)) for number in range(3)]
    for number, each in enumerate(starts):
        each.found_as, each.sequence = START, number
        made.open_source()
        assert await made.hungry(10)
        made.landed(Committed(added=[each]), [], 1)
    drawn = asyncio.ensure_future(made.hungry(10))
    first = await take(made)
    await asyncio.sleep(0)

    assert not drawn.done()
    finish(made, first)
    assert await drawn


@pytest.mark.parametrize(
    ("hosts", "on_their_way", "is_drawn"),
    [
        pytest.param(2, 0, True, id="too few hosts"),
        pytest.param(3, 0, False, id="enough hosts"),
        pytest.param(1, 1, True, id="too few with what has not landed"),
        pytest.param(1, 2, False, id="enough with what has not landed"),
    ],
)
async def test_start_continues_while_too_few_hosts_may_receive_requests(
    hosts: int, on_their_way: int, is_drawn: bool
) -> None:
    made = scheduler()
    made.open_source()  # that of start() itself
    add(made, *(entry("x", f"host{number}.example") for number in range(hosts)))
    for _ in range(on_their_way):
        made.open_source()

    drawn = asyncio.ensure_future(made.hungry(3))
    await asyncio.sleep(0)

    assert drawn.done() is is_drawn
    drawn.cancel()


async def test_paused_hosts_do_not_delay_start() -> None:
    made = scheduler(Pace(per_host=4, rate=1))
    add(made, *(entry(str(number)) for number in range(100)))
    await take(made)
    made.wake()

    assert await asyncio.wait_for(made.hungry(0), 1)


async def test_requests_are_spaced_by_the_crawl_wide_rate() -> None:
    made, loop = scheduler(total_rate=50), asyncio.get_running_loop()
    add(made, *(entry("x", f"host{n}.example") for n in range(6)))
    times = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.keep_rate)
        for _ in range(6):
            await take(made)
            times.append(loop.time())
        tasks.cancel_scope.cancel()

    assert times[-1] - times[0] >= 5 / 50 * 0.95


async def test_an_entry_that_becomes_due_during_the_search_is_given_out() -> None:
    made, loop = scheduler(), asyncio.get_running_loop()
    made.open_source()
    for number in range(2_000):
        asked = asyncio.ensure_future(take(made))
        await asyncio.sleep(0)
        late = entry(str(number))
        late.due = loop.time() + (number % 200) * 2.5e-7

        add(made, late)

        with anyio.fail_after(5):
            finish(made, await asked)


# -- ceilings by kind of fetch


async def test_a_full_kind_blocks_no_worker_and_its_place_is_freed_by_the_visit() -> (
    None
):
    made = scheduler(ceilings={"browser": 1})
    add(made, browsed("1"), browsed("2"), entry("plain"))
    first, plain = await take(made), await take(made)
    assert (first.url[-1], plain.url[-5:]) == ("1", "plain")

    waiting = asyncio.ensure_future(take(made))
    await asyncio.sleep(0)
    assert not waiting.done()
    finish(made, first)

    assert (await waiting).url.endswith("/2")


async def test_robots_txt_does_not_count_towards_a_kind() -> None:
    gate = Gate()
    made = scheduler(gate=gate, ceilings={"browser": 1})
    add(made, browsed("a", "a.example"), browsed("b", "b.example"))

    turns = [await anext(made), await anext(made)]
    assert all(isinstance(turn, RobotsTurn) for turn in turns)
    for turn in turns:
        assert isinstance(turn, RobotsTurn)
        gate.known.add(turn.origin)
        made.answered(turn, None)
    taken = await take(made)
    waiting = asyncio.ensure_future(take(made))
    await asyncio.sleep(0)

    assert not waiting.done()
    finish(made, taken)
    assert (await waiting).host == "b.example"


class Counting:
    """A layer that counts the requests of each kind that are out, and those in all."""

    def __init__(self) -> None:
        self.out: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def __call__(self, fetch: Fetch) -> Fetch:
        async def counted(request: Request) -> Response:
            self.out[request.kind] += 1
            self.most[request.kind] = max(
                self.most[request.kind], self.out[request.kind]
            )
            await asyncio.sleep(1)
            self.out[request.kind] -= 1
            return await fetch(request)

        return counted


class Browsing(Spider):
    """Asks for many pages of each kind, all at once."""

    name = "browsing"
    scope = "**"

    async def start(self) -> AsyncIterator[Request]:
        for number in range(12):
            url = f"https://h{number % 4}.example/{number}"
            yield Request(url + "b", "parse", kind="browser")
            yield Request(url + "p", "parse", kind="player")
            yield Request(url, "parse")

    async def parse(self, response: Response) -> None:
        pass


def test_a_crawl_keeps_the_ceilings_of_its_kinds() -> None:
    counting = Counting()
    pages = {
        f"https://h{number % 4}.example/{number}{end}": ""
        for number in range(12)
        for end in ("", "b", "p")
    }

    run = crawl(
        Browsing,
        TimedSite(dict(pages)),
        terms={"layers": [counting], "ceilings": {"browser": 2, "player": 3}},
        politeness={"per_host": 50, "rate": 0},
    )

    assert run.report.pages == 36
    assert counting.most == {"browser": 2, "player": 3, "": 12}
    assert run.seconds == pytest.approx(6.0, abs=0.5)


@pytest.mark.parametrize("ceiling", [0, -1, 1.5, "2", True, None])
def test_a_ceiling_is_a_number_of_requests(ceiling: object) -> None:
    with pytest.raises(ConfigError, match=r"ceilings: 'browser': .*whole number"):
        RunOptions(ceilings={"browser": ceiling})  # type: ignore[dict-item]
