"""What all files and objects share: their place, their recovery, their publishing.

Rule: the bytes reach the location before the store records their position. Bytes behind
the recorded position may be torn and are cut off. A kill between any two steps neither
doubles nor loses an item.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, ParamSpec

import msgspec
from anyio import to_thread

from crawler.errors import ConfigError, OutputExists, SinkError
from crawler.sinks.base import Owns, Position, Sink, Source
from crawler.sinks.disk import OpenFile
from crawler.sinks.formats import Format
from crawler.sinks.location import Location, stem
from crawler.store.base import ItemRow

#: What happens if something is in place that this job did not publish.
Mode = Literal["refuse", "replace", "append"]

_P = ParamSpec("_P")


def refusal(target: str) -> OutputExists:
    """The error for a place that holds something of another job."""
    return OutputExists(
        f"Output {target} exists and was not written by this job; "
        "use --overwrite, --append or another name"
    )


def recovered(
    position: Position | None, shape: str, target: int | None, part: int | None
) -> Position:
    """Where to continue: the recorded position, checked against the sizes of what is in
    place and of the part."""
    anew = Position(shape=shape)
    if position is None or position.shape != shape:
        return anew
    if position.state == "finished":
        return position if target is not None else anew
    if part is not None and part >= position.size:
        if position.state == "writing":
            return position
        # The part is there, so it was not put in place.
        return Position(
            position.sequence, position.size, shape=shape, base=position.base
        )
    if position.state == "publishing" and part is None and target == position.size:
        return msgspec.structs.replace(position, state="finished")
    return anew


class FileSink(Sink):
    """The common part of all files: their place, their recovery, their publishing.

    Its attributes are many, because recovery compares what was recorded, what is in
    place, what the part holds and what is buffered.
    """

    def __init__(
        self,
        location: Location,
        format: Format,
        *,
        mode: Mode = "refuse",
        schema: bytes | None = None,
    ) -> None:
        self.location = location
        #: The JSON Schema that is put beside the file.
        self._schema = schema
        self._format = format
        self._mode = mode
        self._file: OpenFile | None = None
        #: Rows that are encoded and not written yet, and the number of the last one.
        self._buffer: list[bytes] = []
        self._taken = 0
        self._size = self._base = 0
        #: Where this run publishes: the location, or beside it.
        self._place = location
        self._label = self._before = ""
        #: Where an earlier process published this run, beside the location.
        self._stale: Location | None = None
        #: Something was in place when the run began, and may be replaced.
        self._found = False
        #: The part is not what was written to it; it must be written again.
        self._is_lost = False

    @property
    def name(self) -> str:
        return f"file {self.location.text}"

    @property
    def _part(self) -> str:
        """The part as an error names it."""
        return self.location.part_text or self.location.text

    @property
    def _shape(self) -> str:
        return self._format.shape + (" append" if self._mode == "append" else "")

    def check(self, owns: Owns) -> None:
        try:
            if not self.location.exists():
                return
            if self._mode == "append":
                self._format.adopt(self.location.read())
        except OSError as exc:
            raise self._unwritable(exc) from exc
        if self._mode == "refuse" and not owns(self.location.text):
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
            raise ConfigError(f"{self._part} is being written by another run") from exc
        except OSError as exc:
            self._close_file()
            raise self._unwritable(exc) from exc
        self._size, self._base = self._position.size, self._position.base
        if self._position.state == "finished":
            if recorded != self._position:
                await source.record(self._position)
            self.published = self.location.text
        else:
            self.unpublished = self.location.part_text
        self._taken = self._position.sequence
        return self._taken

    def _prepare(self, recorded: Position | None) -> Position:
        place = self.location
        place.prepare()
        target, part = place.size(), place.part_size()
        self._found = target is not None
        if recorded is not None and recorded.aside:
            # This run was published beside the place: it is written once more.
            self._stale, target = place.beside(recorded.aside), None
        if self._mode == "append" and self._found:
            self._format.adopt(place.read())
        is_half = recorded is not None and recorded.state == "publishing"
        if recorded and is_half and not self._is_marked_anew(place, recorded.before):
            target = None  # what is in place was there before
        position = recovered(recorded, self._shape, target, part)
        if position.state == "finished":
            # Recorded next: until now the new name may have been in memory only.
            place.settle()
            return position
        if self._found and not self._may_replace():
            raise refusal(place.text)
        self._file = place.open()
        self._file.write(position.size, b"")  # cuts off what may be torn
        return position

    @staticmethod
    def _is_marked_anew(place: Location, before: str) -> bool:
        return not before or place.mark() != before

    def _may_replace(self) -> bool:
        return self._mode != "refuse" or self._source.owns(self.location.text)

    async def set_aside(self, sequence: int, label: str) -> None:
        # What is in place may be this very run's, if pages were retried.
        is_own = self._position.target == self.location.text
        if self._found and not is_own and self.kept is None:
            self.kept, self._label = self.location.text, label
            self._place = self.location.beside(label)
        await self.publish(sequence)

    async def publish(self, sequence: int) -> None:
        """Put the file in place; called again after an error it continues there."""
        position = self._position
        if position.state == "finished" and position.sequence == sequence:
            return
        if position.state != "publishing":
            await self._complete(sequence)
            position = Position(
                sequence,
                self._size,
                "publishing",
                self._place.text,
                self._shape,
                self._base,
                aside=self._label,
                kept=self._kept_own(),
                before=await to_thread.run_sync(self._mark),
            )
            await self._source.record(position)
            self._position = position
        await self._in_thread(self._put_in_place)
        self._position = msgspec.structs.replace(position, state="finished")
        await self._source.record(self._position)
        self.published, self.unpublished = self._place.text, None

    def _mark(self) -> str:
        self._before = self._place.mark()
        return self._before

    def _kept_own(self) -> str:
        """The place that is kept, if it is the job's: it remains the job's."""
        return self.kept if self.kept and self._source.owns(self.kept) else ""

    @abstractmethod
    async def _complete(self, sequence: int) -> None:
        """Write the part durably up to item `sequence`."""

    def _put_in_place(self) -> None:
        place = self._place
        target = place.size()
        if place.part_size() is not None:
            may_replace = self._found or self._may_replace()
            is_other = target != self._size or not place.holds_part()
            if target is not None and not may_replace and is_other:
                raise SinkError(
                    f"{place.text} appeared while the crawl ran; move it away, "
                    f"the items are in {place.part_text or 'the state'}"
                )
            if self._schema is not None:
                put(place.named(f"{stem(place.text)}.schema.json"), self._schema)
            place.publish()
        elif target == self._size and self._is_marked_anew(place, self._before):
            place.settle()  # an earlier try has put it in place
        else:
            self._position, self._is_lost = Position(shape=self._shape), True
            raise SinkError(f"{self._part} has vanished")
        if self._stale is not None and self._stale.text != place.text:
            self._stale.remove()
        self._found = True
        self._close_file()

    async def _write_all(self, sequence: int) -> None:
        """Write the part again, from the run's first item on."""
        self._is_lost = True
        await self._in_thread(self._begin)
        async for rows in self._source.all_rows(sequence):
            await self._in_thread(self._append, rows)
        await self._in_thread(self._end)
        self._is_lost = False

    def _begin(self) -> None:
        self._close_file()
        self._file = self.location.open()
        self._size = self._write_start(self._file)

    def _write_start(self, file: OpenFile) -> int:
        self._base = write_pieces(file, self._format.start(self._existing()))
        return self._base

    def _existing(self) -> Iterator[bytes]:
        """The content from before this run, which stays (`--append`)."""
        if self._mode != "append" or not self._found:
            return
        left = self._base if self._position.target else None
        for piece in self.location.read():
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
            raise SinkError(f"{self._part} cannot be written: {why}") from exc

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
            self.location.remove_part()  # it holds no items
            self.unpublished = None


def put(place: Location, content: bytes) -> None:
    """Put a small file in place, whole."""
    part = place.open()
    try:
        part.write(0, content)
        part.sync()
        place.publish()
    finally:
        part.close()


def write_pieces(file: OpenFile, pieces: Iterable[bytes]) -> int:
    size = 0
    for piece in pieces:
        file.write(size, piece)
        size += len(piece)
    return size
