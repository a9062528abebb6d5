"""Sinks for the program that runs the crawl: one collects the items in a list, one
passes them to a loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import anyio

from crawler.pipelines.items import decode
from crawler.sinks.base import Position, Sink, Source
from crawler.store.base import ItemRow


def value_of(row: ItemRow) -> Any:
    """Return the item as the spider yielded it; if an earlier process committed the
    item, return its decoded JSON."""
    return row.value if row.value is not None else decode(row.body)


class Collect(Sink):
    """Keeps every item of the run in `items`: the result of `crawl(Books).items`."""

    is_prompt = True

    def __init__(self) -> None:
        self.items: list[Any] = []

    async def open(self, source: Source) -> int:
        """Start from the run's first item, also when the run is resumed."""
        return 0

    async def write(self, rows: Sequence[ItemRow]) -> None:
        self.items += [value_of(row) for row in rows]

    async def save(self, sequence: int) -> None:
        return None


class Channel(Sink):
    """Passes items to an `async for` loop over this object, and waits while the loop
    takes none.

    An item counts as taken when the loop asks for the next item. A resumed run
    continues after the last taken item.
    """

    is_prompt = True

    def __init__(self, size: int = 100) -> None:
        self._size = size
        self._rows: deque[ItemRow] = deque()
        #: The number of the last item that `write` has received.
        self._put = 0
        #: The number of the last item that was passed to the caller's `async for` loop.
        self._handed = 0
        #: The number of the last item whose pass through that loop has ended.
        self._taken = 0
        self._changed = anyio.Event()
        self._is_closed = False
        self._is_left = False

    async def open(self, source: Source) -> int:
        position = await source.position()
        self._put = self._handed = self._taken = position.sequence if position else 0
        return self._taken

    async def write(self, rows: Sequence[ItemRow]) -> None:
        for row in rows:
            while len(self._rows) >= self._size and not self._is_left:
                await self._changed.wait()
            if not self._is_left and row.sequence > self._put:
                self._put = row.sequence
                self._rows.append(row)
                self._change()

    async def save(self, sequence: int) -> Position | None:
        return Position(self._taken)

    async def close(self) -> None:
        """Let the loop end after the items that are waiting, because no more items will
        follow."""
        self._is_closed = True
        self._change()

    def leave(self) -> None:
        """Drop all further items, because the loop has ended; otherwise the run would
        wait for the loop forever."""
        self._is_left = True
        self._rows.clear()
        self._change()

    def __aiter__(self) -> Channel:
        return self

    async def __anext__(self) -> Any:
        self._taken = self._handed
        while not self._rows:
            if self._is_closed or self._is_left:
                raise StopAsyncIteration
            await self._changed.wait()
        row = self._rows.popleft()
        self._handed = row.sequence
        self._change()
        return value_of(row)

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
