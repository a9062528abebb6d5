"""What a sink is: somewhere that committed items go, in order, each once.

Rule: a sink follows the store. What it has is what it recorded; what it lacks it
reads again, so that a crash at any moment costs nothing but a little repetition.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from crawler.errors import SinkError
from crawler.pipelines.base import Run
from crawler.store.base import ItemRow, Store

#: Items read from the store at a time.
BATCH = 1000


class PipeClosed(SinkError):
    """Whoever read our output has gone: the run ends in order, and well."""


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a sink is, as the store keeps it for the next process."""

    #: All items up to this one are written, and would survive a power cut.
    sequence: int = 0
    #: Bytes of the file up to there.
    size: int = 0
    state: Literal["writing", "publishing", "finished"] = "writing"
    #: The file that `publishing` puts in place, or that holds the rows already.
    target: str = ""
    #: What must be the same for a file to be gone on with, such as its columns.
    shape: str = ""
    #: Bytes of `target` that were there before this run.
    base: int = 0
    #: The number under which a database keeps this run's rows.
    run: int = 0


def target_of(position: str) -> Path | None:
    """The file that a recorded position says its job has put in place, for the
    list of the files that a later run of the job may replace."""
    target = _decoder.decode(position).target
    return Path(target) if target else None


_decoder = msgspec.json.Decoder(Position)


class Source:
    """What a sink sees of the store: the committed items, and its own position."""

    def __init__(
        self, store: Store, name: str, run: Run, owns: Callable[[Path], bool]
    ) -> None:
        self._store = store
        self._name = name
        self.run = run
        #: Whether this job published that file, so that it may be replaced.
        self.owns = owns

    async def position(self) -> Position | None:
        """What was recorded last; None in a new run."""
        found = await self._store.sink_position(self._name)
        return _decoder.decode(found) if found is not None else None

    async def record(self, position: Position) -> None:
        """Keep `position` for the next process."""
        text = msgspec.json.encode(position).decode()
        await self._store.set_sink_position(self._name, text)

    async def rows(self, after: int) -> list[ItemRow]:
        """The next committed items behind `after`, none at the end."""
        return await self._store.items_after(after, BATCH)

    async def all_rows(self, until: int) -> AsyncIterator[list[ItemRow]]:
        """Every item from the first to `until`, in batches; SinkError where the
        store has let some go already."""
        after = 0
        while after < until:
            rows = [row for row in await self.rows(after) if row.sequence <= until]
            if not rows or rows[0].sequence != after + 1:
                raise SinkError(
                    f"item {after + 1} is not kept any more; nothing written"
                )
            yield rows
            after = rows[-1].sequence


class Sink(ABC):
    """Somewhere that committed items go; `write` is all that most need.

    class Queue(Sink):
        async def write(self, rows):
            await self.queue.publish([(row.sequence, row.body) for row in rows])

    What `write` or `save` raises is tried again for some minutes, with the same rows,
    while the crawl waits; bugs (TypeError and its like) end the run at once. After a
    crash rows may come again: (job, run, sequence) identifies one.
    """

    #: Takes rows as they are committed, rather than gathered for up to a second.
    is_prompt = False
    #: Follows the run; else `publish` writes everything from the store.
    is_growing = True
    #: The file that holds the items, when it is in place.
    published: Path | None = None
    #: The file that holds the items so far.
    unpublished: Path | None = None

    @property
    def name(self) -> str:
        """The key of its position in the store: the same in every process."""
        return type(self).__qualname__

    def check(self, owns: Callable[[Path], bool]) -> None:  # noqa: B027  # nor this
        """ConfigError for what is wrong with it before the job is asked for; `owns`
        says which files the job has put in place. Changes nothing; may block."""

    async def open(self, source: Source) -> int:
        """Make ready before the first request; the last item that it has already.

        ConfigError where it cannot be written.
        """
        position = await source.position()
        return position.sequence if position is not None else 0

    @abstractmethod
    async def write(self, rows: Sequence[ItemRow]) -> None:
        """Take items, in order."""

    async def save(self, sequence: int) -> Position | None:
        """Make durable what was taken, up to item `sequence`; the position to go on
        from after a crash, None to begin anew."""
        return Position(sequence)

    async def publish(self, sequence: int) -> None:  # noqa: B027  # few need it
        """The run is complete with item `sequence`: put the output in place."""

    async def close(self) -> None:  # noqa: B027  # nor this
        """Let go of what is open; nothing is published."""
