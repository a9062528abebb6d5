"""A store for tests of sinks, and functions that fill it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crawler.pipelines import Run, encode
from crawler.sinks import Source
from crawler.store.base import Item, Outcome
from crawler.store.memory import MemoryStore

RUN = Run("books", 3, "books")


class KeptStore(MemoryStore):
    """Outlives an `Outputs`, as a database outlives a process."""

    def __init__(self) -> None:
        super().__init__()
        self.released = 0

    async def release_items(self, sequence: int) -> None:
        self.released = max(self.released, sequence)

    async def add(self, items: Iterable[Any]) -> int:
        """Commit items; the sequence of the last."""
        rows = [Item(encode(item), (), item) for item in items]
        return (await self.commit([Outcome(None, items=rows)])).sequence


def source_of(store: MemoryStore, name: str, *owned: Any) -> Source:
    return Source(store, name, RUN, lambda place: place in owned)
