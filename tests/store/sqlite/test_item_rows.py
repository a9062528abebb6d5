"""Items are stored once, and their keys hold over a restart."""

from __future__ import annotations

from pathlib import Path

from crawler.stats import Counters
from crawler.store.base import (
    Item,
    Outcome,
)
from tests.store.sqlite.opened import opened
from tests.store.values import entry, found, items


async def test_items_of_start_are_stored_once_over_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([Outcome(None, items=items("x", "y"))])

    async with opened(tmp_path) as (store, _):
        first = await store.commit([Outcome(None, items=items("x", "y"))])
        await store.commit([Outcome(None, items=items("z"), first_ordinal=2)])
        rows = await store.items_after(0, 10)

    assert first.counters == Counters(items=2)
    assert [row.body for row in rows] == [b'"x"', b'"y"', b'"z"']


async def test_item_keys_are_kept_over_a_restart(tmp_path: Path) -> None:
    page = entry("a")
    item = Item(b"1", (("duplicate:url", b"u"),))
    async with opened(tmp_path) as (store, _):
        await store.commit([Outcome(None, items=[item])])

    async with opened(tmp_path) as (store, _):
        committed = await store.commit([found(page), Outcome(page, items=[item])])

    assert committed.counters.dropped == {"duplicate:url": 1}
