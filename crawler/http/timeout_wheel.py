"""One coarse timer for all timeouts of a transport.

A timer or cancel scope for each read costs more than the read. Checking all due times
ten times a second costs almost nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

__all__ = ["NEVER", "TimeoutWheel", "Watched"]

NEVER = float("inf")

_INTERVAL = 0.1
#: Maximum number of seconds by which one step moves the clock. While the process does
#: not run (stopped, swapped out, a blocking callback), responses wait in the socket's
#: buffer, so this time must not cause timeouts.
_LONGEST_STEP = 1.0


class Timer(Protocol):
    """A scheduled call of an event loop, which can be cancelled."""

    def cancel(self) -> None: ...


class LoopClock(Protocol):
    """The methods of an event loop that concern time."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer: ...


class Watched(Protocol):
    """An object whose due time the wheel checks."""

    #: The time at which `expire` is called, on the clock of the wheel.
    due: float

    def expire(self, now: float) -> None: ...


class TimeoutWheel:
    """A clock that moves in steps, and calls `expire` of the watched objects that are
    due.

    `sweep` is a function that is called once a second. The clock stops once no object
    is watched and `sweep` has returned False.
    """

    def __init__(
        self,
        sweep: Callable[[float], bool],
        running_loop: Callable[[], LoopClock] = asyncio.get_running_loop,
    ) -> None:
        #: The clock's time in seconds, as of its last step.
        self.now = 0.0
        self._sweep = sweep
        self._running_loop = running_loop
        self._next_sweep = 0.0
        #: Whether the clock must run for the next call of `sweep`, although no object
        #: is watched.
        self._is_swept_for = True
        self._watched: set[Watched] = set()
        self._timer: Timer | None = None
        self._loop: LoopClock | None = None
        self._stepped_at = 0.0

    def watch(self, thing: Watched) -> None:
        """Check the object's due time until it is unwatched."""
        self._watched.add(thing)
        if self._timer is None:
            self.start()

    def unwatch(self, thing: Watched) -> None:
        self._watched.discard(thing)

    def start(self) -> None:
        """Start the clock, if it is not running."""
        self._is_swept_for = True
        if self._timer is None:
            self._loop = self._running_loop()
            self._stepped_at = self._loop.time()
            self._timer = self._loop.call_later(_INTERVAL, self._step)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _step(self) -> None:
        assert self._loop is not None
        time = self._loop.time()
        self.now += min(time - self._stepped_at, _LONGEST_STEP)
        self._stepped_at = time
        now = self.now
        for thing in [thing for thing in self._watched if thing.due <= now]:
            thing.expire(now)
        go_on = bool(self._watched)
        if now >= self._next_sweep:
            self._next_sweep = now + 1.0
            self._is_swept_for = self._sweep(now)
        if go_on or self._is_swept_for:
            self._timer = self._loop.call_later(_INTERVAL, self._step)
        else:
            self._timer = None
