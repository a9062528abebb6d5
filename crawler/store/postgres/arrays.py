"""Packs columns of rows as PostgreSQL's binary arrays, in one step.

psycopg packs each element of a list separately, which takes as long as the rest of a
commit. Rule: a column has no NULL; if a table needs one, the SQL statement produces it.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = Struct(">iiIii")
_LENGTH = Struct(">i")


class _Column:
    """The values of one column, packed as a PostgreSQL array."""

    __slots__ = ("packed",)

    def __init__(self, element: int, count: int, body: bytes) -> None:
        self.packed = _HEAD.pack(1, 0, element, count, 1) + body


class Bigints(_Column):
    """A column of 64-bit signed integers."""

    __slots__ = ()

    def __init__(self, values: Iterable[int]) -> None:
        cells = _cells(">iq", 8, values)
        super().__init__(20, len(cells), b"".join(cells))


class Integers(_Column):
    """A column of 32-bit signed integers."""

    __slots__ = ()

    def __init__(self, values: Iterable[int]) -> None:
        cells = _cells(">ii", 4, values)
        super().__init__(23, len(cells), b"".join(cells))


class Floats(_Column):
    """A column of double precision numbers."""

    __slots__ = ()

    def __init__(self, values: Iterable[float]) -> None:
        cells = _cells(">id", 8, values)
        super().__init__(701, len(cells), b"".join(cells))


class Blobs(_Column):
    """A column of bytes."""

    __slots__ = ()

    def __init__(self, values: Iterable[bytes]) -> None:
        cells = list(values)
        super().__init__(17, len(cells), _joined(cells))


class Texts(_Column):
    """A column of texts; NUL and lone surrogates, which PostgreSQL refuses, are
    replaced."""

    __slots__ = ()

    def __init__(self, values: Iterable[str]) -> None:
        cells = [clean(value).encode() for value in values]
        super().__init__(25, len(cells), _joined(cells))


def clean(text: str) -> str:
    """Return the text with replacements for characters that PostgreSQL refuses."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _cells(layout: str, size: int, values: Iterable[float]) -> list[bytes]:
    """Return the packed bytes of each value, preceded by its size."""
    pack = Struct(layout).pack
    return [pack(size, value) for value in values]


def _joined(cells: list[bytes]) -> bytes:
    length = _LENGTH.pack
    return b"".join([part for cell in cells for part in (length(len(cell)), cell)])


def _dumper(oid_of_array: int) -> type[Dumper]:
    class ColumnDumper(Dumper):
        format = Format.BINARY
        oid = oid_of_array

        def dump(self, column: _Column) -> bytes:
            return column.packed

    return ColumnDumper


_DUMPERS = {
    Bigints: _dumper(1016),
    Integers: _dumper(1007),
    Floats: _dumper(1022),
    Blobs: _dumper(1001),
    Texts: _dumper(1009),
}


def register(connection: AsyncConnection[Any] | Connection[Any]) -> None:
    """Register these columns as parameter types of the connection."""
    for kind, dumper in _DUMPERS.items():
        connection.adapters.register_dumper(kind, dumper)
