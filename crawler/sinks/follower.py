"""Reads committed items from the store for one output, decides when the output writes
them, and records how far the output is written.

Rule: an error of the output is kept in `error`, and not raised. A failed call is
repeated with the same rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import anyio

from crawler.errors import SinkError
from crawler.sinks.base import BATCH, Sink, Source
from crawler.sinks.lag import Lag
from crawler.sinks.sink_calls import SinkCalls, SinkGroup

if TYPE_CHECKING:
    from tenacity import AsyncRetrying

#: Number of bytes that an output may receive before they are made durable.
SAVE_BYTES = 1 << 20


class SinkWriter:
    """Passes committed items to one output, and records how far it is written.

    This class has over 12 attributes, because waiting, saving and closing need the same
    lock and the same progress.
    """

    def __init__(
        self,
        crowd: SinkGroup,
        sink: Sink,
        source: Source,
        *,
        interval: float,
        max_lag: int,
        retrying: Callable[[], AsyncRetrying],
    ) -> None:
        self.sink = sink
        self.error: SinkError | None = None
        #: The number of the last item that is durable in the output; 0 if the output is
        #: written only at the end of the run.
        self.saved = 0
        self._crowd = crowd
        self._source = source
        self._interval = interval
        self._calls = SinkCalls(sink.name, crowd, retrying)
        self._lag = Lag(max_lag)
        self._is_closed = False
        self._unsaved = 0
        self._saved_at = -interval
        self._lock = anyio.Lock()
        self._scope = anyio.CancelScope()
        self._dirty = anyio.Event()
        self._urgent = anyio.Event()

    @property
    def has_room(self) -> bool:
        """Whether the output works and lags so little that the crawl may continue."""
        is_near = not self.sink.is_growing or self._lag.is_small(self._crowd.sequence)
        return is_near and not self._calls.is_failing

    async def open(self) -> None:
        self.sink.run = self._source.run
        given = self._lag.given = await self.sink.open(self._source)
        self.saved = given if self.sink.is_growing else 0

    def wake(self) -> None:
        if not self.sink.is_growing:
            return
        if not self._dirty.is_set():
            self._dirty.set()
        sequence = self._crowd.sequence
        if sequence - self._lag.given >= BATCH and not self._urgent.is_set():
            self._urgent.set()
        if not self._lag.is_small(sequence):
            self._crowd.note_progress()

    async def follow(self) -> None:
        """Pass committed items to the output, until the output fails or this task is
        cancelled."""
        with self._scope:
            while self.error is None:
                await self._anything_to_do()
                async with self._lock:
                    await self._guarded(self._catch_up)

    async def _anything_to_do(self) -> None:
        """Wait for the first new item, and then for more items, until `interval`
        seconds have passed since the last save or a whole batch is there."""
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
        """Make all committed items durable in the output."""
        if self.sink.is_growing:
            async with self._lock:
                await self._guarded(self._catch_up)
                if self._unsaved:
                    await self._guarded(self._save)

    async def publish(self, aside: str = "") -> None:
        """Publish the output. For a bad run (exit code 3, or no items) `aside` is the
        label in the output's name; then an earlier output stays unchanged."""
        async with self._lock:
            await self._guarded(partial(self._publish, aside))

    async def close(self) -> None:
        """Try once to make all written items durable, and close the output."""
        self._scope.cancel()
        async with self._lock:  # wait for a write that has begun
            if self._is_closed:
                return
            self._is_closed = True
            try:
                if self._unsaved:
                    self._calls.try_once()
                    await self._guarded(self._save)
            finally:
                await self.sink.close()

    async def _catch_up(self) -> None:
        self._dirty, self._urgent = anyio.Event(), anyio.Event()
        lag = self._lag
        while lag.given < self._crowd.sequence:
            rows = await self._calls.repeat(partial(self._source.rows, lag.given))
            if not rows:
                break
            if lag.measure(rows) and not lag.is_small(self._crowd.sequence):
                self._crowd.note_progress()
            if selected := self._source.selected(rows):
                await self._calls.repeat(partial(self.sink.write, selected))
            lag.given = rows[-1].sequence
            self._unsaved += sum(len(row.body) for row in rows)
            self._crowd.note_progress()
            if self._unsaved >= SAVE_BYTES:
                await self._save()
        if self._unsaved and anyio.current_time() >= self._saved_at + self._interval:
            await self._save()

    async def _save(self) -> None:
        given = self._lag.given
        position = await self._calls.repeat(partial(self.sink.save, given))
        if position is not None:
            await self._calls.repeat(partial(self._source.record, position))
        self._unsaved = 0
        self._saved_at = anyio.current_time()
        self.saved = given
        await self._crowd.release()

    async def _publish(self, aside: str) -> None:
        last = self._crowd.sequence
        if aside:
            await self._calls.repeat(partial(self.sink.set_aside, last, aside))
        else:
            await self._calls.repeat(partial(self.sink.publish, last))

    async def _guarded(self, call: Callable[[], Awaitable[None]]) -> None:
        """Await `call`; if it raises SinkError, keep the error instead of raising it,
        because the engine decides when the crawl ends."""
        if self.error is not None:
            return
        try:
            await call()
        except SinkError as exc:
            self.error = exc
            self._crowd.note_failure(exc)
