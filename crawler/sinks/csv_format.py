"""Items as CSV (RFC 4180): a header, and one row for each item.

Rule: columns come in order of first appearance; nested values are JSON in their cell.
"""

from __future__ import annotations

import codecs
import csv
import io
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec

from crawler.errors import ConfigError
from crawler.pipelines.item_type import ItemType
from crawler.sinks.base import UnfitItem
from crawler.sinks.formats import Format, with_line_end
from crawler.store.base import ItemRow

logger = logging.getLogger(__name__)

#: A spreadsheet reads text that begins with one of these characters as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
#: Maximum length in bytes of the header line of an existing CSV file.
_LONGEST_HEADER = 1 << 20
_encode = msgspec.json.Encoder().encode


class Csv(Format):
    """The format of a CSV file. If an item type is given, only its fields become
    columns.

    A `'` is put before text that a spreadsheet would run as a formula, unless
    `guard_formulas` is off. Numbers stay unchanged, even if they are text. `encoding`
    is any encoding of Python, such as "utf-8-sig", which old versions of Excel need.
    """

    appends = True

    def __init__(
        self,
        item_type: ItemType | Sequence[str] | None = None,
        *,
        guard_formulas: bool = True,
        encoding: str = "utf-8",
        delimiter: str = ",",
    ) -> None:
        columns = item_type.names if isinstance(item_type, ItemType) else item_type
        self._encoding = _known_encoding(encoding)
        self._delimiter = _one_character(delimiter)
        self.looks = columns is None
        self.grows = columns is not None
        self._columns = dict.fromkeys(columns or ())
        #: Whether the columns are those of an existing file, which is continued.
        self._is_adopted = False
        self._left_out: set[str] = set()
        self._guard = guard_formulas
        named = "" if columns is None else _encode(list(self._columns)).decode()
        how = "" if guard_formulas else "unguarded "
        if (encoding, delimiter) != ("utf-8", ","):
            how += f"{encoding} {delimiter} "
        self.shape = f"csv {how}{named}".strip()

    def adopt(self, existing: Iterable[bytes]) -> None:
        try:
            names = self._names(_header(existing))
        except (UnicodeDecodeError, csv.Error) as exc:
            encoding = self._encoding.upper()
            raise ConfigError(
                f"the existing file is not a CSV file in {encoding}: {exc}; set the "
                "file's encoding in the output, or name another file"
            ) from exc
        if not names:
            return  # the existing file is empty
        known = dict.fromkeys(self._unguarded(name) for name in names)
        for column in self._columns:
            if column not in known:
                raise ConfigError(
                    f"the existing file has no column for the items' field {column!r}; "
                    "write to another file, or list the file's columns in `fields`"
                )
        self._columns = known
        self._is_adopted = True

    def _names(self, header: bytes) -> list[str]:
        text = header.decode(self._encoding).removeprefix("\ufeff")
        table = io.StringIO(text, newline="")
        return next(csv.reader(table, delimiter=self._delimiter), [])

    def look(self, rows: Sequence[ItemRow]) -> None:
        for row in rows:
            if self._is_adopted:
                self._refuse_others(row)
            else:
                self._columns.update(dict.fromkeys(row.item))

    def _refuse_others(self, row: ItemRow) -> None:
        for field in row.item:
            if field not in self._columns:
                raise UnfitItem(
                    f"--append: the CSV file has no column for the field {field!r} of "
                    f"item {row.sequence}; write the items to another file with "
                    "`crawl export JOB -o OTHER.csv`"
                )

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        pieces = filter(None, existing)
        first = next(pieces, None)
        if first is not None:
            yield from with_line_end(chain([first], pieces), b"\r\n")
        elif self._columns:
            header = self._lines([[self._cell(name) for name in self._columns]])
            yield b"" if self._encoding != "utf-8-sig" else codecs.BOM_UTF8
            yield header

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        columns = self._columns
        lines = []
        for row in rows:
            item = row.item
            lines.append([self._cell(item.get(name)) for name in columns])
            if not item.keys() <= columns.keys():
                self._note_left_out(item)
        return self._lines(lines)

    def _note_left_out(self, item: dict[str, Any]) -> None:
        for field in item.keys() - self._columns.keys() - self._left_out:
            self._left_out.add(field)
            logger.warning(
                "The CSV output has no column for the field %r, so the field's values "
                "are not written; add the field to the output's `fields`",
                field,
            )

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
        csv.writer(text, delimiter=self._delimiter).writerows(rows)
        # The byte order mark of utf-8-sig belongs only at the beginning of the file.
        encoding = "utf-8" if self._encoding == "utf-8-sig" else self._encoding
        try:
            return text.getvalue().encode(encoding)
        except UnicodeEncodeError as exc:
            wrong = exc.object[exc.start]
            raise UnfitItem(
                f"The encoding {self._encoding} of the CSV output cannot encode the "
                f'character {wrong!r}; choose encoding = "utf-8"'
            ) from exc


def _known_encoding(name: str) -> str:
    try:
        found = codecs.lookup(name).name
        "a\n".encode(found)
    except (LookupError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"encoding = {name!r} of the CSV output is unknown to Python; use utf-8"
        ) from exc
    if "a\n".encode(found)[-2:] != b"a\n":
        raise ConfigError(
            f"encoding = {name!r}: a CSV file in this encoding cannot be continued "
            "after a stop; use utf-8, utf-8-sig or a single-byte encoding"
        )
    return found


def _one_character(delimiter: str) -> str:
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ConfigError(
            f"delimiter = {delimiter!r} of the CSV output must be one character, such "
            "as `;`, and neither a quote nor a line end"
        )
    return delimiter


def _header(pieces: Iterable[bytes]) -> bytes:
    """Return the first record of a CSV file, the header; it may have several lines,
    because a quoted cell may contain line ends."""
    read = b""
    for piece in pieces:
        read += piece
        end = 0
        while (end := read.find(b"\n", end) + 1) > 0:
            if read.count(b'"', 0, end) % 2 == 0:
                return read[:end]
        if len(read) > _LONGEST_HEADER:
            break
    return read
