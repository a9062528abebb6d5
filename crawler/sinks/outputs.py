"""All outputs of one run: each follows the store at its own pace.

Rule: the crawl never waits for an output but through `room`, and no output ever
takes the crawl down: an error is kept in `error`, and raised where the engine asks.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import anyio
from anyio.abc import TaskGroup
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
)

from crawler.errors import ConfigError, SinkError
from crawler.pipelines.base import Run
from crawler.sinks.base import BATCH, PipeClosed, Sink, Source
from crawler.store.base import Store

logger = logging.getLogger(__name__)

#: How long items may wait for company, and how many bytes until they are made safe.
INTERVAL = 1.0
SAVE_BYTES = 1 << 20
#: Items that an output may be behind before the crawl waits for it.
MAX_LAG = 10_000
#: How long an output that fails is tried again, while the crawl waits.
PATIENCE = 300.0

#: What trying again cannot heal.
_FINAL = (
    PipeClosed,
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


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Exception) and not isinstance(error, _FINAL)


def _patience() -> AsyncRetrying:
    return AsyncRetrying(
        stop=stop_after_delay(PATIENCE), wait=wait_exponential(multiplier=0.5, max=15)
    )


def _owns_nothing(path: Path) -> bool:
    return False


class Outputs:
    """The outputs of one run, from the first request to the last.

    async with Outputs(sinks, store, run) as outputs:   # ConfigError before a request
        outputs.start(task_group)
        outputs.wake(committed.sequence)                # after every commit
        await outputs.room()                            # before more is fetched
        await outputs.publish()                         # where the run is complete
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        store: Store,
        run: Run,
        *,
        owns: Callable[[Path], bool] = _owns_nothing,
        interval: float = INTERVAL,
        max_lag: int = MAX_LAG,
        retrying: AsyncRetrying | None = None,
    ) -> None:
        names = [sink.name for sink in sinks]
        for name in names:
            if names.count(name) > 1:
                what = name.removeprefix("file ")
                raise ConfigError(f"Two outputs are the same: {what}; drop one")
        self._store = store
        self._sequence = 0
        self._released = 0
        self._room = anyio.Event()
        self._room.set()
        self._on_error: Callable[[SinkError], None] | None = None
        #: The first error that patience did not heal; a PipeClosed, too.
        self.error: SinkError | None = None
        self._followers = [
            _Follower(
                self,
                sink,
                Source(store, sink.name, run, owns),
                interval=interval,
                max_lag=max_lag,
                retrying=retrying or _patience(),
            )
            for sink in sinks
        ]

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for follower in self._followers:
                await follower.open()
                stack.push_async_callback(follower.close)
            stack.pop_all()  # all are open: from here on `close` is responsible
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def start(
        self, tasks: TaskGroup, on_error: Callable[[SinkError], None] | None = None
    ) -> None:
        """Follow the store in tasks of `tasks`, which end with `close`.

        `on_error` is called once, with the error that `room` raises from then on.
        """
        self._on_error = on_error
        for follower in self._followers:
            if follower.sink.is_growing:
                tasks.start_soon(follower.follow, name=f"output {follower.sink.name}")

    def wake(self, sequence: int) -> None:
        """Items up to `sequence` are committed; costs next to nothing."""
        if sequence > self._sequence:
            self._sequence = sequence
            for follower in self._followers:
                follower.wake()

    async def room(self) -> None:
        """Return while no output is far behind or failing, at once as a rule;
        SinkError once one has failed for good."""
        while True:
            if self.error is not None:
                raise self.error
            if self._room.is_set():
                return
            await self._room.wait()

    async def drain(self) -> None:
        """Every output has every committed item, safely; SinkError where one failed.

        An output whose reader has gone is no failure here.
        """
        async with anyio.create_task_group() as tasks:
            for follower in self._followers:
                tasks.start_soon(follower.settle)
        self._raise_failure()

    async def publish(self) -> None:
        """The run is complete: put every output in place. May be called again."""
        await self.drain()
        for follower in self._followers:
            await follower.publish()
        self._raise_failure()

    async def close(self) -> None:
        """Make safe what can be made safe at once, and let go; parts remain."""
        with anyio.CancelScope(shield=True):
            async with AsyncExitStack() as stack:  # whatever one of them raises
                for follower in self._followers:
                    stack.push_async_callback(follower.close)

    def published(self) -> list[Path]:
        """Files that are in place."""
        paths = [follower.sink.published for follower in self._followers]
        return [path for path in paths if path is not None]

    def unpublished(self) -> list[Path]:
        """Files that hold items and are not in place yet."""
        paths = [follower.sink.unpublished for follower in self._followers]
        return [path for path in paths if path is not None]

    def _raise_failure(self) -> None:
        for follower in self._followers:
            if follower.error and not isinstance(follower.error, PipeClosed):
                raise follower.error

    @property
    def sequence(self) -> int:
        """The last committed item."""
        return self._sequence

    def note_failure(self, error: SinkError) -> None:
        """One output has failed for good."""
        if self.error is None:
            self.error = error
            if self._on_error is not None:
                self._on_error(error)
        self.note_progress()

    def note_progress(self) -> None:
        """An output fell behind, caught up, waits or goes on: is there room?"""
        has_room = self.error is not None or all(
            follower.has_room for follower in self._followers
        )
        if has_room:
            self._room.set()
        elif self._room.is_set():
            self._room = anyio.Event()

    async def release(self) -> None:
        """Let the store forget items that every output has."""
        everyone = min(follower.saved for follower in self._followers)
        if everyone > self._released:
            self._released = everyone
            await self._store.release_items(everyone)


class _Follower:
    """One output and how far it is."""

    def __init__(
        self,
        outputs: Outputs,
        sink: Sink,
        source: Source,
        *,
        interval: float,
        max_lag: int,
        retrying: AsyncRetrying,
    ) -> None:
        self.sink = sink
        self.error: SinkError | None = None
        #: The last item that is safe there; what a stored file needs is never.
        self.saved = 0
        self._outputs = outputs
        self._source = source
        self._interval = interval
        self._max_lag = max_lag
        self._retrying = retrying.copy(
            retry=retry_if_exception(_may_pass),
            before_sleep=self._note_pause,
            reraise=True,
        )
        self._is_waiting = False
        self._is_closed = False
        self._given = 0
        self._unsaved = 0
        self._saved_at = -interval
        self._lock = anyio.Lock()
        self._scope = anyio.CancelScope()
        self._dirty = anyio.Event()
        self._urgent = anyio.Event()

    @property
    def has_room(self) -> bool:
        return not self._is_waiting and (
            not self.sink.is_growing or self._lag <= self._max_lag
        )

    @property
    def _lag(self) -> int:
        return self._outputs.sequence - self._given

    async def open(self) -> None:
        self._given = await self.sink.open(self._source)
        self.saved = self._given if self.sink.is_growing else 0

    def wake(self) -> None:
        if not self.sink.is_growing:
            return
        if not self._dirty.is_set():
            self._dirty.set()
        if self._lag >= BATCH and not self._urgent.is_set():
            self._urgent.set()
        if self._lag > self._max_lag:
            self._outputs.note_progress()

    async def follow(self) -> None:
        """Give the output what is committed, until it fails or is cancelled."""
        with self._scope:
            while self.error is None:
                await self._anything_to_do()
                async with self._lock:
                    await self._guarded(self._catch_up)

    async def _anything_to_do(self) -> None:
        """Wait for items, and then for more of them as long as that is no hurry."""
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
        """All that is committed is there, and safe."""
        if self.sink.is_growing:
            async with self._lock:
                await self._guarded(self._catch_up)
                if self._unsaved:
                    await self._guarded(self._save)

    async def publish(self) -> None:
        """Put the output in place."""
        async with self._lock:
            await self._guarded(self._publish)

    async def close(self) -> None:
        """Save what was given, if that works at once, and let go."""
        self._scope.cancel()
        async with self._lock:  # what is on its way to the disk arrives first
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
        while self._given < self._outputs.sequence:
            rows = await self._source.rows(self._given)
            if not rows:
                break
            await self._patiently(partial(self.sink.write, rows))
            self._given = rows[-1].sequence
            self._unsaved += sum(len(row.body) for row in rows)
            self._outputs.note_progress()
            if self._unsaved >= SAVE_BYTES:
                await self._save()
        if self._unsaved and anyio.current_time() >= self._saved_at + self._interval:
            await self._save()

    async def _save(self) -> None:
        given = self._given
        position = await self._patiently(partial(self.sink.save, given))
        if position is not None:
            await self._source.record(position)
        self._unsaved = 0
        self._saved_at = anyio.current_time()
        self.saved = given
        await self._outputs.release()

    async def _publish(self) -> None:
        await self._patiently(partial(self.sink.publish, self._outputs.sequence))

    async def _patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """The result of `call`, tried again as long as patience lasts."""
        try:
            return await self._retrying(call)
        except (SinkError, ConfigError):
            raise
        except Exception as exc:
            what = f"{type(exc).__name__}: {exc}"
            raise SinkError(f"Output {self.sink.name} failed: {what}") from exc
        finally:
            if self._is_waiting:
                self._is_waiting = False
                self._outputs.note_progress()

    def _note_pause(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if not self._is_waiting:
            logger.warning(
                "The crawl waits for an output, up to %d minutes: %s",
                PATIENCE // 60,
                error,
            )
        self._is_waiting = True
        self._outputs.note_progress()

    async def _guarded(self, call: Callable[[], Awaitable[None]]) -> None:
        """`call`, and its error kept: an output never takes the crawl down."""
        if self.error is not None:
            return
        try:
            await call()
        except SinkError as exc:
            self.error = exc
            self._outputs.note_failure(exc)
