"""Outcomes find their pages after these were moved."""

from __future__ import annotations

from pathlib import Path

from crawler.stats import Counters
from tests.store.sqlite.opened import HOST, opened, urls_of
from tests.store.values import done, entry, found


async def test_a_page_with_a_lowered_depth_is_found_at_its_new_position(
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
