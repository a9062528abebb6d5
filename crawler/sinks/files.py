"""Sinks that write items to a part file or object, which is then published in one
step."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.errors import SinkError
from crawler.sinks.base import Position, Source
from crawler.sinks.file_sink import FileSink
from crawler.store.base import ItemRow


class GrowingFile(FileSink):
    """A file that is written during the run; only the items of the last second may be
    missing."""

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
        """Write the collected rows, and wait until they are durable."""
        if not self._part.is_open:
            self._reopen()
        if self._part.size == 0:
            self._base = self._part.begin(self._format.start(self._existing()))
        self._part.append_durably(b"".join(self._buffer))
        self._buffer.clear()

    def _reopen(self) -> None:
        """Continue in a copy of the published file, because more items arrived."""
        self._part.open()
        self.published, self.unpublished = None, self.location.part_text
        try:
            if self._part.begin(self.location.read()) != self._position.size:
                name = self.location.text
                raise SinkError(f"{name} was changed after it was published")
        except (OSError, SinkError):
            self._part.close()  # a later call makes the copy again
            raise

    async def _complete(self, sequence: int) -> None:
        await self.save(sequence)
        await self._in_thread(self._check)
        if self._is_lost:
            await self._write_all(sequence)

    def _check(self) -> None:
        """Note that another program has removed or cut the part file."""
        if not self._part.is_intact():
            self._is_lost = True


class StoredFile(FileSink):
    """A file that cannot be continued after a cut: it is written when the run
    publishes."""

    is_growing = False

    async def open(self, source: Source) -> int:
        sequence = await super().open(source)
        self.unpublished = None
        if self._position.state != "finished":
            # This checks only whether the part can be created; items are written later.
            self._position, self._part.size = Position(shape=self._shape), 0
            await self._in_thread(self._leave)
            return 0
        return sequence

    async def write(self, rows: Sequence[ItemRow]) -> None:
        """Do nothing: the store keeps the items until the run publishes."""

    async def _complete(self, sequence: int) -> None:
        await self._in_thread(self._adopt)
        if self._format.looks:
            async for rows in self._source.all_rows(sequence):
                self._format.look(rows)
        await self._write_all(sequence)

    def _adopt(self) -> None:
        self._format.adopt(self._existing())
