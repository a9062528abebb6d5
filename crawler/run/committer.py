"""Writes outcomes to the store, in order, many in one transaction. An outcome is the
result of fetching one page: its items, links and state.

Rule: the outcomes of one transaction are a group. A group has the outcomes that arrived
during the previous write. It waits a moment for more outcomes, unless a worker waits
for the commit. Each group costs one wait for the disk. A worker continues when its
outcome is queued, and waits only while the queue is full.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from crawler.store.base import Committed, Outcome

MAX_WAITING = 500
MAX_WAITING_BYTES = 16 * 1024**2
MAX_GROUP = 250
#: A group of outcomes is committed when it has this many outcomes, or after a wait of
#: this many seconds.
ENOUGH = 100
GATHER_SECONDS = 0.025
#: Approximate size in bytes of a new request, and of a skipped link, without their
#: URLs.
REQUEST_BYTES, LEFT_OUT_BYTES = 500, 200

Commit = Callable[[Sequence[Outcome]], Awaitable[Committed]]
Landed = Callable[[Sequence[Outcome], Committed], None]


class Committer:
    """Queues the outcomes of pages, commits them in groups by `commit`, and then calls
    `landed` with the committed group.

    `may_wait` returns whether every worker has other work, so that no worker waits for
    the queued outcomes. Call `hurry` when this changes.
    """

    def __init__(
        self,
        commit: Commit,
        landed: Landed,
        may_wait: Callable[[], bool],
        *,
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        self._commit = commit
        self._landed = landed
        self._may_wait = may_wait
        self._gather_seconds = gather_seconds
        self._waiting: deque[tuple[Outcome, int]] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._room = asyncio.Event()
        self._hurried = asyncio.Event()
        self._is_draining = False
        self._idle.set()
        self._room.set()

    async def put(self, outcome: Outcome) -> None:
        """Queue an outcome; wait while the queue is full."""
        while not self._room.is_set():
            await self._room.wait()
        size = _size(outcome)
        self._waiting.append((outcome, size))
        self._bytes += size
        if len(self._waiting) >= MAX_WAITING or self._bytes >= MAX_WAITING_BYTES:
            self._room.clear()
        if self._is_enough:
            self._hurried.set()
        self._idle.clear()
        self._arrived.set()

    async def run(self) -> None:
        """Commit queued outcomes, group after group, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._gather()
                count = min(len(self._waiting), MAX_GROUP)
                taken = [self._waiting.popleft() for _ in range(count)]
                group = [outcome for outcome, _ in taken]
                committed = await self._commit(group)
                self._bytes -= sum(size for _, size in taken)
                self._room.set()
                self._landed(group, committed)
            self._idle.set()

    def hurry(self) -> None:
        """Commit the queued outcomes now, because a worker waits for them."""
        self._hurried.set()

    async def drain(self) -> None:
        """Wait until all queued outcomes are committed; the caller adds no more."""
        self._is_draining = True
        self._hurried.set()
        await self._idle.wait()

    @property
    def _is_enough(self) -> bool:
        """Whether a group is large enough to commit now."""
        return len(self._waiting) >= ENOUGH or not self._room.is_set()

    async def _gather(self) -> None:
        """Wait a moment for more outcomes, unless a worker waits for the commit of the
        queued outcomes."""
        if self._is_draining or self._is_enough or not self._may_wait():
            return
        self._hurried.clear()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._gather_seconds, self._hurried.set)
        try:
            await self._hurried.wait()
        finally:
            timer.cancel()


def _size(outcome: Outcome) -> int:
    """Return the approximate size of an outcome in bytes."""
    size = 0
    for entry in outcome.requests:
        size += REQUEST_BYTES + len(entry.request.url)
    for link in outcome.rejected:
        size += LEFT_OUT_BYTES + len(link.url)
    for item in outcome.items:
        size += len(item.body)
    return size
