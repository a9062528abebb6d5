"""What only the durable store does: it keeps everything for the next process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from crawler.stats import Counters
from crawler.store.base import (
    Facts,
    Outcome,
    Rejected,
)
from tests.store.sqlite.opened import HOST, opened, urls_of
from tests.store.values import START, done, entry, found


async def test_an_unfinished_run_is_resumed_unchanged(tmp_path: Path) -> None:
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


async def test_a_finished_run_is_followed_by_a_new_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([found(entry("a"))])
        await store.finish("finished", b"{}")

    async with opened(tmp_path) as (store, opening):
        assert not opening.is_resumed
        assert opening.run == 2
        committed = await store.commit([found(entry("a"))])
        assert committed.counters == Counters(found=1)


async def test_a_cancelled_commit_is_written_completely(tmp_path: Path) -> None:
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
