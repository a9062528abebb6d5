"""Sends the output of `print` in a spider to standard error, where the log is.

Rule: only items and the result of a command go to standard output.
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
    """Send text that is written to `sys.stdout` to standard error while the block runs.

    With `as_json` each line is written as a JSON object, like the log. File descriptor
    1 does not change, because items are written to the descriptor.
    """
    real = sys.stdout
    try:
        real.fileno()
    except (OSError, ValueError, AttributeError):
        # Without a descriptor, as in a notebook, items are written to `sys.stdout`
        # itself, so it must stay as it is.
        yield
        return
    printed = _PrintedLines(real) if as_json else _Printed(real)
    sys.stdout = printed
    try:
        yield
    finally:
        printed.end()
        if sys.stdout is printed:
            sys.stdout = real


class _Printed(io.TextIOBase):
    """Replaces `sys.stdout`: text goes to standard error.

    `fileno` still returns the descriptor of standard output, for items.
    """

    def __init__(self, real: TextIO) -> None:
        super().__init__()
        self._real = real

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._real.encoding

    @property
    def buffer(self) -> io.BufferedIOBase:
        """Return the binary buffer of standard error."""
        return sys.stderr.buffer  # type: ignore[return-value]

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        self._real.flush()
        sys.stderr.flush()

    def end(self) -> None:
        """Write an incomplete last line, if there is one."""

    def fileno(self) -> int:
        return self._real.fileno()

    def isatty(self) -> bool:
        return self._real.isatty()


class _PrintedLines(_Printed):
    """Writes each complete line to standard error as a JSON object."""

    def __init__(self, real: TextIO) -> None:
        super().__init__(real)
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            moment = datetime.now(UTC)
            sys.stderr.write(json_line("info", line, moment, logger="print") + "\n")
        return len(text)

    def end(self) -> None:
        if self._rest:
            self.write("\n")
