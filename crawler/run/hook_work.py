"""Runs the spider's hooks (`prepare` and logins) with a time limit. A hook may use the
spider's `fetch`.

`prepare` and the logins of sessions run before their request is sent, when the request
already has its turn (the right to be sent to the host now). While a hook waits, other
requests may use that turn, and another worker works instead. Otherwise a hook could
wait for its own turn or worker.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from crawler.run.callback_clock import CallbackClock
from crawler.run.callbacks import Callbacks, resumed
from crawler.run.own_fetches import OwnFetches
from crawler.run.visit import visited
from crawler.spider import at_work


class HookWork:
    """Runs a spider's hooks (`prepare` and logins), each for at most `seconds`.
    `fetches` sends the hooks' `fetch` requests; it is set before the crawl begins."""

    def __init__(self, callbacks: Callbacks, seconds: float) -> None:
        self._callbacks = callbacks
        self._seconds = seconds
        self.fetches: OwnFetches | None = None

    async def run(self, hook: Callable[[], Any], session: str = "") -> Any:
        """Run the hook (`prepare` or a login) and return its result, awaited if needed.
        `session` is the session of the requests that the hook makes with `fetch`."""
        assert self.fetches is not None
        entry, clock = visited.get(), CallbackClock()
        work = self.fetches.for_hook(entry, session, clock)
        with at_work.within(work):
            made = hook()
            if not inspect.isawaitable(made):
                return made
            try:
                return await self._rest(made, clock)
            finally:
                if entry is not None and work.made.count:
                    self._callbacks.note_fetches(entry.fingerprint, work.made)

    async def _rest(self, made: Any, clock: CallbackClock) -> Any:
        """Await a hook (`prepare` or a login). Only a hook that has to wait gets a time
        limit; meanwhile other requests use the turn of its request (the right to be
        sent to the host now)."""
        coroutine = made if inspect.iscoroutine(made) else _awaited(made)
        try:
            waits_for = coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        rest = resumed(coroutine, waits_for)
        try:
            async with self.lent(), asyncio.timeout(self._seconds) as limit:
                with clock.keeping(limit):
                    return await rest
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise TimeoutError(
                f"the hook (prepare() or a login) took over {self._seconds:g} s; make "
                "it faster, or raise crawl.callback_timeout"
            ) from exc

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """While the `async with` block runs, let other requests to the same host be
        sent instead of the request for which the hook runs."""
        entry, fetches = visited.get(), self.fetches
        if entry is None or fetches is None:
            yield
            return
        async with fetches.lent(entry):
            yield


async def _awaited(made: Any) -> Any:
    return await made
