"""The store in memory: it keeps nothing."""

from __future__ import annotations

from crawler.store.memory import MemoryStore
from tests.store.values import START, done, entry, found


async def test_each_store_begins_its_own_run() -> None:
    first = MemoryStore()
    await first.open(START)
    await first.commit([found(entry("a"))])
    await first.close(1.0)

    second = MemoryStore()
    opening = await second.open(START)

    assert not second.is_durable
    assert (opening.run, opening.is_resumed, opening.hosts) == (1, False, {})
    assert await second.sink_positions("books") == []


async def test_released_items_are_forgotten() -> None:
    store, page = MemoryStore(), entry("a")
    await store.open(START)
    await store.commit([found(page), done(page, "x", "y", "z")])

    await store.release_items(2)

    assert [row.body for row in await store.items_after(0, 10)] == [b'"z"']
    assert [row.body for row in await store.items_after(2, 10)] == [b'"z"']
