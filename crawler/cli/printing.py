"""Where a spider's own `print` goes: to standard error, beside the log.

Rule: standard output carries items, and what a command was asked for, and nothing else.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from crawler.cli.logs import json_line


@contextmanager
def to_standard_error(*, as_json: bool = False) -> Iterator[None]:
    """While the block runs, what is written to `sys.stdout` goes to standard error;
    `as_json`: as an object for each line, like the log.

    The descriptor stays what it is: items are written to it.
    """
    real = sys.stdout
    try:
        real.fileno()
    except (OSError, ValueError, AttributeError):
        yield  # a notebook's or a test's: nothing else can be told apart
        return
    printed = _PrintedLines(real) if as_json else _Printed(real)
    sys.stdout = printed
    try:
        yield
    finally:
        if sys.stdout is printed:
            sys.stdout = real


class _Printed(io.TextIOBase):
    """Standard output to those who ask for its descriptor, standard error to those who
    write to it."""

    def __init__(self, real: TextIO) -> None:
        super().__init__()
        self._real = real

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._real.encoding

    @property
    def buffer(self) -> io.BufferedIOBase:
        """Where bytes are written: standard error."""
        return sys.stderr.buffer  # type: ignore[return-value]

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        self._real.flush()
        sys.stderr.flush()

    def fileno(self) -> int:
        return self._real.fileno()

    def isatty(self) -> bool:
        return self._real.isatty()


class _PrintedLines(_Printed):
    """Each line as a JSON object; what lacks its end waits for it."""

    def __init__(self, real: TextIO) -> None:
        super().__init__(real)
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            moment = datetime.now(UTC)
            sys.stderr.write(json_line("info", line, moment, logger="print") + "\n")
        return len(text)
