"""From finished visits to the store: first in, first out, many in one transaction.

Rule: no timer. A group is what came in while the last one was written. Workers go on
once their outcome is queued, and wait when too much is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from crawler.store.base import Committed, Outcome

MAX_WAITING = 500
MAX_WAITING_BYTES = 16 * 1024**2
MAX_GROUP = 250
#: About what a new request takes in memory.
REQUEST_BYTES = 600

Commit = Callable[[Sequence[Outcome]], Awaitable[Committed]]
Landed = Callable[[Sequence[Outcome], Committed], None]


class Committer:
    """Queues outcomes and lands them in groups by `commit`; then tells `landed`."""

    def __init__(self, commit: Commit, landed: Landed) -> None:
        self._commit = commit
        self._landed = landed
        self._waiting: deque[tuple[Outcome, int]] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._room = asyncio.Event()
        self._idle.set()
        self._room.set()

    async def put(self, outcome: Outcome) -> None:
        """Queue an outcome; returns when there is room for it."""
        while not self._room.is_set():
            await self._room.wait()
        size = _size(outcome)
        self._waiting.append((outcome, size))
        self._bytes += size
        if len(self._waiting) >= MAX_WAITING or self._bytes >= MAX_WAITING_BYTES:
            self._room.clear()
        self._idle.clear()
        self._arrived.set()

    async def run(self) -> None:
        """Land what is queued, group after group, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                count = min(len(self._waiting), MAX_GROUP)
                taken = [self._waiting.popleft() for _ in range(count)]
                group = [outcome for outcome, _ in taken]
                committed = await self._commit(group)
                self._bytes -= sum(size for _, size in taken)
                self._room.set()
                self._landed(group, committed)
            self._idle.set()

    async def drain(self) -> None:
        """Return when all that was queued has landed."""
        await self._idle.wait()


def _size(outcome: Outcome) -> int:
    size = REQUEST_BYTES * len(outcome.requests)
    for item in outcome.items:
        size += len(item.body)
    return size
