"""The bytes of rows in a file: pure, no I/O.

Rule: a piece of a growing format depends only on the rows of that piece and on `shape`,
so a file may be cut between any two pieces and continued.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from crawler.pipelines.item_type import ItemType
from crawler.store.base import ItemRow


class Format(ABC):
    """How items become the bytes of a file; most formats need `encode` only.

    class Titles(Format):
        shape, grows = "titles", True

        def encode(self, rows: Sequence[ItemRow]) -> bytes:
            return b"".join(row.item["title"].encode() + b"\\n" for row in rows)

    One object writes one file. `start` begins the file, also for a second time if it
    has to be written again.
    """

    def __init__(self, item_type: ItemType | None = None) -> None:  # noqa: B027
        """`item_type` is what is known of the items; most formats need nothing of it.
        Keyword-only arguments of a format are its options in [outputs.NAME]."""

    #: Equal for formats that may continue each other's files.
    shape: str
    #: A file may be cut between two pieces and continued, so it is written as the run
    #: goes. Else it is written from the store when the run publishes.
    grows = False
    #: The items of another file may stay and come first (`--append`).
    appends = False
    #: Sees all rows by `look` before the first one is written.
    looks = False

    def adopt(self, existing: Iterable[bytes]) -> None:  # noqa: B027  # few append
        """Read a file whose items stay and come first; ConfigError if it cannot."""

    def look(self, rows: Sequence[ItemRow]) -> None:  # noqa: B027  # few look
        """See rows before any is written; only if the format `looks`."""

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        """Begin the file: everything before the first row, `existing` included."""
        yield from existing

    @abstractmethod
    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        """The bytes of these rows; a format that gathers rows may give none yet."""

    def end(self) -> bytes:
        """Everything behind the last row."""
        return b""


class JsonLines(Format):
    """One JSON object a line."""

    shape = "jsonl"
    grows = appends = True

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        return with_line_end(existing, b"\n")

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        return b"".join([row.body + b"\n" for row in rows])


class JsonArray(Format):
    """One JSON array of all items, an item a line."""

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
    """The pieces, and `line_end` if another tool left the last line open."""
    last = b"\n"
    for piece in existing:
        yield piece
        last = piece[-1:] or last
    if last != b"\n":
        yield line_end
