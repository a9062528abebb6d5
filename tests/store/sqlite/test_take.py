"""The best pending pages of a host, from the indexes and the tail."""

from __future__ import annotations

from pathlib import Path

from tests.store.sqlite.opened import HOST, opened, urls_of
from tests.store.values import done, entry, found


async def test_entries_are_taken_in_order_of_rank(
    tmp_path: Path, index_every: int
) -> None:
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


async def test_an_unknown_host_has_no_entries(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        assert await store.take("nobody.example", 5, (), 0.0) == []


async def test_finished_pages_are_skipped(tmp_path: Path) -> None:
    pages = [entry(str(number)) for number in range(6)]
    async with opened(tmp_path, index_every=6) as (store, _):
        await store.commit([found(*pages)])  # all six are in the index now
        await store.commit([done(page) for page in pages[:3]])
        first = await store.take(HOST, 2, (), 0.0)
        second = await store.take(HOST, 2, (), 0.0)

    assert urls_of([*first]) == ["3", "4"]
    assert urls_of([*second]) == ["3", "4"]
