"""Limits the request rate of the whole crawl: evenly spaced permissions to send one
request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiolimiter import AsyncLimiter


class TotalRate:
    """Sets `allows` to True whenever the next request may be sent; the code that sends
    the request sets it to False."""

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
        """Ask to send one request. Once the rate allows it, `allows` becomes True and
        `wake` is called."""
        self._wanted.set()

    async def supply(self) -> None:
        """Allow one request for each call of `ask`, evenly spaced, until cancelled."""
        while True:
            await self._wanted.wait()
            await self._limiter.acquire()
            self._wanted.clear()
            self.allows = True
            self._wake()
