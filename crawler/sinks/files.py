"""Sinks that write items to a part (a file with a temporary name), and publish it in
one step when the run is complete."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.errors import SinkError
from crawler.sinks.base import Position, Source
from crawler.sinks.file_sink import FileSink
from crawler.store.base import ItemRow


class GrowingFile(FileSink):
    """A sink whose file is written during the run; only the items of the last second
    may be missing in it."""

    async def write(self, rows: Sequence[ItemRow]) -> None:
        new = [row for row in rows if row.sequence > self._taken]
        if new:
            self._buffer.append(self._format.encode(new))
            self._taken = new[-1].sequence

    async def save(self, sequence: int) -> Position:
        if self._is_lost:
            return Position(shape=self._shape)
        if self._buffer or self._position.state == "writing":
            await self._in_thread(self._flush)
            self._position = Position(
                self._taken,
                self._part.size,
                target=self._position.target,
                shape=self._shape,
                base=self._base,
            )
        return self._position

    def _flush(self) -> None:
        """Write the collected rows to the part file durably."""
        if not self._part.is_open:
            self._reopen()
        if self._part.size == 0:
            self._base = self._part.begin(self._format.start(self._existing()))
        self._part.append_durably(b"".join(self._buffer))
        self._buffer.clear()

    def _reopen(self) -> None:
        """Copy the published file to a new part file, because more items have arrived
        after the file was published."""
        self._part.open()
        self.published, self.unpublished = None, self.location.part_text
        try:
            if self._part.begin(self.location.read()) != self._position.size:
                name = self.location.text
                raise SinkError(
                    f"Output {name} was changed by another program after it was "
                    "published, so more items cannot be added; move that file away, or "
                    "name another output"
                )
        except (OSError, SinkError):
            self._part.close()  # the next call copies the published file again
            raise

    async def _complete(self, sequence: int) -> None:
        await self.save(sequence)
        await self._in_thread(self._check)
        if self._is_lost:
            await self._write_all(sequence)

    def _check(self) -> None:
        """Set `_is_lost` if another program has removed or shortened the part file."""
        if not self._part.is_intact():
            self._is_lost = True


class StoredFile(FileSink):
    """A sink whose file cannot be continued after a crash, because of its format or
    location; the whole file is written when the run publishes."""

    is_growing = False

    async def open(self, source: Source) -> int:
        sequence = await super().open(source)
        self.unpublished = None
        if self._position.state != "finished":
            # `super().open` only showed that the part file can be created. The part
            # file is removed again, because all items are written when the run
            # publishes.
            self._position, self._part.size = Position(shape=self._shape), 0
            await self._in_thread(self._leave)
            return 0
        return sequence

    async def write(self, rows: Sequence[ItemRow]) -> None:
        """Do nothing: the store keeps the items until the run publishes."""

    async def _complete(self, sequence: int) -> None:
        await self._in_thread(self._adopt, self._existing())
        if self._format.looks:
            async for rows in self._source.all_rows(sequence):
                self._format.look(rows)
        await self._write_all(sequence)
