"""From finished visits to the store: first in, first out, many in one transaction.

Rule: a group is what came in while the last one was written, and a moment more, as long
as nobody has to wait for what it will bring: each group costs a wait for the disk.
Workers go on once their outcome is queued, and wait when too much is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from crawler.store.base import Committed, Outcome

MAX_WAITING = 500
MAX_WAITING_BYTES = 16 * 1024**2
MAX_GROUP = 250
#: A group waits for more up to so many outcomes, or seconds, at most.
ENOUGH = 100
GATHER_SECONDS = 0.025
#: About what a new request, and a link that was left out, take besides their URL.
REQUEST_BYTES, LEFT_OUT_BYTES = 500, 200

Commit = Callable[[Sequence[Outcome]], Awaitable[Committed]]
Landed = Callable[[Sequence[Outcome], Committed], None]


class Committer:
    """Queues outcomes and lands them in groups by `commit`; then tells `landed`.

    `may_wait` says whether everybody has enough to do without what is queued; once that
    has changed, `hurry` is to be called.
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
        """Queue an outcome; returns when there is room for it."""
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
        """Land what is queued, group after group, until cancelled."""
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
        """Land what is queued now: somebody waits for it."""
        self._hurried.set()

    async def drain(self) -> None:
        """Return when all that was queued has landed; no more will be."""
        self._is_draining = True
        self._hurried.set()
        await self._idle.wait()

    @property
    def _is_enough(self) -> bool:
        """Whether a group need not wait for more."""
        return len(self._waiting) >= ENOUGH or not self._room.is_set()

    async def _gather(self) -> None:
        """Let more come in, as long as nobody waits for what is here."""
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
    """About how many bytes an outcome holds; most have a handful of each."""
    size = 0
    for entry in outcome.requests:
        size += REQUEST_BYTES + len(entry.request.url)
    for link in outcome.rejected:
        size += LEFT_OUT_BYTES + len(link.url)
    for item in outcome.items:
        size += len(item.body)
    return size
