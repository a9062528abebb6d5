"""An output in several files, each published as soon as it is full.

Rule: a file's name contains the numbers of its first and last item. So a file that is
written again after a crash replaces the file with the same items. The manifest (a JSON
file that lists all files) is written last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import msgspec
from anyio import to_thread

from crawler.errors import ConfigError, SinkError
from crawler.sinks.base import Owns, Position, RotatedPart, Sink, Source
from crawler.sinks.disk import OpenFile
from crawler.sinks.formats import Format
from crawler.sinks.location import Location, stem
from crawler.sinks.placement import Mode, put, refusal
from crawler.store.base import ItemRow

#: Number of rows that are encoded in one call of the format.
_CHUNK = 1000


# This class has over 15 methods and 12 attributes, because every step of an output may
# fail and is repeated by itself, with the results of the earlier steps.
class RotatedFiles(Sink):
    """Writes items to files of at most `rows` items, or of about `size` bytes of JSON;
    0: no limit.

    `books.jsonl` becomes `books.000000001-000001000.jsonl` and so on.
    `books.manifest.json` lists the files when the run is complete.
    """

    def __init__(
        self,
        location: Location,
        make_format: Callable[[], Format],
        *,
        rows: int = 0,
        size: int = 0,
        mode: Mode = "refuse",
        schema: bytes | None = None,
    ) -> None:
        self.location = location
        self.manifest = location.named(f"{stem(location.text)}.manifest.json")
        self._make_format = make_format
        self._limits = rows, size
        self._mode = mode
        self._schema = schema
        self._parts: list[RotatedPart] = []
        #: Items that were not passed to the current file yet.
        self._rows: deque[ItemRow] = deque()
        self._taken = 0
        self._current = _Current(location, make_format)

    @property
    def name(self) -> str:
        return f"file {self.location.text}"

    def check(self, owns: Owns) -> None:
        if self._mode == "append":
            raise ConfigError(
                f"--append cannot continue {self.location.text}, because this output "
                "has several files; use --overwrite or another name"
            )
        try:
            is_taken = self.manifest.exists()
        except OSError as exc:
            raise self._unwritable(exc) from exc
        if is_taken and self._mode == "refuse" and not owns(self.manifest.text):
            raise refusal(self.manifest.text)

    def _unwritable(self, error: OSError) -> ConfigError:
        why = error.strerror or str(error)
        return ConfigError(f"Output {self.location.text} cannot be written: {why}")

    async def open(self, source: Source) -> int:
        self._source = source
        recorded = await source.position()
        try:
            await to_thread.run_sync(self.location.prepare)
            if recorded is None:
                await to_thread.run_sync(self.check, source.owns)
        except OSError as exc:
            raise self._unwritable(exc) from exc
        if recorded is not None:
            self._parts = list(recorded.parts)
            self._taken = recorded.sequence
        self.unpublished = self.location.text
        return self._taken

    async def write(self, rows: Sequence[ItemRow]) -> None:
        new = [row for row in rows if row.sequence > self._taken]
        if new:
            self._rows += new
            self._taken = new[-1].sequence

    async def save(self, sequence: int) -> Position:
        await self._in_thread(self._write_full)
        return self._position()

    def _position(self) -> Position:
        last = self._parts[-1].last if self._parts else 0
        return Position(last, target=self.manifest.text, parts=tuple(self._parts))

    async def set_aside(self, sequence: int, label: str) -> None:
        """Publish the output as usual: the files of every run have different names, so
        a bad run (exit code 3, or no items) replaces no file."""
        await self.publish(sequence)

    async def publish(self, sequence: int) -> None:
        await self._in_thread(self._write_rest)
        await self._source.record(self._position())
        await self._in_thread(self._write_manifest)
        self.published, self.unpublished = self.manifest.text, None

    def _write_full(self) -> None:
        """Pass all received rows to files, and publish every file that is full."""
        while self._rows or self._current.is_full:
            self._write_current()

    def _write_current(self) -> None:
        current = self._current
        while self._rows and not current.is_full:
            current.take(self._rows.popleft(), self._limits)
        current.write()
        if current.is_full:
            self._parts.append(current.finish())
            self._current = _Current(self.location, self._make_format)

    def _write_rest(self) -> None:
        self._write_full()
        if self._current.rows:
            self._current.is_full = True
            self._write_current()

    def _write_manifest(self) -> None:
        run = self._source.run
        manifest = {
            "job": run.job,
            "run": run.number,
            "items": sum(part.rows for part in self._parts),
            "files": [
                {**msgspec.structs.asdict(part), "name": self._name_of(part)}
                for part in self._parts
            ],
        }
        if self._schema is not None:
            place = self.location.named(f"{stem(self.location.text)}.schema.json")
            put(place, self._schema)
        put(self.manifest, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")

    def _name_of(self, part: RotatedPart) -> str:
        text = self.location.beside(part.label).text
        return text.rpartition("/")[2]

    async def _in_thread(self, call: Callable[[], None]) -> None:
        try:
            await to_thread.run_sync(call)
        except OSError as exc:
            why = exc.strerror or str(exc)
            raise SinkError(
                f"Output {self.location.text} cannot be written: {why}"
            ) from exc

    async def close(self) -> None:
        await to_thread.run_sync(self._current.close)


class _Current:
    """The file that is being written now. A call that raised an error may be
    repeated."""

    def __init__(self, location: Location, make_format: Callable[[], Format]) -> None:
        self._location = location
        self._format = make_format()
        self._file: OpenFile | None = None
        #: The number of rows of this file.
        self.rows = 0
        #: The size in bytes of this file's items, as JSON.
        self._json_size = 0
        #: Rows of this file that are not encoded yet.
        self._waiting: list[ItemRow] = []
        #: Encoded bytes that are not written yet.
        self._pending = b""
        #: The number of bytes that are written to this file.
        self._size = 0
        #: The number of this file's first item; 0 if there is none yet.
        self._first = 0
        #: The number of this file's last item; 0 if there is none yet.
        self._last = 0
        self.is_full = False
        self._is_ended = False

    def take(self, row: ItemRow, limits: tuple[int, int]) -> None:
        self._first = self._first or row.sequence
        self._last = row.sequence
        self.rows += 1
        self._json_size += len(row.body)
        self._waiting.append(row)
        most_rows, most_bytes = limits
        self.is_full = self.rows == most_rows or 0 < most_bytes <= self._json_size

    def write(self) -> None:
        """Encode and write the rows that `take` has added. If the file is full, also
        write the bytes after the last row."""
        if self._format.looks and not self.is_full:
            return  # the format must see all rows before it writes the first row
        if self._file is None:
            self._begin()
        self._flush()
        while self._waiting:
            self._pending = self._format.encode(self._waiting[:_CHUNK])
            del self._waiting[:_CHUNK]
            self._flush()
        if self.is_full and not self._is_ended:
            self._pending, self._is_ended = self._format.end(), True
            self._flush()

    def _begin(self) -> None:
        file = self._location.open()
        file.write(0, b"")
        self._file = file
        if self._format.looks:
            self._format.look(self._waiting)
        self._pending = b"".join(self._format.start([]))

    def _flush(self) -> None:
        assert self._file is not None
        if self._pending:
            self._file.write(self._size, self._pending)
            self._size += len(self._pending)
            self._pending = b""

    def finish(self) -> RotatedPart:
        """Publish the full file, and return its entry for the manifest."""
        assert self._file is not None
        self._file.sync()
        part = RotatedPart(self._first, self._last, self.rows, self._size)
        place = self._location.beside(part.label)
        if place.part_size() is None and place.size() == self._size:
            place.settle()  # an earlier try has published the file
        else:
            place.publish()
        self.close()
        return part

    def close(self) -> None:
        if self._file is None:
            return
        # The file is removed while it is locked, so that no other process has begun to
        # write it.
        try:
            self._location.remove_part()
        finally:
            self._file.close()
            self._file = None
