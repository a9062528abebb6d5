"""Two queues: hosts that may receive a request, in rank order; and waiting hosts, by
due time. No I/O, no clock.

Records in both queues may be outdated; the caller checks each record. In the common
case both queues are first in, first out, and an operation costs the same at any length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from math import frexp
from typing import Generic, TypeVar

T = TypeVar("T")


class RankedFifo(Generic[T]):
    """A queue of items by rank: the lowest rank is first, and items of equal rank are
    first in, first out."""

    def __init__(self) -> None:
        self._lines: dict[int, deque[tuple[int, T]]] = {}
        self._ranks: list[int] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, rank: int, stamp: int, item: T) -> None:
        line = self._lines.get(rank)
        if line is None:
            line = self._lines[rank] = deque()
            heappush(self._ranks, rank)
        line.append((stamp, item))
        self._length += 1

    def first(self) -> tuple[int, T] | None:
        """Return the stamp (the number that `push` got) and the item of the next
        record; None if the queue is empty."""
        while self._ranks:
            line = self._lines[self._ranks[0]]
            if line:
                return line[0]
            del self._lines[heappop(self._ranks)]
        return None

    def first_place(self) -> tuple[int, int] | None:
        """Return the rank and the stamp (the number that `push` got) of the next
        record; None if the queue is empty."""
        record = self.first()
        return None if record is None else (self._ranks[0], record[0])

    def drop_first(self) -> None:
        """Remove the first record."""
        self._lines[self._ranks[0]].popleft()
        self._length -= 1

    def tidy(self, is_valid: Callable[[int, T], bool]) -> None:
        """Remove the outdated records: those for which `is_valid(stamp, item)` is
        False."""
        for line in self._lines.values():
            kept = [record for record in line if is_valid(*record)]
            self._length -= len(line) - len(kept)
            line.clear()
            line.extend(kept)


class DueQueue(Generic[T]):
    """A queue of items by time. Items that wait for a similar number of seconds share a
    FIFO queue; the others are in a heap."""

    def __init__(self) -> None:
        self._lines: dict[int, deque[tuple[float, int, T]]] = {}
        self._heap: list[tuple[float, int, T]] = []
        self._tick = 0

    def push(self, time: float, item: T, wait: float | None = None) -> None:
        """Add an item that is due at `time`. If many items wait for a similar number of
        seconds, pass these seconds as `wait`."""
        self._tick += 1
        record = time, self._tick, item
        if wait is None:
            heappush(self._heap, record)
            return
        length = frexp(wait)[1]
        line = self._lines.get(length)
        if line is None:
            line = self._lines[length] = deque()
        if line and line[-1][0] > time:
            heappush(self._heap, record)
        else:
            line.append(record)

    def first(self) -> tuple[float, int, T] | None:
        """Return the earliest record: its time, a serial number and its item; None if
        the queue is empty."""
        earliest = self._heap[0] if self._heap else None
        for line in self._lines.values():
            if line and (earliest is None or line[0] < earliest):
                earliest = line[0]
        return earliest

    def drop(self, record: tuple[float, int, T]) -> None:
        """Remove the record that `first` returned."""
        if self._heap and self._heap[0] is record:
            heappop(self._heap)
            return
        for length, line in self._lines.items():
            if line and line[0] is record:
                line.popleft()
                if not line:
                    del self._lines[length]
                return
