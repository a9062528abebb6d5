from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest

from crawler.errors import StateError
from crawler.stats import Counters
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore
from tests.store.sqlite.made_runs import crawl, crawled
from tests.store.values import START, entry

HOST = "books.example"


def test_jobs_and_their_runs_are_listed(tmp_path: Path) -> None:
    crawled(tmp_path)

    (run,) = SqliteReader(tmp_path).runs("books")

    assert SqliteReader(tmp_path).jobs() == ["books"]
    assert (run.number, run.reason, run.seconds) == (1, "finished", 7.5)
    assert run.counters == Counters(found=2, pages=2, items=3)
    assert run.finished is not None


def test_the_items_of_one_page_are_found(tmp_path: Path) -> None:
    crawled(tmp_path)

    rows = SqliteReader(tmp_path).run("books").page_items(entry("a").fingerprint, 5)

    assert [row.body for row in rows] == [b'"x"', b'"y"']


def test_a_report_is_stored(tmp_path: Path) -> None:
    crawled(tmp_path)

    assert SqliteReader(tmp_path).report("books") == b'{"pages": 2}'
    with pytest.raises(StateError, match="no run 9"):
        SqliteReader(tmp_path).report("books", 9)


def test_an_error_about_an_unknown_job_lists_the_known_jobs(tmp_path: Path) -> None:
    crawled(tmp_path)

    with pytest.raises(StateError, match=r"no job 'films'.*the known jobs are books"):
        SqliteReader(tmp_path).runs("films")


def test_a_run_that_is_no_longer_kept_is_an_error(tmp_path: Path) -> None:
    async def finish() -> None:
        store = SqliteStore(tmp_path, keep_items=1)
        await store.open(START)
        await store.finish("finished", b"{}")
        await store.close(1.0)

    asyncio.run(finish())
    asyncio.run(finish())

    with pytest.raises(StateError, match="keep_items"):
        list(SqliteReader(tmp_path).run("books", 1).items())


async def test_a_new_run_that_did_not_begin_is_deleted(tmp_path: Path) -> None:
    await crawl(tmp_path, index_every=1)
    store = SqliteStore(tmp_path)
    opening = await store.open(START)

    await store.close(0.0, is_begun=False)

    assert opening.run == 2
    runs = await anyio.to_thread.run_sync(SqliteReader(tmp_path).runs, "books")
    assert [run.number for run in runs] == [1]
    assert not await anyio.Path(tmp_path / "books.runs" / "2.db").exists()


async def test_a_resumed_run_that_did_not_begin_is_kept(
    tmp_path: Path,
) -> None:
    first, second = SqliteStore(tmp_path), SqliteStore(tmp_path)
    await first.open(START)
    await first.close(0.0)
    await second.open(START)

    await second.close(0.0, is_begun=False)

    runs = await anyio.to_thread.run_sync(SqliteReader(tmp_path).runs, "books")
    assert [run.number for run in runs] == [1]
