"""Names the code that holds the event loop, while it holds it."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from types import TracebackType

import anyio.to_thread

from crawler.run.user_code import is_users

logger = logging.getLogger(__name__)


class Watchdog:
    """A thread that looks at the loop once a `beat`, and warns where it hangs.

    `async with Watchdog(patience=5):`. One warning for each place.
    """

    def __init__(self, *, patience: float = 5.0, beat: float = 1.0) -> None:
        self._patience = patience
        self._beat = beat
        self._stop = threading.Event()
        self._answered = threading.Event()
        self._named: set[str] = set()

    async def __aenter__(self) -> Watchdog:
        loop, thread = asyncio.get_running_loop(), threading.get_ident()
        self._thread = threading.Thread(
            target=self._watch, args=(loop, thread), name="crawl-watchdog", daemon=True
        )
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._answered.set()
        await anyio.to_thread.run_sync(self._thread.join)

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        while not self._stop.wait(self._beat):
            self._answered.clear()
            try:
                loop.call_soon_threadsafe(self._answered.set)
            except RuntimeError:
                return  # the loop is closed
            if not self._answered.wait(self._patience):
                self._name(thread)
                self._answered.wait()

    def _name(self, thread: int) -> None:
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - no other way
        while frame is not None and not is_users(frame):
            frame = frame.f_back
        if frame is None:
            return
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if place not in self._named:
            self._named.add(place)
            logger.warning(
                "%s in %s has held the crawl for %g s; move blocking work into "
                "`await anyio.to_thread.run_sync(...)`",
                frame.f_code.co_name, place, self._patience,
            )  # fmt: skip
