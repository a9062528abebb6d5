"""Formats: turn rows into the bytes of a file. Pure, no I/O.

Rule: a piece of a growing format depends only on its rows and on `shape`. So a file may
be cut between any two pieces and continued.
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
        """`item_type` describes the items, if their type is known; most formats do not
        need it.

        Keyword-only arguments of a format are its options in [outputs.NAME].
        """

    #: Equal for formats that may continue each other's files.
    shape: str
    #: Whether a file may be cut between two pieces and continued, so that it is written
    #: during the run. If not, it is written when the run publishes.
    grows = False
    #: Whether the items of an existing file may stay and come first (`--append`).
    appends = False
    #: Whether the format must see all rows, by `look`, before the first one is written.
    looks = False

    def adopt(self, existing: Iterable[bytes]) -> None:  # noqa: B027  # few append
        """Read an existing file whose items stay and come first. ConfigError if it does
        not fit."""

    def look(self, rows: Sequence[ItemRow]) -> None:  # noqa: B027  # few look
        """See rows before any is written; called only if the format `looks`."""

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        """Yield everything before the first row, including `existing`."""
        yield from existing

    @abstractmethod
    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        """Return the bytes of these rows; a format that collects rows may return none
        yet."""

    def end(self) -> bytes:
        """Return everything after the last row."""
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
    """One JSON array of all items, one item a line."""

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
    """Yield the pieces, and `line_end` if the last line lacks its end."""
    last = b"\n"
    for piece in existing:
        yield piece
        last = piece[-1:] or last
    if last != b"\n":
        yield line_end
