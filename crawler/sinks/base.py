"""The base class of all sinks. A sink receives the committed items of a run in order,
each item once.

Rule: a sink reads the items from the store, and records how far it has written. After a
crash it reads all later items again. So a crash costs only a little repeated work.
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
    """The program that reads our output, such as `head`, has closed the pipe: the run
    ends early, but without an error."""


class UnfitItem(SinkError):
    """The file or database will never accept this item, so the write is not tried
    again."""


class RotatedPart(msgspec.Struct, frozen=True):
    """One file of an output that consists of several files: the numbers of its first
    and last item, the number of its rows, and its size in bytes."""

    first: int
    last: int
    rows: int
    bytes: int

    @property
    def label(self) -> str:
        """The numbers of the first and last item, for the file's name."""
        return f"{self.first:09}-{self.last:09}"


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a sink has written; the store keeps this record, so that another process
    can continue the output."""

    #: All items up to this number are written and would survive a power cut.
    sequence: int = 0
    #: Size in bytes of the part file (the file that is written before it is published),
    #: up to that item.
    size: int = 0
    state: Literal["writing", "publishing", "finished"] = "writing"
    #: The path or URL of the output, once the run has begun to publish the output or to
    #: add rows to it; "" before.
    target: str = ""
    #: The format and columns of the part file. A later process continues the file only
    #: if its own format and columns are equal.
    shape: str = ""
    #: Number of bytes that were in `target` before this run.
    base: int = 0
    #: The number under which a database stores this run's rows.
    run: int = 0
    #: The published files of an output in several files.
    parts: tuple[RotatedPart, ...] = ()
    #: A text, such as an ETag, that identified the output at `target` before this run
    #: replaced the output; "" if the sizes are enough to see the change.
    before: str = ""
    #: The label in the name of this run's output, such as "bad-run-7", if this run was
    #: bad (exit code 3, or no items) and an earlier output was kept; "" otherwise.
    aside: str = ""
    #: The path or URL of the job's earlier output, if this output was kept because this
    #: run was bad (exit code 3, or no items); "" otherwise.
    kept: str = ""


def places_of(position: str) -> list[str]:
    """Return the paths or URLs of the outputs that the job has written according to a
    recorded position.

    Later runs of the job may replace these outputs.
    """
    found = _decoder.decode(position)
    return [place for place in (found.target, found.kept) if place]


_decoder = msgspec.json.Decoder(Position)

#: A function that returns whether this job has published the output at a path or URL.
Owns = Callable[[str], bool]


class Source:
    """The part of the store that a sink uses: committed items, and how far the
    sink has written."""

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
        #: The run whose items the sink receives.
        self.run = run
        self.owns = owns

    async def position(self) -> Position | None:
        """Return how far the sink has written, as it was last recorded; None in a new
        run."""
        found = await self._store.sink_position(self._name)
        return _decoder.decode(found) if found is not None else None

    async def record(self, position: Position) -> None:
        """Store how far the sink has written, so that another process can continue the
        output."""
        text = msgspec.json.encode(position).decode()
        await self._store.set_sink_position(self._name, text)

    async def rows(self, after: int) -> list[ItemRow]:
        """Return the next committed items after item number `after`, including those
        that the sink does not select; empty if there are no more."""
        return await self._store.items_after(after, BATCH)

    async def all_rows(self, until: int) -> AsyncIterator[list[ItemRow]]:
        """Yield in batches every item that the sink selects, from the run's first item
        to item number `until`.

        Raises SinkError if the store no longer has one of these items.
        """
        after = 0
        while after < until:
            rows = [row for row in await self.rows(after) if row.sequence <= until]
            if not rows or rows[0].sequence != after + 1:
                raise SinkError(
                    f"Output {self._name}: item {after + 1} of the run is no longer "
                    "stored, so nothing was written; run the job again"
                )
            yield list(self.selected(rows))
            after = rows[-1].sequence

    def selected(self, rows: Sequence[ItemRow]) -> Sequence[ItemRow]:
        """Return the rows that the sink selects, with the fields that it selects."""
        return self._selection.of(rows)


class Sink(ABC):
    """Receives committed items. Most sinks need only `write`.

        class Queue(Sink):
            async def write(self, rows: Sequence[ItemRow]) -> None:
                await self.queue.publish([(row.sequence, row.body) for row in rows])

    If `write`, `save` or `publish` raises an error, the call is repeated for up to 5
    minutes while the crawl waits. A programming error, such as TypeError, ends the run
    at once. After a crash rows may arrive again: (job, run, sequence) identifies each
    row.

    The calls come in this order: `check`, `open`, any number of `write` and `save`,
    then `publish` or `set_aside` if the run is complete, then `close`.
    """

    #: Whether rows arrive as they are committed, instead of being collected for up to a
    #: second.
    is_prompt = False
    #: Whether items are written during the run. If not, `publish` writes all of them.
    is_growing = True
    #: The run whose items the sink receives; set before `open` is called.
    run: Run
    #: The items and fields that the sink receives.
    selection: Selection = ALL
    #: The path or URL of the published output; None before it is published.
    published: str | None = None
    #: The path or URL where the items are until the output is published.
    unpublished: str | None = None
    #: The path or URL of an earlier output that stays because this run was bad (exit
    #: code 3, or no items); None otherwise.
    kept: str | None = None

    @property
    def name(self) -> str:
        """The name under which the store keeps how far the sink has written; the same
        in every process."""
        return type(self).__qualname__

    def check(self, owns: Owns) -> None:  # noqa: B027  # few need it
        """Raise ConfigError for a problem that is known before the run begins.

        `owns` returns whether the job has written the output at a path or URL. This
        method changes nothing, and may block.
        """

    async def open(self, source: Source) -> int:
        """Prepare the output before the first request; return the number of the last
        item that an earlier process has written.

        Raises ConfigError if the output cannot be written.
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
        """Make all items up to number `sequence` durable; return how far the sink has
        written.

        After a crash the sink continues after these items. If None is returned, the
        sink begins with the run's first item again.
        """
        return Position(sequence)

    async def publish(self, sequence: int) -> None:  # noqa: B027  # few need it
        """Publish the output, because the run is complete; `sequence` is the number of
        the run's last item."""

    async def set_aside(self, sequence: int, label: str) -> None:
        """Publish the output of a bad run (one with exit code 3, or without items)
        beside an earlier output, which stays unchanged.

        The name of the new output contains `label` ("bad-run-7"). A sink that cannot
        keep two outputs apart calls `publish` and logs a warning.
        """
        if not self.is_prompt:  # a prompt sink has already sent the items
            logger.warning(
                "The run is bad (exit code 3, or no items), but its items are now in "
                "the output %s, which cannot keep the items of two runs apart",
                self.name,
            )
        await self.publish(sequence)

    async def close(self) -> None:  # noqa: B027  # few need it
        """Release all resources; nothing is published."""
