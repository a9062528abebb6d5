from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest

from crawler.errors import JobLocked, StateError
from crawler.stats import Counters
from crawler.store.base import Answer, Explanation, Outcome, State
from crawler.store.sqlite import history
from crawler.store.sqlite.catalog import RunRecord
from crawler.store.sqlite.store import SqliteStore
from tests.store.values import START, done, entry, found, items

HOST = "books.example"


def failed(page_path: str, reason: str, status: int = 0, *texts: str) -> Outcome:
    return Outcome(
        entry(page_path),
        State.FAILED,
        reason,
        answers=[Answer(status, "HTTP/1.1")] if status else [],
        items=items(*texts),
    )


def crawled(folder: Path, *outcomes: Outcome, index_every: int = 1) -> None:
    """One finished run that landed these, with two good pages."""
    asyncio.run(crawl(folder, *outcomes, index_every=index_every))


async def crawl(folder: Path, *outcomes: Outcome, index_every: int) -> None:
    pages = [entry("a"), entry("b")]
    store = SqliteStore(folder, index_every=index_every)
    await store.open(START)
    failing = [it.entry for it in outcomes if it.entry]
    await store.commit([found(*pages, *failing)])
    await store.commit([done(pages[0], "x", "y"), done(pages[1], "z"), *outcomes])
    await store.finish("finished", b'{"pages": 2}')
    await store.close(7.5)


def test_jobs_and_their_runs_are_listed(tmp_path: Path) -> None:
    crawled(tmp_path)

    (run,) = history.runs(tmp_path, "books")

    assert history.jobs(tmp_path) == ["books"]
    assert (run.number, run.reason, run.seconds) == (1, "finished", 7.5)
    assert run.counters == Counters(found=2, pages=2, items=3)
    assert run.finished is not None


async def test_a_running_crawl_is_read_beside_it(tmp_path: Path) -> None:
    page = entry("a")
    store = SqliteStore(tmp_path)
    await store.open(START)
    await store.commit([found(page, entry("b"))])
    await store.commit([done(page, "x")])

    def read() -> tuple[RunRecord, Explanation | None, list[bytes]]:
        bodies = [row.body for row in history.items(tmp_path, "books")]
        explained = history.explain(tmp_path, "books", page.fingerprint)
        return history.runs(tmp_path, "books")[0], explained, bodies

    run, explained, bodies = await anyio.to_thread.run_sync(read)
    await store.close(1.0)

    assert run.finished is None
    assert run.counters == Counters(found=2, pages=1, items=1)
    assert explained is not None
    assert explained.state is State.DONE
    assert bodies == [b'"x"']


def test_the_items_of_one_page_are_found(tmp_path: Path) -> None:
    crawled(tmp_path)

    rows = history.page_items(tmp_path, "books", entry("a").fingerprint, limit=5)

    assert [row.body for row in rows] == [b'"x"', b'"y"']


def test_a_report_is_kept(tmp_path: Path) -> None:
    crawled(tmp_path)

    assert history.report(tmp_path, "books") == b'{"pages": 2}'
    with pytest.raises(StateError, match="no run 9"):
        history.report(tmp_path, "books", 9)


def test_an_unknown_job_names_those_that_are_known(tmp_path: Path) -> None:
    crawled(tmp_path)

    with pytest.raises(StateError, match=r"no job 'films'.*known are books"):
        history.runs(tmp_path, "films")


def test_failed_pages_are_listed_by_status_and_reason(tmp_path: Path) -> None:
    crawled(
        tmp_path,
        failed("gone", "http_status", 404),
        failed("broken", "http_status", 500),
        failed("slow", "read_timeout"),
    )

    everything = history.failed(tmp_path, "books")
    some = history.failed(tmp_path, "books", statuses=[500], reasons=["read_timeout"])

    assert [page.status for page in everything] == [404, 500, 0]
    assert [page.url.rpartition("/")[2] for page in some] == ["broken", "slow"]


@pytest.mark.parametrize("index_every", [1, 10_000])
def test_failed_pages_are_put_back(tmp_path: Path, index_every: int) -> None:
    crawled(
        tmp_path,
        failed("gone", "http_status", 404),
        failed("slow", "read_timeout", 0, "early"),
        index_every=index_every,
    )

    count = history.retry(tmp_path, "books", reasons=["read_timeout"])

    assert count == 1
    asyncio.run(finds_the_slow_page(tmp_path))


async def finds_the_slow_page(folder: Path) -> None:
    store = SqliteStore(folder)
    opening = await store.open(START)
    assert (opening.run, opening.is_resumed) == (1, True)
    assert opening.counters.failed == 1
    assert "read_timeout" not in opening.counters.errors
    (taken,) = await store.take(HOST, 10, (), 0.0)
    assert taken.attempt == 0
    await store.commit([done(taken, "late")])
    rows = await store.items_after(3, 10)
    explained = await store.explain(taken.fingerprint)
    await store.close(9.0)
    assert [(row.ordinal, row.body) for row in rows] == [
        (0, b'"early"'),
        (1, b'"late"'),
    ]
    assert explained is not None
    assert [it.state for it in explained.attempts] == [State.FAILED, State.DONE]


def test_with_nothing_to_put_back_the_run_stays_finished(tmp_path: Path) -> None:
    crawled(tmp_path)

    assert history.retry(tmp_path, "books") == 0

    assert history.runs(tmp_path, "books")[0].finished is not None


async def test_putting_back_needs_the_lock(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.open(START)

    with pytest.raises(JobLocked):
        await anyio.to_thread.run_sync(history.retry, tmp_path, "books")

    await store.close(0.0)


def test_a_run_that_is_not_kept_says_so(tmp_path: Path) -> None:
    async def finish() -> None:
        store = SqliteStore(tmp_path, keep_items=1)
        await store.open(START)
        await store.finish("finished", b"{}")
        await store.close(1.0)

    asyncio.run(finish())
    asyncio.run(finish())

    with pytest.raises(StateError, match="keep_items"):
        list(history.items(tmp_path, "books", 1))


async def test_a_new_run_that_was_not_begun_is_forgotten(tmp_path: Path) -> None:
    await crawl(tmp_path, index_every=1)
    store = SqliteStore(tmp_path)
    opening = await store.open(START)

    await store.close(0.0, is_begun=False)

    assert opening.run == 2
    runs = await anyio.to_thread.run_sync(history.runs, tmp_path, "books")
    assert [run.number for run in runs] == [1]
    assert not await anyio.Path(tmp_path / "books.runs" / "2.db").exists()


async def test_a_resumed_run_is_kept_also_where_it_was_not_begun(
    tmp_path: Path,
) -> None:
    first, second = SqliteStore(tmp_path), SqliteStore(tmp_path)
    await first.open(START)
    await first.close(0.0)
    await second.open(START)

    await second.close(0.0, is_begun=False)

    runs = await anyio.to_thread.run_sync(history.runs, tmp_path, "books")
    assert [run.number for run in runs] == [1]
