"""Reads rows of CSV as dicts, piece by piece; dialect and encoding are detected.

Rule: no I/O. Only the first 64 KiB are used for the detection.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence

from crawler.web import encoding as encodings

HEAD = 64 * 1024
#: Maximum number of characters in one row, in case a quoted field has no end.
LONGEST = 1024**2
_DELIMITERS = ",;\t|"


class CsvRecords:
    """Reads rows as dicts whose keys are the first row, or `names`.

    If a row is not CSV, the rows before it are yielded; then ValueError is raised.
    """

    def __init__(
        self, charset: str | None = None, names: Sequence[str] = (), delimiter: str = ""
    ) -> None:
        self._charset = charset
        self._names = list(names)
        self._delimiter = delimiter
        self._head: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._dialect: type[csv.Dialect] = csv.excel
        self._rest = ""
        #: The lines of an incomplete row, whose last quoted field has no end yet.
        self._open: list[str] = []
        #: Number of quotes in the incomplete row.
        self._quotes = 0
        #: Number of characters in the incomplete row.
        self._size = 0

    def feed(self, data: bytes) -> Iterator[dict[str, str]]:
        """Yield the rows that this piece of the text completes."""
        if self._head is not None:
            self._head += data
            if len(self._head) < HEAD:
                return
            data = self._find()
        assert self._decoder is not None
        yield from self._rows(self._decoder.decode(data))

    def close(self) -> Iterator[dict[str, str]]:
        """Yield the rows that the end of the text completes."""
        data = self._find() if self._head is not None else b""
        assert self._decoder is not None
        yield from self._rows(self._decoder.decode(data, True))
        yield from self._parsed([*self._open, self._rest] if self._rest else self._open)

    def _find(self) -> bytes:
        """Detect encoding and dialect from the bytes received so far; return these
        bytes."""
        head, self._head = self._head or b"", None
        # Ignore the last, incomplete line: a character cut in it would look like an
        # error.
        whole = head[: head.rfind(b"\n", 0, HEAD) + 1] or head
        text, name = encodings.decode(whole, self._charset, html=False)
        self._decoder = _decoder_of(name)
        if self._delimiter:
            self._dialect = _dialect(self._delimiter)
            return head
        lines = text[:HEAD].splitlines()[:200]
        self._dialect = _dialect(_delimiter_of(lines))
        return head

    def _rows(self, text: str) -> Iterator[dict[str, str]]:
        *lines, self._rest = (self._rest + text).split("\n")
        ready: list[str] = []
        for line in lines:
            self._open.append(line + "\n")
            self._quotes += line.count('"')
            self._size += len(line)
            if self._quotes % 2 == 0 or self._size > LONGEST:
                ready += self._open
                self._open, self._quotes, self._size = [], 0, 0
        yield from self._parsed(ready)

    def _parsed(self, lines: Sequence[str]) -> Iterator[dict[str, str]]:
        try:
            for row in filter(None, csv.reader(lines, self._dialect)):
                if self._names:
                    yield self._record(row)
                    continue
                stripped = [name.strip().removeprefix("\ufeff") for name in row]
                named = enumerate(stripped, 1)
                self._names = [name or f"column_{number}" for number, name in named]
        except csv.Error as exc:
            raise ValueError(f"the text is not valid CSV: {exc}") from exc

    def _record(self, row: list[str]) -> dict[str, str]:
        names = self._names
        record = dict(zip(names, row, strict=False))
        for number in range(len(row), len(names)):
            record[names[number]] = ""
        for number in range(len(names), len(row)):
            record[f"column_{number + 1}"] = row[number]
        return record


def _decoder_of(name: str) -> codecs.IncrementalDecoder:
    """Return Python's decoder for a WHATWG encoding; Latin-1 if Python has none."""
    name = "utf-8-sig" if name.lower() == "utf-8" else name
    try:
        return codecs.getincrementaldecoder(name)("replace")
    except LookupError:
        return codecs.getincrementaldecoder("latin-1")("replace")


def _dialect(delimiter: str) -> type[csv.Dialect]:
    return type("Found", (csv.excel,), {"delimiter": delimiter})


def _delimiter_of(lines: Sequence[str]) -> str:
    """Return the delimiter by which most rows have as many fields as the first row."""
    if not lines:
        return ","
    best, most = ",", (0, 0)
    for delimiter in _DELIMITERS:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        if not counts or counts[0] < 2:
            continue
        same = sum(count == counts[0] for count in counts)
        if (same, counts[0]) > most:
            best, most = delimiter, (same, counts[0])
    return best
