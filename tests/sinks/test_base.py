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


async def test_a_position_comes_back_as_it_was_recorded() -> None:
    source = source_of(KeptStore(), "Own")
    position = Position(7, 8, "publishing", "/o", "jsonl", 9, 10)

    assert await source.position() is None
    await source.record(position)
    assert await source.position() == position


async def test_a_sink_goes_on_behind_its_position() -> None:
    source, sink = source_of(KeptStore(), "Own"), Own()

    assert await sink.open(source) == 0
    assert await sink.save(7) == Position(7)
    await source.record(Position(7))
    assert await sink.open(source) == 7
    assert sink.name == "Own"


async def test_all_rows_come_in_batches_up_to_the_last() -> None:
    store = KeptStore()
    await store.add([{"n": n} for n in range(2500)])

    batches = [batch async for batch in source_of(store, "Own").all_rows(2400)]

    assert [row.sequence for batch in batches for row in batch] == list(range(1, 2401))
    assert len(batches) == 3


async def test_rows_that_the_store_has_let_go_are_never_passed_over() -> None:
    class Forgetful(KeptStore):
        async def release_items(self, sequence: int) -> None:
            await MemoryStore.release_items(self, sequence)

    store = Forgetful()
    await store.add([{"n": 1}, {"n": 2}])
    await store.release_items(1)

    with pytest.raises(SinkError, match="item 1 of the run is no longer stored"):
        async for _ in source_of(store, "Own").all_rows(2):
            pass


def test_the_places_that_a_job_has_filled_are_on_record() -> None:
    assert places_of('{"sequence":3}') == []
    assert places_of('{"target":"/o/a","kept":"/o/b"}') == ["/o/a", "/o/b"]
