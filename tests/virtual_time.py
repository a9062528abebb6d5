"""An event loop whose time jumps: an hour of pauses passes in milliseconds.

    report, seconds = run_virtual(lambda: Crawl(Books(), transport=site).wait())

Rule: time stands still while code runs and while a thread works. Once nothing is ready,
it is the time of the next timer. No socket may be open: its peer lives in real time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

import anyio
from anyio.to_thread import current_default_thread_limiter

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: What the loop's clock and the wall clock show when a loop begins.
LOOP_START, WALL_START = 1_000.0, 1_800_000_000.0
#: A run that takes longer than this, in virtual seconds, does not end by itself.
LONGEST = 30 * 24 * 3600.0
#: A socket pair by which threads wake the loop: all that a virtual loop registers.
_OWN_SOCKETS = 1


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that jumps to its next timer instead of waiting for it."""

    def __init__(self) -> None:
        self._clock = _Clock(self._is_work_out)
        #: Calls that run in threads of the loop's executors.
        self._calls_out = 0
        #: anyio's threads that work for this loop, once it runs.
        self._limiter: anyio.CapacityLimiter | None = None
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def wall_clock(self) -> float:
        """Seconds since 1970 that go with the loop's time; threads may ask it, too."""
        return WALL_START + self._clock.now - LOOP_START

    def watch(self, limiter: anyio.CapacityLimiter) -> None:
        """Let time stand still while a thread of this limiter works."""
        self._limiter = limiter

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._calls_out += 1
        future.add_done_callback(self._call_ended)
        return future

    async def shutdown_default_executor(self, *timeout: float | None) -> None:
        self._calls_out += 1  # it waits for a thread that joins the others
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self._calls_out -= 1

    def _call_ended(self, _: asyncio.Future[Any]) -> None:
        self._calls_out -= 1

    def _is_work_out(self) -> bool:
        threads = self._limiter.borrowed_tokens if self._limiter is not None else 0
        return bool(self._calls_out or threads)


class _Clock(selectors.DefaultSelector):
    """The place where a loop waits: here it moves its time on instead."""

    def __init__(self, is_work_out: Callable[[], bool]) -> None:
        super().__init__()
        self.now = LOOP_START
        self._is_work_out = is_work_out

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        if len(self.get_map()) > _OWN_SOCKETS:
            raise RuntimeError("A socket is open, and its peer lives in real time")
        if timeout is None or self._is_work_out():
            return super().select(timeout)  # a thread wakes the loop, in real time
        self.now += timeout
        return []


def virtual_loop() -> VirtualLoop:
    """The virtual loop that runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def run_virtual(
    main: Callable[[], Awaitable[T]], *, longest: float = LONGEST
) -> tuple[T, float]:
    """Run `main` in a virtual loop; its result, and the virtual seconds that passed.

    TimeoutError after `longest` virtual seconds.
    """

    async def watched() -> tuple[T, float]:
        loop = virtual_loop()
        loop.watch(current_default_thread_limiter())
        async with asyncio.timeout(longest):
            result = await main()
        return result, loop.time() - LOOP_START

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(watched())
