"""Finds and names the spider's code that blocks the event loop."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from types import CodeType, FrameType, TracebackType

import anyio.to_thread
import msgspec

from crawler.run.user_code import is_of_crawler, is_users, place_of

logger = logging.getLogger(__name__)

#: The advice for code that blocks the event loop.
BLOCKING = "move blocking work into `await anyio.to_thread.run_sync(...)`"
#: A function that has blocked the event loop this many times is named in the log.
OFTEN = 3


class Blocking(msgspec.Struct):
    """A function of the spider that blocked the event loop: how often, and for how long
    in total.

    Only blocks that are longer than the watchdog's `patience` count.
    """

    place: str
    times: int = 0
    seconds: float = 0.0
    is_named: bool = False


class Watchdog:
    """Checks in a thread that the event loop responds every `beat` seconds.

    `async with Watchdog() as watchdog:`. If the loop does not respond, the thread looks
    at the code that the loop runs. A call that runs for `patience` seconds blocks the
    loop. The log names each such function once: after its third such call, or as soon
    as one call lasts `longest` seconds.
    """

    def __init__(
        self, *, patience: float = 0.25, longest: float = 5.0, beat: float = 0.1
    ) -> None:
        self._patience = patience
        self._longest = longest
        self._beat = beat
        #: Seconds between two checks of the call that the loop is running.
        self._step = patience / 5
        self._stop = threading.Event()
        self._answered = threading.Event()
        self._found: dict[tuple[CodeType, CodeType], Blocking] = {}

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

    @property
    def named_seconds(self) -> dict[str, float]:
        """Return how many seconds each function that the log named as blocking has
        blocked the event loop, the longest first."""
        named = [each for each in list(self._found.values()) if each.is_named]
        named.sort(key=lambda each: -each.seconds)
        return {each.place: round(each.seconds, 1) for each in named}

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        while not self._stop.wait(self._beat):
            self._answered.clear()
            asked = time.monotonic()
            try:
                loop.call_soon_threadsafe(self._answered.set)
            except RuntimeError:
                return  # the event loop is closed
            if not self._answered.wait(self._step):
                self._follow(thread, asked)

    def _follow(self, thread: int, asked: float) -> None:
        """Watch the calls that the event loop runs, until it responds, and record the
        long calls."""
        running, blocking = None, None
        seen = began = asked
        while True:
            now = time.monotonic()
            frame = _user_frame(thread)
            call = None if frame is None else _callback_of(frame)
            if call is not running:
                # If the call held the global interpreter lock, this thread could not
                # run, and sees the call too late. So count from the last check.
                began = min(now, seen + self._step)
                blocking, running = None, call
            if frame is not None and call is not None and now - began >= self._patience:
                if blocking is None:
                    blocking = self._blocking(call, frame)
                    blocking.times += 1
                    seen = began
                blocking.seconds += now - seen
                self._judge(blocking, now - began)
            seen = now
            if self._answered.wait(self._step):
                return

    def _blocking(self, call: FrameType, frame: FrameType) -> Blocking:
        place = place_of(frame.f_code, frame.f_lineno)
        if call is not frame:
            place += f" for {place_of(call.f_code, call.f_lineno)}"
        return self._found.setdefault((call.f_code, frame.f_code), Blocking(place))

    def _judge(self, blocking: Blocking, seconds: float) -> None:
        if blocking.is_named:
            return
        if seconds >= self._longest:
            how = f"for {self._longest:g} s"
        elif blocking.times >= OFTEN:
            how = f"{blocking.times} times"
        else:
            return
        blocking.is_named = True
        logger.warning(
            "%s has blocked all other work of the crawl %s; %s",
            blocking.place,
            how,
            BLOCKING,
        )


def _user_frame(thread: int) -> FrameType | None:
    """Return the innermost frame of the spider in the code that the event loop runs;
    None if the loop runs no spider code."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - no other way
    while frame is not None and not is_users(frame):
        # A frame above the event loop belongs to the script that started the crawl.
        frame = None if _is_of_loop(frame) else frame.f_back
    return frame


def _callback_of(frame: FrameType) -> FrameType:
    """Return the outermost frame of the spider above `frame`: the function that the
    crawler called."""
    callback, outer = frame, frame.f_back
    while outer is not None and not (is_of_crawler(outer) or _is_of_loop(outer)):
        if is_users(outer):
            callback = outer
        outer = outer.f_back
    return callback


def _is_of_loop(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") in _LOOP


_LOOP = ("asyncio.events", "asyncio.base_events", "asyncio.runners")
