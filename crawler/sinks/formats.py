"""Formats: turn rows into the bytes of a file. No I/O.

Rule: if a format `grows`, the bytes that `encode` returns depend only on the rows
of the call and on `shape`. So a file may be cut after the bytes of any
call, and continued from there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from crawler.pipelines.item_type import ItemType
from crawler.store.base import ItemRow


class Format(ABC):
    """Turns items into the bytes of a file. Most formats need only `encode`.

        class Titles(Format):
            shape, grows = "titles", True

            def encode(self, rows: Sequence[ItemRow]) -> bytes:
                return b"".join(row.item["title"].encode() + b"\n" for row in rows)

    One object writes one file. `start` begins the file; it is called again if the file
    must be rewritten.
    """

    def __init__(self, item_type: ItemType | None = None) -> None:  # noqa: B027
        """Create the format of one file. `item_type` is the items' type, if it is
        known; most formats do not need it.

        The keyword-only arguments of a format's class are its options in
        [outputs.NAME].
        """

    #: The format's name and options. A format may continue a file that was written with
    #: an equal `shape`.
    shape: str
    #: Whether a file may be cut after the bytes of any call of `encode` and continued,
    #: so that it is written during the run. If not, the whole file is written when the
    #: run publishes.
    grows = False
    #: Whether items can be added to an existing file (`--append`).
    appends = False
    #: Whether the format must see all rows, by `look`, before it writes the first row.
    looks = False

    def adopt(self, existing: Iterable[bytes]) -> None:  # noqa: B027  # few append
        """Read an existing file, to which items will be added. Raises ConfigError if
        the items do not fit it, for example because it has other columns."""

    def look(self, rows: Sequence[ItemRow]) -> None:  # noqa: B027  # few look
        """Look at rows before the first row is written; called with all rows, but only
        if the format `looks`."""

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bytes that precede the first new row, such as a header. For a file
        that is continued, begin with `existing`, the bytes that it already has."""
        yield from existing

    @abstractmethod
    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        """Return the bytes of these rows; a format that collects rows may return them
        from a later call."""

    def end(self) -> bytes:
        """Return all bytes of the file after the last row."""
        return b""


class JsonLines(Format):
    """The format JSON lines: one JSON object on each line."""

    shape = "jsonl"
    grows = appends = True

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        return with_line_end(existing, b"\n")

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        return b"".join([row.body + b"\n" for row in rows])


class JsonArray(Format):
    """The format of one JSON array with all items, one item on each line."""

    shape = "json"

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        self._is_first = True
        yield b"["

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        if not rows:
            return b""
        start = b"\n" if self._is_first else b",\n"
        self._is_first = False
        return start + b",\n".join([row.body for row in rows])

    def end(self) -> bytes:
        return b"\n]\n"


def with_line_end(existing: Iterable[bytes], line_end: bytes) -> Iterator[bytes]:
    """Yield the bytes of an existing file, and then `line_end` if the file's last line
    has no line end."""
    last = b"\n"
    for piece in existing:
        yield piece
        last = piece[-1:] or last
    if last != b"\n":
        yield line_end
