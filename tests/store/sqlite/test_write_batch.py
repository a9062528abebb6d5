"""A failed transaction leaves nothing, so that it can be repeated."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.errors import StoreError
from crawler.stats import Counters
from crawler.store.base import (
    Item,
    Outcome,
)
from tests.store.sqlite.opened import HOST, opened
from tests.store.values import entry, found


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
async def test_a_commit_on_a_full_disk_can_be_repeated(
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


async def test_a_commit_while_another_program_writes_can_be_repeated(
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
