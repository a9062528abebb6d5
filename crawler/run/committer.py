"""Writes outcomes to the store, in order, many in one transaction. An outcome is the
result of fetching one page: its items, links and state.

The outcomes of one transaction are a group: those that arrived during the previous
write. A group waits a moment for more outcomes, unless a worker waits for the commit.
Each group costs one wait for the disk. A worker continues when its outcome is queued,
and waits only while the queue is full.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from crawler.store.base import Committed, Outcome

MAX_WAITING = 500
MAX_WAITING_BYTES = 16 * 1024**2
MAX_GROUP = 250
#: Outcomes (results of pages) are committed when this many are queued.
ENOUGH = 100
#: Queued outcomes (results of pages) are committed after at most this many seconds.
GATHER_SECONDS = 0.025
#: Approximate size in bytes of a new request, without its URL.
REQUEST_BYTES = 500
#: Approximate size in bytes of a skipped link, without its URL.
LEFT_OUT_BYTES = 200

Commit = Callable[[Sequence[Outcome]], Awaitable[Committed]]
Landed = Callable[[Sequence[Outcome], Committed], None]


class Committer:
    """Queues the outcomes (results) of pages, commits them in groups by `commit`, and
    then calls `landed` with the committed group.

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
        """Queue an outcome (the result of fetching one page); wait while the queue is
        full."""
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
        """Commit the queued outcomes (results of pages), group after group, until
        cancelled."""
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
        """Commit the queued outcomes (results of pages) now, because a worker waits for
        the commit."""
        self._hurried.set()

    async def drain(self) -> None:
        """Wait until all queued outcomes (results of pages) are committed; the caller
        must add no more."""
        self._is_draining = True
        self._hurried.set()
        await self._idle.wait()

    @property
    def _is_enough(self) -> bool:
        """Whether enough outcomes (results of pages) are queued to commit them now."""
        return len(self._waiting) >= ENOUGH or not self._room.is_set()

    async def _gather(self) -> None:
        """Wait a moment for more outcomes (results of pages), unless a worker waits for
        the commit of the queued outcomes."""
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
    """Return the approximate size in bytes of an outcome (the result of fetching one
    page)."""
    size = 0
    for entry in outcome.requests:
        size += REQUEST_BYTES + len(entry.request.url)
    for link in outcome.rejected:
        size += LEFT_OUT_BYTES + len(link.url)
    for item in outcome.items:
        size += len(item.body)
    return size
