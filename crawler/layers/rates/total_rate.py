"""The rate of the whole crawl: one turn at a time, spaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiolimiter import AsyncLimiter


class TotalRate:
    """Allows one turn after the other; whoever takes a turn resets `allows`."""

    def __init__(self, per_second: float, wake: Callable[[], None]) -> None:
        self._per_second = per_second
        self._limiter = AsyncLimiter(1, 1 / per_second)
        self._wanted = asyncio.Event()
        self._wake = wake
        #: Whether a turn may go now.
        self.allows = False

    def share(self, workers: int) -> None:
        """So many processes keep the rate together: each has an equal part."""
        self._limiter = AsyncLimiter(1, workers / self._per_second)

    def ask(self) -> None:
        """A turn is wanted: allow one as soon as the rate has room, then `wake`."""
        self._wanted.set()

    async def supply(self) -> None:
        """Run until cancelled: allow a turn for each time that one was asked for."""
        while True:
            await self._wanted.wait()
            await self._limiter.acquire()
            self._wanted.clear()
            self.allows = True
            self._wake()
