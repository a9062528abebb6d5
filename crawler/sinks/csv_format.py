"""Items as a table, RFC 4180: a header, a row an item, values that a sheet shows.

Rule: columns come in order of first appearance; nested values are JSON in their cell.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from crawler.errors import ConfigError
from crawler.pipelines.items import decode
from crawler.store.base import ItemRow

#: What a spreadsheet takes for the start of a formula, in narrow and in wide letters.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_encode = msgspec.json.Encoder().encode


class Csv:
    """The format of a CSV file; with `columns` it has these and no others.

    Text that a spreadsheet would run as a formula gets a `'` before it, unless
    `guard_formulas` is off; numbers, also as text, stay as they are.
    """

    def __init__(
        self, columns: Sequence[str] | None = None, *, guard_formulas: bool = True
    ) -> None:
        self.looks = columns is None
        self._columns = dict.fromkeys(columns or ())
        self._adopted = 0
        self._guard = guard_formulas
        named = "" if columns is None else _encode(list(self._columns)).decode()
        self.shape = f"csv {'' if guard_formulas else 'unguarded '}{named}".strip()

    def adopt(self, existing: Iterable[bytes]) -> None:
        """The columns of `existing` come first; ConfigError if it is no table."""
        head = next(_records(existing), b"").removeprefix(codecs.BOM_UTF8)
        try:
            names = next(csv.reader(io.StringIO(head.decode(), newline="")), [])
        except (UnicodeDecodeError, csv.Error) as exc:
            raise ConfigError(f"--append needs a CSV file in UTF-8: {exc}") from exc
        known = [self._unguarded(name) for name in names]
        self._columns = dict.fromkeys((*known, *self._columns))
        self._adopted = len(dict.fromkeys(known))

    def look(self, rows: Sequence[ItemRow]) -> None:
        for row in rows:
            self._columns.update(dict.fromkeys(decode(row.body)))

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        records = _records(existing)
        head = next(records, b"")
        if not head:
            if self._columns:
                yield self._lines([[self._cell(name) for name in self._columns]])
            return
        # Columns that the file lacks are added to its right, empty where it has rows.
        names = [self._cell(name) for name in list(self._columns)[self._adopted :]]
        yield _widened(head, b"," + self._lines([names]).rstrip() if names else b"")
        for record in records:
            yield _widened(record, b"," * len(names))

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        items = [decode(row.body) for row in rows]
        return self._lines(
            [[self._cell(item.get(name)) for name in self._columns] for item in items]
        )

    def end(self) -> bytes:
        return b""

    def _cell(self, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            return _encode(value).decode()
        is_formula = self._guard and value.startswith(_FORMULA)
        return f"'{value}" if is_formula and not _NUMBER.fullmatch(value) else value

    def _unguarded(self, name: str) -> str:
        is_guarded = self._guard and name[:1] == "'" and name[1:].startswith(_FORMULA)
        return name[1:] if is_guarded else name

    def _lines(self, rows: Sequence[Sequence[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        return text.getvalue().encode()


def _widened(record: bytes, tail: bytes) -> bytes:
    line = record.rstrip(b"\r\n")
    # Another tool may have left its last line open.
    return line + (tail if line else b"") + (record[len(line) :] or b"\r\n")


def _records(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The records of a CSV file with their line ends: a quoted cell may hold some."""
    record: list[bytes] = []
    quotes = 0
    for line in _lines_of(pieces):
        record.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            yield b"".join(record)
            record.clear()
    if record:
        yield b"".join(record)


def _lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        # The last may go on in the next piece, if only by the second half of CR LF.
        *lines, rest = (rest + piece).splitlines(keepends=True) or [b""]
        yield from lines
    if rest:
        yield rest
