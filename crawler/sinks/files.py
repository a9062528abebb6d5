"""Items in a file: written as `NAME.part`, then put in place in one step.

Rule: first the bytes reach the disk, then the store hears of them; what is behind the
recorded offset may be torn and is cut away. A kill between any two steps leaves
nothing doubled and nothing lost.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, ParamSpec

import msgspec
from anyio import to_thread

from crawler.errors import ConfigError, OutputExists, SinkError
from crawler.sinks.base import Position, Sink, Source
from crawler.sinks.disk import LOCAL, Disk, OpenFile
from crawler.sinks.formats import Format
from crawler.store.base import ItemRow

#: What happens to a file that is there and that this job did not publish.
Mode = Literal["refuse", "overwrite", "append"]

_P = ParamSpec("_P")


def refusal(target: Path) -> OutputExists:
    """Why a file that is there is left alone."""
    return OutputExists(
        f"Output {target} exists and was not written by this job; "
        "use --overwrite, --append or another name"
    )


def recovered(
    position: Position | None, shape: str, target: int | None, part: int | None
) -> Position:
    """Where to go on: the recorded position, judged by the sizes of the two files."""
    anew = Position(shape=shape)
    if position is None or position.shape != shape:
        return anew
    if position.state == "finished":
        return position if target is not None else anew
    if part is not None and part >= position.size:
        return msgspec.structs.replace(position, state="writing", target="")
    if position.state == "publishing" and part is None and target == position.size:
        return msgspec.structs.replace(position, state="finished")
    return anew


class FileSink(Sink):
    """What all files have in common: their place, their recovery, their publishing."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        format: Format,
        *,
        mode: Mode = "refuse",
        disk: Disk = LOCAL,
    ) -> None:
        self.target = Path(os.path.abspath(path))  # noqa: PTH100  # asks the disk nothing
        self.part = self.target.with_name(self.target.name + ".part")
        self._format = format
        self._mode = mode
        self._disk = disk
        self._shape = format.shape + (" append" if mode == "append" else "")
        self._file: OpenFile | None = None
        self._size = self._base = 0
        #: The target was there when the run began, and may be replaced.
        self._found = False
        #: The part is not what was written to it; it is to be written anew.
        self._is_lost = False

    @property
    def name(self) -> str:
        return f"file {self.target}"

    def check(self, owns: Callable[[Path], bool]) -> None:
        try:
            if self._disk.size(self.target) is None:
                return
            if self._mode == "append":
                self._format.adopt(self._disk.read(self.target))
        except OSError as exc:
            raise self._unwritable(exc) from exc
        if self._mode == "refuse" and not owns(self.target):
            raise refusal(self.target)

    def _unwritable(self, error: OSError) -> ConfigError:
        why = error.strerror or str(error)
        return ConfigError(f"Output {self.target} cannot be written: {why}")

    async def open(self, source: Source) -> int:
        self._source = source
        recorded = await source.position()
        try:
            self._position = await to_thread.run_sync(self._prepare, recorded)
        except BlockingIOError as exc:
            raise ConfigError(f"{self.part} is being written by another run") from exc
        except OSError as exc:
            self._close_file()
            raise self._unwritable(exc) from exc
        self._size, self._base = self._position.size, self._position.base
        if self._position.state == "finished":
            if recorded != self._position:
                await source.record(self._position)
            self.published = self.target
        else:
            self.unpublished = self.part
        return self._position.sequence

    def _prepare(self, recorded: Position | None) -> Position:
        self._disk.make_folder(self.target.parent)
        target = self._disk.size(self.target)
        part = self._disk.size(self.part)
        self._found = target is not None
        position = recovered(recorded, self._shape, target, part)
        if position.state == "finished":
            # Recorded next: until now the new name may have been in memory only.
            self._disk.sync_folder(self.target.parent)
            return position
        if self._found and not self._may_replace():
            raise refusal(self.target)
        if self._mode == "append" and self._found:
            self._format.adopt(self._disk.read(self.target))  # whether it can
        self._file = self._disk.open(self.part)
        self._file.write(position.size, b"")  # cuts away what may be torn
        return position

    def _may_replace(self) -> bool:
        return self._mode != "refuse" or self._source.owns(self.target)

    async def publish(self, sequence: int) -> None:
        """Put the file in place; called again after an error it goes on there."""
        position = self._position
        if position.state == "finished" and position.sequence == sequence:
            return
        if position.state != "publishing":
            await self._complete(sequence)
            position = Position(
                sequence,
                self._size,
                "publishing",
                str(self.target),
                self._shape,
                self._base,
            )
            await self._source.record(position)
            self._position = position
        await self._in_thread(self._put_in_place)
        self._position = msgspec.structs.replace(position, state="finished")
        await self._source.record(self._position)
        self.published, self.unpublished = self.target, None

    @abstractmethod
    async def _complete(self, sequence: int) -> None:
        """Bring the part up to item `sequence`, on the disk."""

    def _put_in_place(self) -> None:
        target = self._disk.size(self.target)
        if self._disk.size(self.part) is not None:
            if target is not None and not (self._found or self._may_replace()):
                raise SinkError(
                    f"{self.target} appeared while the crawl ran; move it away, "
                    f"the items are in {self.part}"
                )
            self._disk.rename(self.part, self.target)
        elif target != self._size:
            # Neither there nor in place already: somebody took it away.
            self._position, self._is_lost = Position(shape=self._shape), True
            raise SinkError(f"{self.part} has vanished")
        self._found = True
        self._disk.sync_folder(self.target.parent)
        self._close_file()

    async def _write_all(self, sequence: int) -> None:
        """Write the part anew, from the run's first item on."""
        self._is_lost = True
        await self._in_thread(self._begin)
        async for rows in self._source.all_rows(sequence):
            await self._in_thread(self._append, rows)
        await self._in_thread(self._end)
        self._is_lost = False

    def _begin(self) -> None:
        self._close_file()
        self._file = self._disk.open(self.part)
        self._size = self._write_start(self._file)

    def _write_start(self, file: OpenFile) -> int:
        self._base = _write_pieces(file, self._format.start(self._existing()))
        return self._base

    def _existing(self) -> Iterator[bytes]:
        """What stood in the file before this run, and stays (`--append`)."""
        if self._mode != "append" or not self._found:
            return
        left = self._base if self._position.target else None
        for piece in self._disk.read(self.target):
            yield piece[:left]
            if left is not None:
                left = max(0, left - len(piece))

    def _append(self, rows: Sequence[ItemRow]) -> None:
        assert self._file is not None
        data = self._format.encode(rows)
        self._file.write(self._size, data)
        self._size += len(data)

    def _end(self) -> None:
        assert self._file is not None
        data = self._format.end()
        self._file.write(self._size, data)
        self._size += len(data)
        self._file.sync()

    async def _in_thread(
        self, call: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs
    ) -> None:
        try:
            await to_thread.run_sync(lambda: call(*args, **kwargs))
        except OSError as exc:
            why = exc.strerror or str(exc)
            raise SinkError(f"{self.part} cannot be written: {why}") from exc

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    async def close(self) -> None:
        if self._file is not None:
            await self._in_thread(self._leave)

    def _leave(self) -> None:
        self._close_file()
        if self._size == 0 or self._is_lost:
            self._disk.remove(self.part)  # nothing in it is worth keeping
            self.unpublished = None


def _write_pieces(file: OpenFile, pieces: Iterable[bytes]) -> int:
    size = 0
    for piece in pieces:
        file.write(size, piece)
        size += len(piece)
    return size


class GrowingFile(FileSink):
    """A file that holds all items but those of the last second, as the crawl goes."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        format: Format,
        *,
        mode: Mode = "refuse",
        disk: Disk = LOCAL,
    ) -> None:
        super().__init__(path, format, mode=mode, disk=disk)
        self._buffer: list[bytes] = []
        self._taken = 0

    async def open(self, source: Source) -> int:
        self._taken = await super().open(source)
        return self._taken

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
                self._size,
                target=self._position.target,
                shape=self._shape,
                base=self._base,
            )
        return self._position

    def _flush(self) -> None:
        """One visit to the disk: what is buffered, and the wait until it is safe."""
        if self._file is None:
            self._reopen()
        assert self._file is not None
        if self._size == 0:
            self._size = self._write_start(self._file)
        data = b"".join(self._buffer)
        self._file.write(self._size, data)
        self._file.sync()
        self._size += len(data)
        self._buffer.clear()

    def _reopen(self) -> None:
        """The file was put in place, and more items came: they follow in a copy."""
        file = self._file = self._disk.open(self.part)
        self.published, self.unpublished = None, self.part
        if _write_pieces(file, self._disk.read(self.target)) != self._size:
            raise SinkError(f"{self.target} was changed after it was published")

    async def _complete(self, sequence: int) -> None:
        await self.save(sequence)
        await self._in_thread(self._check)
        if self._is_lost:
            await self._write_all(sequence)

    def _check(self) -> None:
        """Whether somebody took the file away under our hands."""
        if self._disk.size(self.part) != self._size:
            self._is_lost = True


class StoredFile(FileSink):
    """A file that cannot be cut and gone on with: written when the run publishes."""

    is_growing = False

    async def open(self, source: Source) -> int:
        sequence = await super().open(source)
        self.unpublished = None
        if self._position.state != "finished":
            # It could be made: all that was to be known. Its content comes later.
            self._position, self._size = Position(shape=self._shape), 0
            await self._in_thread(self._leave)
            return 0
        return sequence

    async def write(self, rows: Sequence[ItemRow]) -> None:
        """Nothing: the store keeps them until they are wanted."""

    async def _complete(self, sequence: int) -> None:
        await self._in_thread(self._adopt)
        if self._format.looks:
            async for rows in self._source.all_rows(sequence):
                self._format.look(rows)
        await self._write_all(sequence)

    def _adopt(self) -> None:
        self._format.adopt(self._existing())
