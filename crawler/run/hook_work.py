"""What a hook of the spider works with: its time, and `self.fetch`.

`prepare` and the logins of sessions run inside the visit of the request that they are
called for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from crawler.run.callback_clock import CallbackClock
from crawler.run.callbacks import Callbacks
from crawler.run.own_fetches import OwnFetches
from crawler.run.visit import visited
from crawler.spider import at_work


class HookWork:
    """Lets hooks run, each for `seconds` at most; `fetches` comes with the engine."""

    def __init__(self, callbacks: Callbacks, seconds: float) -> None:
        self._callbacks = callbacks
        self._seconds = seconds
        self.fetches: OwnFetches | None = None

    @asynccontextmanager
    async def within(self) -> AsyncIterator[None]:
        """For a while this task runs a hook."""
        assert self.fetches is not None
        clock, entry = CallbackClock(), visited.get()
        work = self.fetches.for_hook(entry, clock)
        try:
            async with asyncio.timeout(self._seconds) as limit:
                with clock.keeping(limit), at_work.within(work):
                    yield
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise TimeoutError(f"it took over {self._seconds:g} s") from exc
        finally:
            if entry is not None and work.made.count:
                self._callbacks.note_fetches(entry.fingerprint, work.made)
