"""Failed pages of a finished run, put back to be tried again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest

from crawler.errors import JobLocked
from crawler.store.base import State
from crawler.store.sqlite.put_back import put_back
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore
from tests.store.sqlite.made_runs import crawled, failed
from tests.store.values import START, done

HOST = "books.example"


def test_failed_pages_are_put_back_by_status_and_by_reason(tmp_path: Path) -> None:
    crawled(
        tmp_path,
        failed("gone", "http_status", 404),
        failed("broken", "http_status", 500),
        failed("slow", "read_timeout"),
    )

    some = put_back(tmp_path, "books", statuses=[500], reasons=["read_timeout"])
    others = put_back(tmp_path, "books")

    assert (some, others) == (2, 1)


@pytest.mark.parametrize("index_every", [1, 10_000])
def test_failed_pages_are_put_back(tmp_path: Path, index_every: int) -> None:
    crawled(
        tmp_path,
        failed("gone", "http_status", 404),
        failed("slow", "read_timeout", 0, "early"),
        index_every=index_every,
    )

    count = put_back(tmp_path, "books", reasons=["read_timeout"])

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


def test_without_failed_pages_the_run_stays_finished(tmp_path: Path) -> None:
    crawled(tmp_path)

    assert put_back(tmp_path, "books") == 0

    assert SqliteReader(tmp_path).runs("books")[0].finished is not None


async def test_putting_back_needs_the_lock(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.open(START)

    with pytest.raises(JobLocked):
        await anyio.to_thread.run_sync(put_back, tmp_path, "books")

    await store.close(0.0)
