"""The Sink class: it receives committed items, in order, each once.

Rule: a sink follows the store. It records how far it has written, and reads all later
items again after a crash. So a crash costs only a little repeated work.
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

#: Number of items read from the store at a time.
BATCH = 1000


class PipeClosed(SinkError):
    """The reader of our output has closed it: the run ends in order, without an
    error."""


class UnfitItem(SinkError):
    """The target will never accept this item, so writing is not tried again."""


class RotatedPart(msgspec.Struct, frozen=True):
    """One file of an output in several files: its first and last item, and its size."""

    first: int
    last: int
    rows: int
    bytes: int

    @property
    def label(self) -> str:
        """The part of the file name that is unique in the run."""
        return f"{self.first:09}-{self.last:09}"


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a sink has written, as the store keeps it for the next process."""

    #: All items up to this number are written and would survive a power cut.
    sequence: int = 0
    #: Size of the part file in bytes, up to that item.
    size: int = 0
    state: Literal["writing", "publishing", "finished"] = "writing"
    #: The place that `publishing` replaces, or that already holds the rows.
    target: str = ""
    #: The format and columns of a part file. It is continued only if they are equal.
    shape: str = ""
    #: Bytes that were in `target` before this run.
    base: int = 0
    #: The number under which a database stores this run's rows.
    run: int = 0
    #: The published files of an output in several files.
    parts: tuple[RotatedPart, ...] = ()
    #: `Location.mark` of `target` before this run replaced it.
    before: str = ""
    #: The label in the name of `target`, if a bad run was published beside an earlier
    #: output.
    aside: str = ""
    #: The place of that earlier output, if it belongs to this job.
    kept: str = ""


def places_of(position: str) -> list[str]:
    """Return the places that the job has written according to a recorded position.

    Later runs of the job may replace them.
    """
    found = _decoder.decode(position)
    return [place for place in (found.target, found.kept) if place]


_decoder = msgspec.json.Decoder(Position)

#: Returns whether this job published the output at a place, which is given as text.
Owns = Callable[[str], bool]


class Source:
    """The part of the store that a sink uses: committed items, and the sink's own
    position."""

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
        #: The run whose items these are.
        self.run = run
        #: Returns whether this job published the output at a place, so that it may
        #: replace it.
        self.owns = owns

    async def position(self) -> Position | None:
        """Return the last recorded position; None in a new run."""
        found = await self._store.sink_position(self._name)
        return _decoder.decode(found) if found is not None else None

    async def record(self, position: Position) -> None:
        """Store `position` for the next process."""
        text = msgspec.json.encode(position).decode()
        await self._store.set_sink_position(self._name, text)

    async def rows(self, after: int) -> list[ItemRow]:
        """Return the next committed items after number `after`, selected or not.

        Empty if there are no more.
        """
        return await self._store.items_after(after, BATCH)

    async def all_rows(self, until: int) -> AsyncIterator[list[ItemRow]]:
        """Yield every selected item from the first to number `until`, in batches.

        SinkError if the store no longer has one of them.
        """
        after = 0
        while after < until:
            rows = [row for row in await self.rows(after) if row.sequence <= until]
            if not rows or rows[0].sequence != after + 1:
                raise SinkError(
                    f"item {after + 1} is no longer stored; nothing was written"
                )
            yield list(self.selected(rows))
            after = rows[-1].sequence

    def selected(self, rows: Sequence[ItemRow]) -> Sequence[ItemRow]:
        """Return those of the rows that the sink should receive."""
        return self._selection.of(rows)


class Sink(ABC):
    """Receives committed items. Most sinks need only `write`.

        class Queue(Sink):
            async def write(self, rows: Sequence[ItemRow]) -> None:
                await self.queue.publish([(row.sequence, row.body) for row in rows])

    If `write`, `save` or `publish` raises, the call is repeated for some minutes while
    the crawl waits. A programming error, such as TypeError, ends the run at once. After
    a crash rows may arrive again: (job, run, sequence) identifies each row.

    The calls come in this order: `check`, `open`, any number of `write` and `save`,
    then `publish` or `set_aside` if the run is complete, then `close`.
    """

    #: Whether rows arrive as they are committed, instead of being collected for up to a
    #: second.
    is_prompt = False
    #: Whether items are written during the run. If not, `publish` writes all of them.
    is_growing = True
    #: The run whose items these are; set before `open` is called.
    run: Run
    #: The items and fields that the sink receives.
    selection: Selection = ALL
    #: The place of the published output: a path or a URL.
    published: str | None = None
    #: The place of the items while the output is not published.
    unpublished: str | None = None
    #: The place of an earlier output that stays because this run was bad.
    kept: str | None = None

    @property
    def name(self) -> str:
        """The key of the sink's position in the store; the same in every process."""
        return type(self).__qualname__

    def check(self, owns: Owns) -> None:  # noqa: B027  # few need it
        """Raise ConfigError for a problem that is known before the run begins.

        `owns` says which places the job has written. Changes nothing; may block.
        """

    async def open(self, source: Source) -> int:
        """Prepare before the first request; return the number of the last written item.

        ConfigError if the target cannot be written.
        """
        position = await source.position()
        return position.sequence if position is not None else 0

    @abstractmethod
    async def write(self, rows: Sequence[ItemRow]) -> None:
        """Write items, in order."""

    def key(self, row: ItemRow) -> str:
        """Return a text that identifies the item forever: job, run and number."""
        return f"{self.run.job}/{self.run.number}/{row.sequence}"

    async def save(self, sequence: int) -> Position | None:
        """Make all items up to `sequence` durable; return the position.

        After a crash the sink continues from this position. None: it begins with the
        first item again.
        """
        return Position(sequence)

    async def publish(self, sequence: int) -> None:  # noqa: B027  # few need it
        """Publish the output: the run is complete with item `sequence`."""

    async def set_aside(self, sequence: int, label: str) -> None:
        """Publish the output of a bad run beside an earlier output, which stays
        unchanged.

        The name of the new output contains `label` ("bad-run-7"). A target that cannot
        keep two outputs calls `publish` and logs a warning.
        """
        if not self.is_prompt:  # a prompt sink has already sent the items
            logger.warning(
                "Output %s cannot keep the items of a bad run apart; they are in the "
                "output",
                self.name,
            )
        await self.publish(sequence)

    async def close(self) -> None:  # noqa: B027  # few need it
        """Release all resources; nothing is published."""
