"""What rows look like in a file: pure, bytes out, no I/O.

Rule: a piece of output depends only on the rows of that piece and on what `shape`
says, so that a file may be cut anywhere between two pieces and gone on with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from crawler.store.base import ItemRow


class Format(Protocol):
    """How items become the bytes of a file."""

    #: Wants to see all rows before the first is written.
    looks: bool

    #: Equal for formats that may go on with each other's files.
    shape: str

    def adopt(self, existing: Iterable[bytes]) -> None:
        """Take note of a file whose items stay and come first (`--append`)."""
        ...

    def look(self, rows: Sequence[ItemRow]) -> None:
        """Take note of rows that will be written; only where the format `looks`."""
        ...

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        """What stands before the first row: `existing` included."""
        ...

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        """The rows."""
        ...

    def end(self) -> bytes:
        """What stands behind the last row."""
        ...


class JsonLines:
    """One JSON object a line."""

    looks = False
    shape = "jsonl"

    def adopt(self, existing: Iterable[bytes]) -> None:
        """Lines know nothing of each other."""

    def look(self, rows: Sequence[ItemRow]) -> None:
        """Never asked."""

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        last = b"\n"
        for chunk in existing:
            yield chunk
            last = chunk[-1:]
        if last != b"\n":
            yield b"\n"  # another tool left its last line open

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        return b"".join([row.body + b"\n" for row in rows])

    def end(self) -> bytes:
        return b""


class JsonArray:
    """One JSON array of all items, an item a line."""

    looks = False
    shape = "json"

    def adopt(self, existing: Iterable[bytes]) -> None:
        """Never asked: an array cannot be appended to."""

    def look(self, rows: Sequence[ItemRow]) -> None:
        """Never asked."""

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        yield b"["

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        # The first item of a run is number 1, and has no comma before it.
        return b"".join(
            [(b",\n" if row.sequence > 1 else b"\n") + row.body for row in rows]
        )

    def end(self) -> bytes:
        return b"\n]\n"
