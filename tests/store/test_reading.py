"""Reading a run while a crawl writes it."""

from __future__ import annotations

from pathlib import Path

import anyio

from crawler.stats import Counters
from crawler.store.base import Explanation, State
from crawler.store.reading import RunRecord
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore
from crawler.store.status import RestingHost, Status
from tests.store.values import START, done, entry, found


async def test_a_running_crawl_can_be_read(tmp_path: Path) -> None:
    page = entry("a")
    store = SqliteStore(tmp_path)
    await store.open(START)
    await store.commit([found(page, entry("b"))])
    await store.commit([done(page, "x")])

    def read() -> tuple[RunRecord, Explanation | None, list[bytes]]:
        bodies = [row.body for row in SqliteReader(tmp_path).run("books").items()]
        explained = SqliteReader(tmp_path).run("books").explain(page.fingerprint)
        return SqliteReader(tmp_path).runs("books")[0], explained, bodies

    run, explained, bodies = await anyio.to_thread.run_sync(read)
    await store.close(1.0)

    assert run.finished is None
    assert run.counters == Counters(found=2, pages=1, items=1)
    assert explained is not None
    assert explained.state is State.DONE
    assert bodies == [b'"x"']


def status_of(folder: Path) -> Status | None:
    return SqliteReader(folder).run("books").status()


async def test_a_status_can_be_read_after_the_next_commit(tmp_path: Path) -> None:
    rest = RestingHost("books.example", 99.0, "it does not answer")
    status = Status(time=1.0, rate=2.5, resting=(rest,))
    store = SqliteStore(tmp_path)
    await store.open(START)

    await store.note(Status(time=0.0))
    await store.note(status)
    before = await anyio.to_thread.run_sync(status_of, tmp_path)
    await store.commit([found(entry("a"))])
    after = await anyio.to_thread.run_sync(status_of, tmp_path)
    await store.close(1.0)

    assert before == Status(time=0.0)
    assert after == status


async def test_a_status_is_written_alone_if_no_commit_comes(
    tmp_path: Path,
) -> None:
    store = SqliteStore(tmp_path)
    await store.open(START)

    await store.note(Status(time=0.0))
    await store.note(Status(time=1.0))
    await store.note(Status(time=2.0))
    second = await anyio.to_thread.run_sync(status_of, tmp_path)
    await store.note(Status(time=3.0, end="interrupted"))
    last = await anyio.to_thread.run_sync(status_of, tmp_path)
    await store.close(1.0)

    assert second == Status(time=2.0)
    assert last == Status(time=3.0, end="interrupted")
