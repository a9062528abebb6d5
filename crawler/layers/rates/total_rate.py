"""The rate of the whole crawl: evenly spaced permissions ("turns") to send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiolimiter import AsyncLimiter


class TotalRate:
    """Sets `allows` for one request after the other; the code that sends the request
    resets it."""

    def __init__(self, per_second: float, wake: Callable[[], None]) -> None:
        self._per_second = per_second
        self._limiter = AsyncLimiter(1, 1 / per_second)
        self._wanted = asyncio.Event()
        self._wake = wake
        #: Whether a request may be sent now.
        self.allows = False

    def share(self, workers: int) -> None:
        """Share the rate equally among this many processes."""
        self._limiter = AsyncLimiter(1, workers / self._per_second)

    def ask(self) -> None:
        """Ask for a turn. Once the rate has room, `allows` is set and `wake` called."""
        self._wanted.set()

    async def supply(self) -> None:
        """Allow one turn for each call of `ask`; runs until cancelled."""
        while True:
            await self._wanted.wait()
            await self._limiter.acquire()
            self._wanted.clear()
            self.allows = True
            self._wake()
