"""What only the durable store promises: that all of it is there the next time."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from crawler.errors import ConfigError, StateError, StoreError
from crawler.request import Entry, Request
from crawler.stats import Counters
from crawler.store.base import (
    Facts,
    Item,
    Opening,
    Outcome,
    Portion,
    Rejected,
    RunStart,
    State,
)
from crawler.store.sqlite.store import SqliteStore
from tests.store.values import START, Clock, done, entry, found, items

HOST = "books.example"


@asynccontextmanager
async def opened(
    folder: Path, start: RunStart = START, **options: object
) -> AsyncIterator[tuple[SqliteStore, Opening]]:
    store = SqliteStore(folder, **options)  # type: ignore[arg-type]
    opening = await store.open(start)
    try:
        yield store, opening
    finally:
        await store.close(opening.seconds + 1.0)


@pytest.fixture(params=[1, 10_000], ids=["indexed", "in the tail"])
def index_every(request: pytest.FixtureRequest) -> int:
    """Whether rows are found by the indexes or in the tail of the log."""
    value = request.param
    assert isinstance(value, int)
    return value


def urls_of(entries: list[object]) -> list[str]:
    return [str(getattr(it, "url", "")).rpartition("/")[2] for it in entries]


async def test_an_unfinished_run_is_resumed_as_it_was(tmp_path: Path) -> None:
    page, link = entry("a"), entry("https://other.example/")
    async with opened(tmp_path) as (store, opening):
        assert not opening.is_resumed
        await store.commit([found(page, entry("b")), done(page, "x")])
        rejected = Rejected(link.fingerprint, link.url, "scope", page.fingerprint)
        await store.commit(
            [Outcome(None, rejected=[rejected], facts=Facts(scope={"a"}))]
        )

    async with opened(tmp_path) as (store, opening):
        assert opening.is_resumed
        assert opening.run == 1
        assert opening.started == START.started
        assert opening.seconds == 1.0
        assert opening.sequence == 1
        assert opening.hosts == {HOST: 1}
        assert opening.facts == Facts(scope={"a"})
        assert opening.counters == Counters(
            found=2, pages=1, items=1, skipped={"scope": 1}
        )
        assert store.rejected == {link.fingerprint: "scope"}
        assert urls_of([*await store.take(HOST, 10, (), 0.0)]) == ["b"]


async def test_a_link_that_entered_after_all_is_not_left_out_after_a_resume(
    tmp_path: Path,
) -> None:
    page, link = entry("a"), entry("https://other.example/")
    rejected = Rejected(link.fingerprint, link.url, "scope", page.fingerprint)
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page), Outcome(None, rejected=[rejected])])
        await store.commit([found(link)])

    async with opened(tmp_path) as (store, opening):
        assert store.rejected == {}
        assert opening.counters == Counters(found=2)
        explained = await store.explain(link.fingerprint)
        assert explained is not None
        assert explained.state is State.PENDING


async def test_a_finished_run_is_followed_by_a_new_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([found(entry("a"))])
        await store.finish("finished", b"{}")

    async with opened(tmp_path) as (store, opening):
        assert not opening.is_resumed
        assert opening.run == 2
        committed = await store.commit([found(entry("a"))])
        assert committed.counters == Counters(found=1)


async def test_entries_are_taken_best_first(tmp_path: Path, index_every: int) -> None:
    pages = [
        entry("deep", depth=2),
        entry("late", depth=1),
        entry("later", depth=1),
        entry("urgent", depth=9, priority=5),
        entry("never", priority=-1),
    ]
    async with opened(tmp_path, index_every=index_every) as (store, _):
        await store.commit([found(*pages)])

        taken = await store.take(HOST, 10, (), 0.0)
        rest = await store.take(HOST, 2, [pages[3].fingerprint], 0.0)

    assert urls_of([*taken]) == ["urgent", "late", "later", "deep", "never"]
    assert urls_of([*rest]) == ["late", "later"]


async def test_entries_in_the_index_and_in_the_tail_are_merged(tmp_path: Path) -> None:
    async with opened(tmp_path, index_every=3) as (store, _):
        await store.commit([found(*(entry(str(n), depth=n) for n in (1, 3, 5)))])
        await store.commit([found(*(entry(str(n), depth=n) for n in (4, 2)))])

        taken = await store.take(HOST, 4, (), 0.0)

    assert urls_of([*taken]) == ["1", "2", "3", "4"]


async def test_taking_from_an_unknown_host_gives_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        assert await store.take("nobody.example", 5, (), 0.0) == []


async def test_a_request_comes_back_whole(tmp_path: Path, index_every: int) -> None:
    request = Request(
        "https://books.example/search",
        "parse_found",
        data={"q": "ä"},
        headers={"X-A": "1"},
        meta={"shelf": [1, 2]},
        priority=3,
        depth=4,
        session="s",
        stream=True,
        timeout=2.5,
        errback="failed",
    )
    page = entry("search", parent=77, found_as="form", redirects=2, chain=(-5, 6))
    page.request, page.fingerprint, page.depth = request, request.fingerprint(), 4
    async with opened(tmp_path, index_every=index_every) as (store, _):
        await store.commit([found(page)])
    async with opened(tmp_path) as (store, _):
        (taken,) = await store.take(HOST, 1, (), 0.0)

    assert taken.request == request
    assert taken.fingerprint == page.fingerprint
    assert (taken.parent, taken.found_as, taken.depth) == (77, "form", 4)
    assert (taken.redirects, taken.chain) == (2, (-5, 6))
    assert taken.sequence == 1


async def test_a_retry_waits_for_its_time_over_a_restart(
    tmp_path: Path, clock: Clock
) -> None:
    page = entry("a")
    async with opened(tmp_path, clock=clock) as (store, _):
        await store.commit([found(page)])
        page.attempt, page.first_tried = 2, clock.now - 3
        retry = Outcome(page, State.PENDING, "reset", due=clock.now + 60)
        await store.commit([retry])
    clock.now += 20

    async with opened(tmp_path, clock=clock) as (store, opening):
        assert opening.waiting == 1
        (taken,) = await store.take(HOST, 1, (), 500.0)
        clock.now += 100
        (later,) = await store.take(HOST, 1, (), 600.0)

    assert taken.due == 540.0
    assert (taken.attempt, taken.first_tried) == (2, clock.now - 123)
    assert later.due == 0.0


async def test_a_clock_set_back_lengthens_no_wait(tmp_path: Path, clock: Clock) -> None:
    page = entry("a")
    async with opened(tmp_path, clock=clock) as (store, _):
        retry = Outcome(page, State.PENDING, "reset", due=clock.now + 60)
        await store.commit([found(page), retry])
    clock.now -= 3_600

    async with opened(tmp_path, clock=clock) as (store, _):
        (taken,) = await store.take(HOST, 1, (), 500.0)

    assert taken.due == 560.0


async def test_no_wait_is_longer_than_a_day(tmp_path: Path, clock: Clock) -> None:
    page = entry("a")
    async with opened(tmp_path, clock=clock) as (store, _):
        retry = Outcome(page, State.PENDING, "reset", due=clock.now + 10**9)
        await store.commit([found(page), retry])

        (taken,) = await store.take(HOST, 1, (), 0.0)

    assert taken.due == 86_400.0


async def test_a_lowered_page_is_taken_in_its_new_place(
    tmp_path: Path, index_every: int
) -> None:
    pages = [entry("a", depth=2), entry("b", depth=3)]
    async with opened(tmp_path, index_every=index_every) as (store, _):
        await store.commit([found(*pages)])
        await store.commit([found(entry("b", depth=1))])

        taken = await store.take(HOST, 10, (), 0.0)
        landed = await store.commit([done(pages[1], "x")])
        rest = await store.take(HOST, 10, (), 0.0)

    assert [(it.depth, it.request.depth) for it in taken] == [(1, 1), (2, 2)]
    assert landed.counters == Counters(found=2, pages=1, items=1)
    assert urls_of([*rest]) == ["a"]


async def test_items_of_start_are_there_once_over_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([Outcome(None, items=items("x", "y"))])

    async with opened(tmp_path) as (store, _):
        first = await store.commit([Outcome(None, items=items("x", "y"))])
        await store.commit([Outcome(None, items=items("z"), first_ordinal=2)])
        rows = await store.items_after(0, 10)

    assert first.counters == Counters(items=2)
    assert [row.body for row in rows] == [b'"x"', b'"y"', b'"z"']


async def test_keys_of_items_hold_over_a_restart(tmp_path: Path) -> None:
    page = entry("a")
    item = Item(b"1", (("duplicate:url", b"u"),))
    async with opened(tmp_path) as (store, _):
        await store.commit([Outcome(None, items=[item])])

    async with opened(tmp_path) as (store, _):
        committed = await store.commit([found(page), Outcome(page, items=[item])])

    assert committed.counters.dropped == {"duplicate:url": 1}


async def test_staged_items_are_dropped_with_the_process(tmp_path: Path) -> None:
    page = entry("a")
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page)])
        await store.stage(page, Portion(items("half")), 0)

    async with opened(tmp_path) as (store, _):
        (taken,) = await store.take(HOST, 1, (), 0.0)
        await store.commit([done(taken, "whole")])
        rows = await store.items_after(0, 10)

    assert [row.body for row in rows] == [b'"whole"']


async def test_many_staged_items_land_in_one_commit(tmp_path: Path) -> None:
    page = entry("a")
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page)])
        for number in range(3):
            portion = Portion(items(*map(str, range(1_000))))
            await store.stage(page, portion, number)

        committed = await store.commit([Outcome(page, portions=3)])

        assert committed.counters == Counters(found=1, pages=1, items=3000)
        last = await store.items_after(2_999, 10)
    assert [(row.sequence, row.ordinal) for row in last] == [(3_000, 2_999)]


async def test_many_staged_requests_land_in_one_commit_and_stay(
    tmp_path: Path,
) -> None:
    page = entry("a")
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page)])
        for number in range(3):
            first = number * 1_000
            links = [entry(str(n), depth=1) for n in range(first, first + 1_000)]
            await store.stage(page, Portion(requests=links), number)

        committed = await store.commit([Outcome(page, portions=3)])

        assert committed.counters == Counters(found=3_001, pages=1)
        assert committed.stocked == {HOST: (0, 1, 2)}
    async with opened(tmp_path) as (store, opening):
        assert opening.hosts == {HOST: 3_000}
        taken = await store.take(HOST, 3, (), 0.0)
    assert [it.url.rpartition("/")[2] for it in taken] == ["0", "1", "2"]


async def test_a_staged_request_keeps_all_that_it_was_made_with(
    tmp_path: Path,
) -> None:
    page = entry("a")
    made = Request(f"https://{HOST}/b", "book", priority=3, meta={"shelf": "fiction"})
    link = Entry(made.fingerprint(), made, HOST, depth=2, parent=7, found_as="request")
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page)])
        await store.stage(page, Portion(requests=[link]), 0)
        await store.commit([Outcome(page, portions=1)])

        (taken,) = await store.take(HOST, 10, (), 0.0)

    request = taken.request
    assert (request.url, request.callback) == (made.url, "book")
    assert (request.priority, request.meta) == (3, {"shelf": "fiction"})
    assert (taken.depth, taken.parent, taken.found_as) == (2, 7, "request")


async def test_staged_requests_are_dropped_with_the_process(tmp_path: Path) -> None:
    page, link = entry("a"), entry("b")
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page)])
        await store.stage(page, Portion(requests=[link]), 0)

    async with opened(tmp_path) as (store, opening):
        assert opening.hosts == {HOST: 1}
        committed = await store.commit([Outcome(entry("a"), portions=1)])

    assert committed.counters == Counters(found=1, pages=1)
    assert committed.stocked == {}


async def test_known_urls_beyond_the_cache_stay_known(tmp_path: Path) -> None:
    async with opened(tmp_path, index_every=1) as (store, _):
        await store.commit([found(*(entry(str(n)) for n in range(50)))])

    async with opened(tmp_path) as (store, _):
        assert len(store.recent) == 0
        committed = await store.commit([found(*(entry(str(n)) for n in range(60)))])

    assert committed.counters == Counters(found=60)
    assert len(store.recent) == 60


async def test_a_commit_that_is_cancelled_lands_whole(tmp_path: Path) -> None:
    """What the disk has and what memory has are the same, whatever cancels."""
    page = entry("a")
    writing = asyncio.Event()

    def monotonic() -> float:
        writing.set()
        return 0.0

    async with opened(tmp_path, monotonic=monotonic) as (store, _):
        await store.commit([found(page)])
        writing.clear()
        outcome = done(page, "x", requests=[entry("b")])
        task = asyncio.ensure_future(store.commit([outcome]))
        await writing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        again = await store.commit([outcome])

        assert again.counters == Counters(found=2, pages=1, items=1)
        assert entry("b").fingerprint in store.recent
        assert len(await store.items_after(0, 10)) == 1


async def test_other_arguments_are_refused_with_the_ways_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([found(entry("a"))])
    other = RunStart("books", "books", '{"shelf":"b"}', 1.0)

    with pytest.raises(StateError, match=r"shelf.*--fresh.*--job"):
        await SqliteStore(tmp_path).open(other)

    async with opened(tmp_path) as (_, opening):
        assert opening.is_resumed


async def test_another_spider_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass

    with pytest.raises(StateError, match=r"'books', not 'films'"):
        await SqliteStore(tmp_path).open(RunStart("books", "films"))


async def test_fresh_forgets_the_unfinished_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([found(entry("a"))])
    fresh = RunStart("books", "films", "[]", 5.0, fresh=True)

    async with opened(tmp_path, fresh) as (store, opening):
        assert (opening.run, opening.is_resumed) == (2, False)
        assert opening.hosts == {}


@pytest.mark.parametrize("job", ["", "a/b", ".hidden"])
async def test_a_job_needs_a_name_that_names_files(tmp_path: Path, job: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a job"):
        await SqliteStore(tmp_path).open(RunStart(job, "books"))


async def test_a_job_may_have_any_other_name(tmp_path: Path) -> None:
    folder = tmp_path / "a folder? #1%20é"
    start = RunStart("bücher & more?.db", "books")

    async with opened(folder, start) as (store, _):
        await store.commit([found(entry("a"))])

    async with opened(folder, start) as (_, opening):
        assert opening.is_resumed
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_old_runs_are_pruned(tmp_path: Path) -> None:
    for _ in range(5):
        async with opened(tmp_path, keep_runs=3, keep_items=2) as (store, opening):
            await store.finish("finished", b"{}")

    assert opening.run == 5
    names = sorted(path.name for path in (tmp_path / "books.runs").iterdir())
    assert names == ["4.db", "5.db"]
    with sqlite3.connect(tmp_path / "books.db") as catalog:
        numbers = catalog.execute("SELECT number FROM runs").fetchall()
    catalog.close()
    assert numbers == [(3,), (4,), (5,)]


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """No file may grow beyond this: to SQLite the disk is full, or failing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs POSIX limits")
async def test_a_commit_on_a_full_disk_can_be_tried_again(
    tmp_path: Path, index_every: int
) -> None:
    page = entry("a")
    large = [Item(b"%d" % n + b"x" * 5_000) for n in range(100)]
    async with opened(tmp_path, index_every=index_every) as (store, _):
        await store.commit([found(page)])
        outcome = Outcome(
            page, items=large, requests=[entry("b"), entry("https://new.example/")]
        )
        runs = (tmp_path / "books.runs").iterdir()
        size = max(path.stat().st_size for path in runs)
        with files_limited_to(size + 20_000):
            with pytest.raises(StoreError, match=r"books\.runs"):
                await store.commit([outcome])
            with pytest.raises(StoreError):
                await store.commit([outcome])
            assert await store.items_after(0, 10) == []
            assert entry("b").fingerprint not in store.recent

        committed = await store.commit([outcome])

        assert committed.counters == Counters(found=3, pages=1, items=100)
        assert [it.sequence for it in committed.added] == [2, 3]
    async with opened(tmp_path) as (store, opening):
        assert opening.sequence == 100
        assert opening.hosts == {HOST: 1, "new.example": 1}


async def test_the_state_of_a_job_is_for_its_owner_alone(tmp_path: Path) -> None:
    async with opened(tmp_path / "state"):
        pass

    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


async def test_pages_that_ended_are_passed_by(tmp_path: Path) -> None:
    pages = [entry(str(number)) for number in range(6)]
    async with opened(tmp_path, index_every=6) as (store, _):
        await store.commit([found(*pages)])  # all six are in the index now
        await store.commit([done(page) for page in pages[:3]])
        first = await store.take(HOST, 2, (), 0.0)
        second = await store.take(HOST, 2, (), 0.0)

    assert urls_of([*first]) == ["3", "4"]
    assert urls_of([*second]) == ["3", "4"]


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StateError, match="file"):
        await SqliteStore(tmp_path / "file" / "state").open(START)


async def test_a_commit_while_somebody_else_writes_can_be_tried_again(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (store, _):
        other = sqlite3.connect(tmp_path / "books.runs" / "1.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            await store.commit([found(entry("a"))])
        other.execute("ROLLBACK")
        other.close()

        committed = await store.commit([found(entry("a"))])

    assert committed.counters == Counters(found=1)
