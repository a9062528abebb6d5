"""What all sinks for files and objects share: recovery after a crash, and publishing.

Rule: bytes are durable in the part file (the file that is written before it is
published) before the store records their position. Bytes after the recorded position
may be incomplete and are cut off. If the process is killed between any two steps, no
item is repeated or lost.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ParamSpec

import msgspec
from anyio import to_thread

from crawler.errors import ConfigError, SinkError
from crawler.sinks.base import Owns, Position, Sink, Source
from crawler.sinks.formats import Format
from crawler.sinks.location import Location
from crawler.sinks.part import Part
from crawler.sinks.placement import Mode, Placement, refusal
from crawler.store.base import ItemRow

_P = ParamSpec("_P")


# This class has over 15 methods and 12 attributes, because every step of an output may
# fail and is repeated by itself, with the results of the earlier steps.
class FileSink(Sink):
    """The base class of the sinks that write one file or object."""

    def __init__(
        self,
        location: Location,
        format: Format,
        *,
        mode: Mode = "refuse",
        schema: bytes | None = None,
    ) -> None:
        self.location = location
        self._format = format
        self._mode = mode
        self._placement = Placement(location, mode, schema)
        self._part = Part(location)
        #: Encoded rows that are not written to the part file yet.
        self._buffer: list[bytes] = []
        #: The number of the last item that the sink has received.
        self._taken = 0
        #: Number of bytes that were in the file before this run (`--append`).
        self._base = 0
        #: Whether written bytes are missing in the part file, so that the file must be
        #: written again.
        self._is_lost = False

    @property
    def name(self) -> str:
        return f"file {self.location.text}"

    @property
    def _shape(self) -> str:
        return self._format.shape + (" append" if self._mode == "append" else "")

    def check(self, owns: Owns) -> None:
        try:
            if not self.location.exists():
                return
            if self._mode == "append":
                self._adopt(self.location.read())
        except OSError as exc:
            raise self._unwritable(exc) from exc
        if not self._placement.may_replace(owns):
            raise refusal(self.location.text)

    def _unwritable(self, error: OSError) -> ConfigError:
        why = error.strerror or str(error)
        return ConfigError(f"Output {self.location.text} cannot be written: {why}")

    async def open(self, source: Source) -> int:
        self._source = source
        recorded = await source.position()
        try:
            self._position = await to_thread.run_sync(self._prepare, recorded)
        except BlockingIOError as exc:
            raise ConfigError(
                f"The part file {self._part} is being written by another run; wait "
                "until that run has ended, or give the output another name"
            ) from exc
        except OSError as exc:
            self._part.close()
            raise self._unwritable(exc) from exc
        self._base = self._position.base
        if self._position.state == "finished":
            if recorded != self._position:
                await source.record(self._position)
            self.published = self.location.text
        else:
            self.unpublished = self.location.part_text
        self._taken = self._position.sequence
        return self._taken

    def _adopt(self, existing: Iterable[bytes]) -> None:
        """Let the format read the file to which items will be added. Raises ConfigError
        if the items do not fit this file."""
        try:
            self._format.adopt(existing)
        except ConfigError as exc:
            raise ConfigError(
                f"--append cannot continue {self.location.text}: {exc}"
            ) from exc

    def _prepare(self, recorded: Position | None) -> Position:
        position = self._placement.recover(recorded, self._shape)
        is_taken = self._placement.is_taken
        if self._mode == "append" and is_taken:
            self._adopt(self.location.read())
        if position.state == "finished":
            self._part.size = position.size
            return position
        if is_taken and not self._placement.may_replace(self._source.owns):
            raise refusal(self.location.text)
        self._part.open(position.size)
        return position

    async def set_aside(self, sequence: int, label: str) -> None:
        # If failed pages were retried after the end of this run, the published output
        # may be this run's own.
        is_own = self._position.target == self.location.text
        if self._placement.is_taken and not is_own and self.kept is None:
            self.kept = self.location.text
            self._placement.move_beside(label)
        await self.publish(sequence)

    async def publish(self, sequence: int) -> None:
        """Publish the file. If this call raises an error, the next call continues at
        the step that failed."""
        position = self._position
        if position.state == "finished" and position.sequence == sequence:
            return
        place = self._placement.place
        if position.state != "publishing":
            await self._complete(sequence)
            position = Position(
                sequence,
                self._part.size,
                "publishing",
                place.text,
                self._shape,
                self._base,
                aside=self._placement.label,
                kept=self._kept_own(),
                before=await to_thread.run_sync(self._placement.mark),
            )
            await self._source.record(position)
            self._position = position
        await self._in_thread(self._put_in_place)
        self._position = msgspec.structs.replace(position, state="finished")
        await self._source.record(self._position)
        self.published, self.unpublished = place.text, None

    def _kept_own(self) -> str:
        """Return the path or URL of the earlier output that stays, if this job has
        written it; "" if not."""
        return self.kept if self.kept and self._source.owns(self.kept) else ""

    @abstractmethod
    async def _complete(self, sequence: int) -> None:
        """Write all rows up to item number `sequence` to the part file, durably."""

    def _put_in_place(self) -> None:
        if not self._placement.publish(self._part.size, self._source.owns):
            self._position, self._is_lost = Position(shape=self._shape), True
            raise SinkError(
                f"Another program removed the part file {self._part}, so the crawl "
                "must write this file again"
            )
        self._part.close()

    async def _write_all(self, sequence: int) -> None:
        """Write the part file again, from the run's first item on."""
        self._is_lost = True
        await self._in_thread(self._begin)
        async for rows in self._source.all_rows(sequence):
            await self._in_thread(self._append, rows)
        await self._in_thread(self._end)
        self._is_lost = False

    def _begin(self) -> None:
        # open the part file again, because another program may have removed it
        self._part.open()
        self._base = self._part.begin(self._format.start(self._existing()))

    def _existing(self) -> Iterator[bytes]:
        """Yield the bytes that were in the file before this run, and that stay
        (`--append`)."""
        if self._mode != "append" or not self._placement.is_taken:
            return
        left = self._base if self._position.target else None
        for piece in self.location.read():
            yield piece[:left]
            if left is not None:
                left = max(0, left - len(piece))

    def _append(self, rows: Sequence[ItemRow]) -> None:
        self._part.append(self._format.encode(rows))

    def _end(self) -> None:
        self._part.append(self._format.end())
        self._part.sync()

    async def _in_thread(
        self, call: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs
    ) -> None:
        try:
            await to_thread.run_sync(lambda: call(*args, **kwargs))
        except OSError as exc:
            why = exc.strerror or str(exc)
            raise SinkError(f"Output {self._part} cannot be written: {why}") from exc

    async def close(self) -> None:
        if self._part.is_open:
            await self._in_thread(self._leave)

    def _leave(self) -> None:
        if self._part.size == 0 or self._is_lost:
            self._part.remove()  # the part file has no items, or lacks some of them
            self.unpublished = None
        else:
            self._part.close()
