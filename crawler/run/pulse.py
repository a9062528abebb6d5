"""Writes the status of a running crawl each second, for other processes and for the
display in a terminal."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

import anyio

from crawler.errors import StateError, StoreError
from crawler.run.observers import Progress
from crawler.stats import Counters, FinishReason
from crawler.store.base import Store
from crawler.store.repeats import load
from crawler.store.status import Status

logger = logging.getLogger(__name__)

#: Number of seconds over which rates (such as pages per second) are averaged, so that a
#: slow-down is visible.
WINDOW = 10.0
#: Maximum number of paused hosts in a status.
MAX_RESTING = 5
#: Seconds between two writes of the status.
BEAT = 1.0


class PulseSource(Protocol):
    """What `Pulse` reads of a running crawl; the crawl's `Engine` has these fields."""

    progress: Progress

    @property
    def busy_hosts(self) -> int: ...


class Pulse:
    """Collects the status of a running crawl.

    `clock` is the wall clock, and `seconds` returns the duration of the run. Rates use
    the argument `now`, which must not decrease from call to call.
    """

    def __init__(
        self,
        running: PulseSource,
        clock: Callable[[], float],
        seconds: Callable[[], float],
        connections: Callable[[], int] = lambda: 0,
        own: Callable[[], Counters] | None = None,
    ) -> None:
        """`own` returns the counts of this process, for its rates; None: the counts of
        the run, because this process is the only one."""
        self._running = running
        self._clock = clock
        self._seconds = seconds
        self._connections = connections
        self._own = own or (lambda: running.progress.counters)
        self._seen: deque[tuple[float, int, int]] = deque()
        self._here = (os.getpid(), socket.gethostname())

    def status(self, now: float, end: str = "") -> Status:
        """Return the current status of the run."""
        running, seen = self._running, self._seen
        progress = running.progress
        counters = self._own()
        pages, received = counters.pages, counters.bytes
        seen.append((now, pages, received))
        while now - seen[0][0] > WINDOW and now - seen[1][0] >= WINDOW / 2:
            seen.popleft()
        began, pages_then, received_then = seen[0]
        passed = now - began
        process, machine = self._here
        wall = self._clock()
        return Status(
            time=wall,
            seconds=self._seconds(),
            rate=(pages - pages_then) / passed if passed else 0.0,
            byte_rate=(received - received_then) / passed if passed else 0.0,
            hosts=len(progress.hosts),
            busy_hosts=running.busy_hosts,
            connections=self._connections(),
            resting=progress.resting.first(MAX_RESTING, wall),
            process=process,
            machine=machine,
            end=end,
        )


class StatusNotes:
    """Writes the run's status to its store each second while the `async with` block
    runs.

    At the end it writes why the process leaves the run. A store in memory gets no
    status, because no other process can read that store.
    """

    def __init__(self, pulse: Pulse, store: Store) -> None:
        self._pulse = pulse
        self._store = store
        self._tasks = anyio.create_task_group()
        #: Why the process leaves the run.
        self.end = str(FinishReason.INTERRUPTED)

    async def __aenter__(self) -> StatusNotes:
        await self._tasks.__aenter__()
        self._tasks.start_soon(_load_for_failures)
        if self._store.is_durable:
            self._tasks.start_soon(self._note_each_second)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        if isinstance(error, Exception):
            self.end = str(FinishReason.CRASHED)
        try:
            if not isinstance(error, Exception):
                return await self._tasks.__aexit__(kind, error, trace)
            # Raise the error of the `async with` block itself, not the exception group
            # of the task group.
            await self._tasks.__aexit__(None, None, None)
        finally:
            if self._store.is_durable:
                with anyio.CancelScope(shield=True):
                    await self._note(self.end)
        return False

    async def _note_each_second(self) -> None:
        while True:
            await self._note()
            await anyio.sleep(BEAT)

    async def _note(self, end: str = "") -> None:
        """Write a status. A failed write does not affect the run."""
        status = self._pulse.status(time.monotonic(), end)
        try:
            await self._store.note(status)
        except (StoreError, StateError) as exc:
            logger.debug("Could not write the status of the run: %s", exc)


async def _load_for_failures() -> None:
    """Import the modules that handle a failure, shortly after the start of the crawl,
    because later the process may have too many files open to import them. A crawl of
    one page ends before this."""
    await anyio.sleep(BEAT)
    load()
