"""One output of a run: its position, when it writes, how long it is retried.

Rule: an error is kept, never raised into the crawl; a call that failed is repeated with
the same rows.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

import anyio
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
)

from crawler.errors import ConfigError, SinkError
from crawler.sinks.base import BATCH, PipeClosed, Sink, Source, UnfitItem
from crawler.store.base import ItemRow

logger = logging.getLogger(__name__)

#: Bytes that are handed to an output before they are made durable.
SAVE_BYTES = 1 << 20

#: Errors that a retry cannot mend.
_FINAL = (
    PipeClosed,
    UnfitItem,
    ConfigError,
    TypeError,
    AttributeError,
    NameError,
    AssertionError,
    LookupError,
    ArithmeticError,
    ImportError,
    NotImplementedError,
)

_T = TypeVar("_T")

#: Bytes of items by which an output may lag before the crawl waits for it.
MAX_LAG_BYTES = 32 * 1024**2


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Exception) and not isinstance(error, _FINAL)


class SinkGroup(Protocol):
    """The outputs of the run, as one of them sees them."""

    @property
    def sequence(self) -> int:
        """The last committed item."""
        ...

    @property
    def hurried(self) -> anyio.Event:
        """Set when a failing output gets only one more try."""
        ...

    def note_progress(self) -> None:
        """An output fell behind, caught up, fails or works again."""
        ...

    def note_failure(self, error: SinkError) -> None:
        """An output has failed for good."""
        ...

    async def release(self) -> None:
        """An output has made more items durable."""
        ...


class SinkWriter:
    """Hands committed items to one output, and records its position.

    One object, because waiting, saving and retrying share its lock and its progress.
    """

    def __init__(
        self,
        crowd: SinkGroup,
        sink: Sink,
        source: Source,
        *,
        interval: float,
        max_lag: int,
        retrying: AsyncRetrying,
    ) -> None:
        self.sink = sink
        self.error: SinkError | None = None
        #: The last item that is durable there; 0 for an output that is written from
        #: the store at the end.
        self.saved = 0
        self._crowd = crowd
        self._source = source
        self._interval = interval
        self._max_lag = max_lag
        self._usual_sleep = retrying.sleep
        self._retrying = retrying.copy(
            retry=retry_if_exception(_may_pass),
            stop=lambda state: crowd.hurried.is_set() or bool(retrying.stop(state)),
            sleep=self._sleep,
            before_sleep=self._note_pause,
            reraise=True,
        )
        self._is_waiting = False
        self._is_closed = False
        self._given = 0
        #: About how many bytes an item has, of late.
        self._row_bytes = 0.0
        self._unsaved = 0
        self._saved_at = -interval
        self._lock = anyio.Lock()
        self._scope = anyio.CancelScope()
        self._dirty = anyio.Event()
        self._urgent = anyio.Event()

    @property
    def has_room(self) -> bool:
        return not self._is_waiting and (not self.sink.is_growing or self._is_near)

    @property
    def _is_near(self) -> bool:
        """Whether it lags by few items, and by few bytes as far as can be told."""
        lag = self._lag
        return lag <= self._max_lag and lag * self._row_bytes <= MAX_LAG_BYTES

    @property
    def _lag(self) -> int:
        return self._crowd.sequence - self._given

    async def open(self) -> None:
        self.sink.run = self._source.run
        self._given = await self.sink.open(self._source)
        self.saved = self._given if self.sink.is_growing else 0

    def wake(self) -> None:
        if not self.sink.is_growing:
            return
        if not self._dirty.is_set():
            self._dirty.set()
        if self._lag >= BATCH and not self._urgent.is_set():
            self._urgent.set()
        if not self._is_near:
            self._crowd.note_progress()

    async def follow(self) -> None:
        """Hand committed items to the output, until it fails or is cancelled."""
        with self._scope:
            while self.error is None:
                await self._anything_to_do()
                async with self._lock:
                    await self._guarded(self._catch_up)

    async def _anything_to_do(self) -> None:
        """Wait for items, and then for more of them until `interval` has passed."""
        due = self._saved_at + self._interval
        if self._unsaved:
            with anyio.CancelScope(deadline=due):
                await self._dirty.wait()
        else:
            await self._dirty.wait()
        if not self.sink.is_prompt:
            with anyio.CancelScope(deadline=due):
                await self._urgent.wait()

    async def settle(self) -> None:
        """Make everything that is committed durable there."""
        if self.sink.is_growing:
            async with self._lock:
                await self._guarded(self._catch_up)
                if self._unsaved:
                    await self._guarded(self._save)

    async def publish(self, aside: str = "") -> None:
        """Put the output in place, or beside an earlier one under this label."""
        async with self._lock:
            await self._guarded(partial(self._publish, aside))

    async def close(self) -> None:
        """Save what was handed over, if that works at once, and close."""
        self._scope.cancel()
        async with self._lock:  # a write that has begun ends first
            if self._is_closed:
                return
            self._is_closed = True
            try:
                if self._unsaved:
                    self._retrying = self._retrying.copy(stop=stop_after_attempt(1))
                    await self._guarded(self._save)
            finally:
                await self.sink.close()

    async def _catch_up(self) -> None:
        self._dirty, self._urgent = anyio.Event(), anyio.Event()
        while self._given < self._crowd.sequence:
            rows = await self._patiently(partial(self._source.rows, self._given))
            if not rows:
                break
            self._measure(rows)
            if selected := self._source.selected(rows):
                await self._patiently(partial(self.sink.write, selected))
            self._given = rows[-1].sequence
            self._unsaved += sum(len(row.body) for row in rows)
            self._crowd.note_progress()
            if self._unsaved >= SAVE_BYTES:
                await self._save()
        if self._unsaved and anyio.current_time() >= self._saved_at + self._interval:
            await self._save()

    def _measure(self, rows: Sequence[ItemRow]) -> None:
        """Learn how large items are, to tell by how many bytes the output lags."""
        size = sum(len(row.body) for row in rows) / len(rows)
        before, self._row_bytes = self._row_bytes, max(size, self._row_bytes / 2)
        if self._row_bytes > before and not self._is_near:
            self._crowd.note_progress()

    async def _save(self) -> None:
        given = self._given
        position = await self._patiently(partial(self.sink.save, given))
        if position is not None:
            await self._patiently(partial(self._source.record, position))
        self._unsaved = 0
        self._saved_at = anyio.current_time()
        self.saved = given
        await self._crowd.release()

    async def _publish(self, aside: str) -> None:
        last = self._crowd.sequence
        if aside:
            await self._patiently(partial(self.sink.set_aside, last, aside))
        else:
            await self._patiently(partial(self.sink.publish, last))

    async def _patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """The result of `call`, repeated as the retry policy says."""
        try:
            result: _T = await self._retrying(call)
        except SinkError:
            raise
        except Exception as exc:
            what = f"{type(exc).__name__}: {exc}"
            raise SinkError(f"Output {self.sink.name} failed: {what}") from exc
        if self._is_waiting:
            logger.warning("The output works again: %s", self.sink.name)
            self._is_waiting = False
            self._crowd.note_progress()
        return result

    async def _sleep(self, seconds: float) -> None:
        """Wait before the next try, but no longer than until `hurried` is set."""
        async with anyio.create_task_group() as tasks:

            async def end_in_hurry() -> None:
                await self._crowd.hurried.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(end_in_hurry)
            pause = self._usual_sleep(seconds)
            if pause is not None:
                await pause
            tasks.cancel_scope.cancel()

    def _note_pause(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if not self._is_waiting:
            logger.warning(
                "An output failed; the crawl waits and tries it again: %s", error
            )
        self._is_waiting = True
        self._crowd.note_progress()

    async def _guarded(self, call: Callable[[], Awaitable[None]]) -> None:
        """Await `call` and keep its error: an output never ends the crawl itself."""
        if self.error is not None:
            return
        try:
            await call()
        except SinkError as exc:
            self.error = exc
            self._crowd.note_failure(exc)
