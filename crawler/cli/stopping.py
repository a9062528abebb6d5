"""Handles signals: the first lets pages in flight finish, the second stops the crawl
within seconds, the third ends the process at once."""

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

#: The signals that stop a crawl. A signal that was ignored when the process started,
#: as with nohup, stays ignored.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds within which a second signal counts as a copy of the first. `timeout`, for
#: example, sends its signal both to the process and to its process group.
ECHO = 0.1
#: Seconds that a crawl has to close its files after the second signal.
LAST_SECONDS = 3.0
#: Seconds after the second signal in which the process must end. After that something
#: counts as hanging, a database that does not respond for example, and the process is
#: ended.
END_SECONDS = 10.0
#: Seconds in which the event loop must handle the second signal. After that the loop
#: counts as blocked, by a callback for example, and the process is ended.
HELD_SECONDS = 0.5


class Stopper:
    """Receives signals while `listen` runs, and stops the engine of the crawl.

    The crawl must run inside the cancel scope `scope`; the second signal sets a
    deadline for this scope. `asked` is set at the first signal, for code that waits for
    a run to begin.
    """

    def __init__(self, say: Callable[[str], None], grace: float) -> None:
        self._say = say
        self._grace = grace
        #: The number of signals that the signal handler has counted, without copies.
        self._caught = 0
        #: The number of counted signals that the event loop has handled.
        self._heard = 0
        self._caught_at = -ECHO
        #: Messages to the thread that ends the process if the event loop is blocked. A
        #: signal handler may safely put a message into a SimpleQueue.
        self._news: SimpleQueue[str] = SimpleQueue()
        self._engine: Engine | None = None
        self.scope = anyio.CancelScope()
        self.asked = anyio.Event()

    def attend(self, engine: Engine) -> None:
        """Set the engine that a signal stops.

        If a signal has already arrived, stop the engine now.
        """
        self._engine = engine
        self.scope = anyio.CancelScope()
        if self._heard:
            self._stop()

    async def listen(self, *, task_status: TaskStatus[None]) -> None:
        """Receive signals until this task is cancelled."""
        wanted = [
            each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN
        ]
        with anyio.open_signal_receiver(*wanted) as signals:
            for each in wanted:
                # The event loop learns of a signal only when no callback blocks the
                # loop. This handler runs even then.
                signal.signal(each, self._catch)
            threading.Thread(target=self._end_held, daemon=True).start()
            task_status.started()
            try:
                async for number in signals:
                    self.hear(number)
            finally:
                self._news.put("over")

    def hear(self, number: signal.Signals) -> None:
        """Handle a signal in the event loop: print a line and stop the crawl.

        A copy of the previous signal is ignored.
        """
        if self._heard == self._caught:
            return  # a copy of the previous signal
        if not self._heard:
            self._say(
                f"{number.name}: no new pages; pages in flight have up to "
                f"{self._grace:g} s. Repeat the signal to stop at once"
                if self._engine is not None
                else f"{number.name}: the process ends"
            )
        self.asked.set()
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
        """Count a signal, even if the event loop is blocked. The third signal ends the
        process."""
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
        """End the process if the event loop does not handle the second signal in time,
        or if the crawl does not end in time after it.

        This runs in a thread, because a callback that sleeps or computes blocks the
        event loop.
        """
        if self._news.get() == "second":
            try:
                if self._news.get(timeout=HELD_SECONDS) == "heard":
                    self._news.get(timeout=END_SECONDS)
            except Empty:
                _end()


def _end() -> NoReturn:
    """End the process at once. The run can be resumed if its state is stored."""
    if os.isatty(2):
        # show the cursor, which the live display had hidden
        os.write(2, b"\x1b[?25h\n")
    os._exit(exits.STOPPED)
