"""What a sink is: a receiver of committed items, in order, each once.

Rule: a sink follows the store. It records how far it is and reads everything behind
that again, so a crash costs nothing but a little repetition.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

import msgspec

from crawler.errors import SinkError
from crawler.pipelines.base import Run
from crawler.sinks.selection import ALL, Selection
from crawler.store.base import ItemLog, ItemRow

logger = logging.getLogger(__name__)

#: Items read from the store at a time.
BATCH = 1000


class PipeClosed(SinkError):
    """The reader of our output has gone: the run ends in order, without an error."""


class UnfitItem(SinkError):
    """The target can never take this item as it is: no try is made again."""


class RotatedPart(msgspec.Struct, frozen=True):
    """One file of an output in several: its first and last item, its size."""

    first: int
    last: int
    rows: int
    bytes: int

    @property
    def label(self) -> str:
        """The part of its name that no other file of the run has."""
        return f"{self.first:09}-{self.last:09}"


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a sink is, as the store keeps it for the next process."""

    #: All items up to this one are written, and would survive a power cut.
    sequence: int = 0
    #: Bytes of the part up to that item.
    size: int = 0
    state: Literal["writing", "publishing", "finished"] = "writing"
    #: The place that `publishing` fills, or that holds the rows already.
    target: str = ""
    #: Must be equal for a part to be continued: its format and its columns.
    shape: str = ""
    #: Bytes of `target` that were there before this run.
    base: int = 0
    #: The number under which a database keeps this run's rows.
    run: int = 0
    #: The files that are in place, of an output in several.
    parts: tuple[RotatedPart, ...] = ()
    #: The mark of `target` before it was filled.
    before: str = ""
    #: The label of `target`, if a bad run was published beside an earlier output.
    aside: str = ""
    #: The place of that earlier output, if it is the job's own.
    kept: str = ""


def places_of(position: str) -> list[str]:
    """The places that the job has filled as of this recorded position: later runs of
    the job may replace them."""
    found = _decoder.decode(position)
    return [place for place in (found.target, found.kept) if place]


_decoder = msgspec.json.Decoder(Position)

#: Whether this job published what is at a place, given as its text.
Owns = Callable[[str], bool]


class Source:
    """The part of the store that a sink sees: committed items, and its own position."""

    def __init__(
        self,
        store: ItemLog,
        name: str,
        run: Run,
        owns: Owns,
        selection: Selection = ALL,
    ) -> None:
        self._store = store
        self._name = name
        self._selection = selection
        #: The run that the items are of.
        self.run = run
        #: Whether this job published what is at a place, so that it may be replaced.
        self.owns = owns

    async def position(self) -> Position | None:
        """The position that was recorded last; None in a new run."""
        found = await self._store.sink_position(self._name)
        return _decoder.decode(found) if found is not None else None

    async def record(self, position: Position) -> None:
        """Keep `position` for the next process."""
        text = msgspec.json.encode(position).decode()
        await self._store.set_sink_position(self._name, text)

    async def rows(self, after: int) -> list[ItemRow]:
        """The next committed items behind number `after`, selected or not; none at the
        end."""
        return await self._store.items_after(after, BATCH)

    async def all_rows(self, until: int) -> AsyncIterator[list[ItemRow]]:
        """Every selected item from the first to number `until`, in batches; SinkError
        if the store has dropped one of them."""
        after = 0
        while after < until:
            rows = [row for row in await self.rows(after) if row.sequence <= until]
            if not rows or rows[0].sequence != after + 1:
                raise SinkError(
                    f"item {after + 1} is not kept any more; nothing written"
                )
            yield list(self.selected(rows))
            after = rows[-1].sequence

    def selected(self, rows: Sequence[ItemRow]) -> Sequence[ItemRow]:
        """The part of these rows that the sink receives."""
        return self._selection.of(rows)


class Sink(ABC):
    """A receiver of committed items; most need `write` only.

    class Queue(Sink):
        async def write(self, rows: Sequence[ItemRow]) -> None:
            await self.queue.publish([(row.sequence, row.body) for row in rows])

    If `write`, `save` or `publish` raises, the call is repeated for some minutes while
    the crawl waits; a bug (TypeError and its like) ends the run at once. After a crash
    rows may come again: (job, run, sequence) identifies each one.

    The calls come in this order: `check`, `open`, any number of `write` and `save`,
    then `publish` or `set_aside` if the run is complete, then `close`.
    """

    #: Receives rows as they are committed, instead of gathered for up to a second.
    is_prompt = False
    #: Follows the run; else `publish` writes everything from the store.
    is_growing = True
    #: The run that the items are of; set before `open` is called.
    run: Run
    #: The items and fields that the sink receives.
    selection: Selection = ALL
    #: Where the items are in place: a path or a URL.
    published: str | None = None
    #: Where the items are so far.
    unpublished: str | None = None
    #: Where an earlier output stays, because the run was bad.
    kept: str | None = None

    @property
    def name(self) -> str:
        """The key of the sink's position in the store; equal in every process."""
        return type(self).__qualname__

    def check(self, owns: Owns) -> None:  # noqa: B027  # few need it
        """Raise ConfigError for anything that is wrong before the run begins. `owns`
        tells which places the job has filled. Changes nothing; may block."""

    async def open(self, source: Source) -> int:
        """Prepare before the first request; the number of the last item that is
        written already. ConfigError if the target cannot be written."""
        position = await source.position()
        return position.sequence if position is not None else 0

    @abstractmethod
    async def write(self, rows: Sequence[ItemRow]) -> None:
        """Receive items, in order."""

    def key(self, row: ItemRow) -> str:
        """A text that identifies the item for ever: job, run and number."""
        return f"{self.run.job}/{self.run.number}/{row.sequence}"

    async def save(self, sequence: int) -> Position | None:
        """Make durable everything up to item `sequence`. The position to continue
        from after a crash; None to begin with the first item again."""
        return Position(sequence)

    async def publish(self, sequence: int) -> None:  # noqa: B027  # few need it
        """The run is complete with item `sequence`: put the output in place."""

    async def set_aside(self, sequence: int, label: str) -> None:
        """The run is complete, but bad: leave an earlier output as it is, and put this
        one beside it under a name that holds `label` ("bad-run-7"). A target that
        cannot keep two outputs does the same as `publish`, and says so."""
        if not self.is_prompt:  # else the items are out already
            logger.warning(
                "Output %s cannot set a bad run aside: its items are there", self.name
            )
        await self.publish(sequence)

    async def close(self) -> None:  # noqa: B027  # few need it
        """Release what is open; nothing is published."""
