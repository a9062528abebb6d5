"""The time limit of a callback, which is paused while the callback waits for a response
of the spider's `fetch`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class CallbackClock:
    """Pauses the time limit of one callback while it waits for `fetch`. The limit may
    also be set after the callback has begun to wait."""

    def __init__(self) -> None:
        self._limit: asyncio.Timeout | None = None
        self._waits = 0
        self._left = 0.0

    @contextmanager
    def keeping(self, limit: asyncio.Timeout) -> Iterator[None]:
        """Pause `limit`, the time limit of the callback, together with this clock while
        the `with` block runs."""
        self._limit = limit
        if self._waits:
            self._stop()
        try:
            yield
        finally:
            self._limit = None

    @property
    def is_stopped(self) -> bool:
        """Whether the callback's time limit is paused."""
        return self._waits > 0

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Pause the callback's time limit while the `with` block runs."""
        self._waits += 1
        if self._waits == 1:
            self._stop()
        try:
            yield
        finally:
            self._waits -= 1
            if not self._waits:
                self._go_on()

    def _stop(self) -> None:
        limit = self._limit
        if limit is None or limit.expired():
            return
        when = limit.when()
        if when is not None:
            self._left = when - asyncio.get_running_loop().time()
            limit.reschedule(None)

    def _go_on(self) -> None:
        limit = self._limit
        if limit is not None and not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time() + self._left)
