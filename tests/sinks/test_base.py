from __future__ import annotations

from collections.abc import Sequence

import pytest

from crawler.errors import SinkError
from crawler.sinks import Position, Sink, places_of
from crawler.store.base import ItemRow
from crawler.store.memory import MemoryStore
from tests.sinks.kept import KeptStore, source_of


class Own(Sink):
    """All that a sink of one's own needs."""

    async def write(self, rows: Sequence[ItemRow]) -> None:
        return None


async def test_a_position_is_read_as_it_was_written() -> None:
    source = source_of(KeptStore(), "Own")
    position = Position(7, 8, "publishing", "/o", "jsonl", 9, 10)

    assert await source.position() is None
    await source.record(position)
    assert await source.position() == position


async def test_a_sink_continues_after_its_position() -> None:
    source, sink = source_of(KeptStore(), "Own"), Own()

    assert await sink.open(source) == 0
    assert await sink.save(7) == Position(7)
    await source.record(Position(7))
    assert await sink.open(source) == 7
    assert sink.name == "Own"


async def test_all_rows_come_in_batches() -> None:
    store = KeptStore()
    await store.add([{"n": n} for n in range(2500)])

    batches = [batch async for batch in source_of(store, "Own").all_rows(2400)]

    assert [row.sequence for batch in batches for row in batch] == list(range(1, 2401))
    assert len(batches) == 3


async def test_rows_that_the_store_no_longer_has_are_an_error() -> None:
    class Forgetful(KeptStore):
        async def release_items(self, sequence: int) -> None:
            await MemoryStore.release_items(self, sequence)

    store = Forgetful()
    await store.add([{"n": 1}, {"n": 2}])
    await store.release_items(1)

    with pytest.raises(SinkError, match="item 1 of the run is no longer stored"):
        async for _ in source_of(store, "Own").all_rows(2):
            pass


def test_the_outputs_that_a_job_has_published_are_recorded() -> None:
    assert places_of('{"sequence":3}') == []
    assert places_of('{"target":"/o/a","kept":"/o/b"}') == ["/o/a", "/o/b"]
