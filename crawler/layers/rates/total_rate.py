"""The rate of the whole crawl: evenly spaced turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiolimiter import AsyncLimiter


class TotalRate:
    """Allows one turn after the other; the code that takes a turn resets `allows`."""

    def __init__(self, per_second: float, wake: Callable[[], None]) -> None:
        self._per_second = per_second
        self._limiter = AsyncLimiter(1, 1 / per_second)
        self._wanted = asyncio.Event()
        self._wake = wake
        #: Whether a turn may go now.
        self.allows = False

    def share(self, workers: int) -> None:
        """Share the rate equally among this many processes."""
        self._limiter = AsyncLimiter(1, workers / self._per_second)

    def ask(self) -> None:
        """Ask for a turn: as soon as the rate has room, it is allowed and `wake` is
        called."""
        self._wanted.set()

    async def supply(self) -> None:
        """Allow one turn for each call of `ask`; runs until cancelled."""
        while True:
            await self._wanted.wait()
            await self._limiter.acquire()
            self._wanted.clear()
            self.allows = True
            self._wake()
