"""All outputs of one run; each reads the committed items from the store at its own
speed.

Rule: the crawl waits for an output only in `room`. An error of an output does not end
the crawl at once: it is kept in `error`, and raised by the engine's next call of
`room`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio
from anyio.abc import TaskGroup

from crawler.errors import ConfigError, SinkError
from crawler.pipelines.base import Run
from crawler.sinks.base import Owns, PipeClosed, Sink, Source
from crawler.sinks.follower import SinkWriter
from crawler.stats import WrittenOutput
from crawler.store.base import ItemLog
from crawler.store.repeats import exponential

if TYPE_CHECKING:
    from tenacity import AsyncRetrying

#: Number of seconds for which items are collected before they are written and made
#: durable.
INTERVAL = 1.0
#: Number of items by which an output may lag before the crawl waits for it.
MAX_LAG = 10_000
#: Seconds for which a failing output is retried, while the crawl waits.
PATIENCE = 300.0
_USUAL = exponential(PATIENCE, 15)


def _size_of(place: str) -> int | None:
    """Return the size in bytes of a local file; None if `place` is not a local file."""
    try:
        return None if "://" in place else Path(place).stat().st_size
    except OSError:
        return None


def _owns_nothing(place: str) -> bool:
    return False


def check_distinct(sinks: Sequence[Sink]) -> None:
    """Raise ConfigError if two of the sinks write to the same file or table."""
    names = [sink.name for sink in sinks]
    for name in names:
        if names.count(name) > 1:
            what = name.removeprefix("file ")
            raise ConfigError(f"Two outputs are the same: {what}; remove one of them")


# This class has over 15 methods, because the engine, the report and the sinks each need
# a few of them.
class Outputs:
    """The outputs of one run, from the first request to the last.

    async with Outputs(sinks, store, run) as outputs:   # ConfigError before a request
        outputs.start(task_group)
        outputs.wake(committed.sequence)                # after every commit
        await outputs.room()                            # before more is fetched
        await outputs.publish()                         # if the run is complete
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        store: ItemLog,
        run: Run,
        *,
        owns: Owns = _owns_nothing,
        interval: float = INTERVAL,
        max_lag: int = MAX_LAG,
        retrying: Callable[[], AsyncRetrying] = _USUAL,
    ) -> None:
        check_distinct(sinks)
        self._store = store
        self._sequence = 0
        self._released = 0
        self._room = anyio.Event()
        self._room.set()
        self._on_error: Callable[[SinkError], None] | None = None
        #: The first error with which an output failed for good, after all retries; a
        #: PipeClosed counts as such an error.
        self.error: SinkError | None = None
        #: Set when the run must stop now, without waiting for a failing output.
        self.hurried = anyio.Event()
        self._followers = [
            SinkWriter(
                self,
                sink,
                Source(store, sink.name, run, owns, sink.selection),
                interval=interval,
                max_lag=max_lag,
                retrying=retrying,
            )
            for sink in sinks
        ]

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for follower in self._followers:
                await follower.open()
                stack.push_async_callback(follower.close)
            stack.pop_all()  # all outputs are open: from now on `close` closes them
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def start(
        self, tasks: TaskGroup, on_error: Callable[[SinkError], None] | None = None
    ) -> None:
        """Start a task in the group `tasks` for each output that is written during the
        run. The task passes committed items to the output until `close`.

        `on_error` is called once, with the error that `room` raises from then on.
        """
        self._on_error = on_error
        for follower in self._followers:
            if follower.sink.is_growing:
                tasks.start_soon(follower.follow, name=f"output {follower.sink.name}")

    def wake(self, sequence: int) -> None:
        """Tell the outputs that items up to number `sequence` are committed. The call
        is cheap."""
        if sequence > self._sequence:
            self._sequence = sequence
            for follower in self._followers:
                follower.wake()

    def hurry(self) -> None:
        """From now on repeat a failing call at most once, without a pause."""
        self.hurried.set()

    async def room(self) -> None:
        """Wait while an output lags far behind or is failing.

        Raises SinkError if an output has failed for good.
        """
        while True:
            if self.error is not None:
                raise self.error
            if self._room.is_set():
                return
            await self._room.wait()

    async def drain(self) -> None:
        """Wait until every output has made all committed items durable.

        Raises SinkError if an output has failed; a closed pipe does not count as a
        failure.
        """
        async with anyio.create_task_group() as tasks:
            for follower in self._followers:
                tasks.start_soon(follower.settle)
        self._raise_failure()

    async def publish(self, aside: str = "") -> None:
        """Publish every output, because the run is complete. May be called again.

        For a bad run (exit code 3, or no items) `aside` is a label, such as
        "bad-run-7". Then earlier outputs stay unchanged, and this run's outputs are
        published beside them under names that contain the label.
        """
        await self.drain()
        for follower in self._followers:
            await follower.publish(aside)
        self._raise_failure()

    async def close(self) -> None:
        """Make written items durable if one try is enough, and close all outputs; part
        files of unpublished outputs remain."""
        with anyio.CancelScope(shield=True):
            # close all outputs, even if closing one of them fails
            async with AsyncExitStack() as stack:
                for follower in self._followers:
                    stack.push_async_callback(follower.close)

    def published(self) -> list[str]:
        """Return the paths and URLs of the published outputs."""
        places = [follower.sink.published for follower in self._followers]
        return [place for place in places if place is not None]

    def written(self, items: int) -> tuple[WrittenOutput, ...]:
        """Return the published outputs of a run with `items` items, for the report; the
        call reads file sizes."""
        return tuple(
            WrittenOutput(
                each.sink.published,
                None if each.sink.selection.types else items,
                _size_of(each.sink.published),
            )
            for each in self._followers
            if each.sink.published is not None
        )

    def kept(self) -> list[str]:
        """Return the paths and URLs of earlier outputs that stay because the run was
        bad (exit code 3, or no items)."""
        places = [follower.sink.kept for follower in self._followers]
        return [place for place in places if place is not None]

    def unpublished(self) -> dict[str, int]:
        """Return the paths and URLs where unpublished items are, each with the number
        of the last item there."""
        return {
            follower.sink.unpublished: follower.saved
            for follower in self._followers
            if follower.sink.unpublished is not None
        }

    def _raise_failure(self) -> None:
        for follower in self._followers:
            if follower.error and not isinstance(follower.error, PipeClosed):
                raise follower.error

    @property
    def sequence(self) -> int:
        """The number of the last committed item."""
        return self._sequence

    def note_failure(self, error: SinkError) -> None:
        """Keep the first error with which an output has failed for good, and report it
        to `on_error`."""
        if self.error is None:
            self.error = error
            if self._on_error is not None:
                self._on_error(error)
        self.note_progress()

    def note_progress(self) -> None:
        """Decide anew whether `room` waits, because an output fell behind, caught up,
        fails or works again."""
        has_room = self.error is not None or all(
            follower.has_room for follower in self._followers
        )
        if has_room:
            self._room.set()
        elif self._room.is_set():
            self._room = anyio.Event()

    async def release(self) -> None:
        """Let the store delete the items that all outputs have written durably."""
        everyone = min(follower.saved for follower in self._followers)
        if everyone > self._released:
            self._released = everyone
            await self._store.release_items(everyone)
