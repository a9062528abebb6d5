"""Signals: the first stops a crawl in order, the second at once, the third kills it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import FrameType
from typing import NoReturn

import anyio
from anyio.abc import TaskStatus

from crawler.cli import exits
from crawler.run.engine import Engine
from crawler.stats import FinishReason

#: What stands for "stop"; one that was ignored when we began (nohup) stays so.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds within which a signal is the same one once more: `timeout` and its like send
#: it to the process and to its group.
ECHO = 0.1
#: Seconds that closing may take after the second signal.
LAST_SECONDS = 3.0
#: Seconds that the loop has to hear of the second signal; a callback may hold it up.
HELD_SECONDS = 0.5


class Stopper:
    """Hears signals from `listen` on, and passes them to the engine once it is there.

    The crawl runs inside `scope`, which the second signal lets expire.
    """

    def __init__(self, say: Callable[[str], None], grace: float) -> None:
        self._say = say
        self._grace = grace
        #: Signals as the process caught them, without echoes; and those of them that
        #: the loop has heard.
        self._caught = self._heard = 0
        self._caught_at = -ECHO
        #: What happened, for the thread that ends the process where the loop is held.
        #: It may be put to by a signal's handler.
        self._news: SimpleQueue[str] = SimpleQueue()
        self._engine: Engine | None = None
        self.scope = anyio.CancelScope()

    def attend(self, engine: Engine) -> None:
        """There is something to stop now."""
        self._engine = engine
        if self._heard:
            self._stop()

    async def listen(self, *, task_status: TaskStatus[None]) -> None:
        """Hear signals until cancelled."""
        wanted = [
            each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN
        ]
        with anyio.open_signal_receiver(*wanted) as signals:
            for each in wanted:
                # The loop hears by another way; this one works where it is held up.
                signal.signal(each, self._catch)
            threading.Thread(target=self._end_held, daemon=True).start()
            task_status.started()
            try:
                async for number in signals:
                    self.hear(number)
            finally:
                self._news.put("over")

    def hear(self, number: signal.Signals) -> None:
        """The loop hears of a signal that `_catch` has counted."""
        if self._heard == self._caught:
            return  # an echo
        if not self._heard:
            self._say(
                f"{number.name}: no new pages; those under way have up to "
                f"{self._grace:g} s. Once more to stop at once"
            )
        self._heard = self._caught
        if self._heard > 1:
            self._news.put("heard")
            self._say("Stopping at once")
        self._stop()

    def _stop(self) -> None:
        if self._heard > 1:
            self.scope.deadline = anyio.current_time() + LAST_SECONDS
        if self._engine is not None:
            grace = 0.0 if self._heard > 1 else None
            self._engine.stop(FinishReason.INTERRUPTED, grace=grace)

    def _catch(self, number: int, frame: FrameType | None) -> None:
        """Count a signal when it comes, whatever the loop does."""
        now = time.monotonic()
        if now - self._caught_at < ECHO:
            return
        self._caught_at = now
        self._caught += 1
        if self._caught == 2:
            self._news.put("second")
        elif self._caught > 2:
            _end()

    def _end_held(self) -> None:
        """End the process if the loop does not hear of the second signal: in a thread,
        since a callback that sleeps or computes holds the loop."""
        if self._news.get() == "second":
            try:
                self._news.get(timeout=HELD_SECONDS)
            except Empty:
                _end()


def _end() -> NoReturn:
    """End the process as it is; a durable state can be resumed."""
    if os.isatty(2):
        os.write(2, b"\x1b[?25h\n")  # the live display hid the cursor
    os._exit(exits.STOPPED)
