"""Items on standard output, one JSON object a line, as they are committed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from anyio import to_thread

from crawler.errors import SinkError
from crawler.sinks.base import PipeClosed, Sink, Source
from crawler.store.base import ItemRow
from crawler.web.lazy_regex import lazy_regex


class StandardOutput(Sink):
    """Writes items as JSON lines to `stream`, by default the process's standard output.

    A resumed run continues after the last line that was recorded as written. After a
    crash the lines of the last second may be written twice.
    """

    is_prompt = True

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._left = b""
        self._given = 0

    @property
    def name(self) -> str:
        return "stdout"

    async def open(self, source: Source) -> int:
        self._stream = self._stream or sys.stdout
        self._given = await super().open(source)
        return self._given

    async def write(self, rows: Sequence[ItemRow]) -> None:
        """Write rows. If this call raises an error, the next call continues after the
        last written byte."""
        new = [row.body for row in rows if row.sequence > self._given]
        if new:
            text = b"\n".join(new) + b"\n"
            self._left += for_terminal(text) if self._is_terminal() else text
            self._given = rows[-1].sequence
        # With `abandon_on_cancel` the crawl can be cancelled even if the program that
        # reads our output has stopped reading.
        await to_thread.run_sync(self._write, abandon_on_cancel=True)

    def _is_terminal(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def _write(self) -> None:
        assert self._stream is not None
        try:
            descriptor = _descriptor(self._stream)
            if descriptor is None:
                self._stream.write(self._left.decode())
                self._left = b""
            self._stream.flush()
            while self._left and descriptor is not None:
                # os.write bypasses the stream's buffer, which would keep data after an
                # error and write it twice.
                self._left = self._left[os.write(descriptor, self._left[:_PIECE]) :]
        except BrokenPipeError as exc:
            raise PipeClosed(
                "The reader of standard output has closed the pipe"
            ) from exc
        except OSError as exc:
            raise SinkError(
                f"Standard output cannot be written: {exc.strerror}"
            ) from exc


_PIECE = 1 << 16
#: Characters that JSON need not escape, but that move a cursor, change the writing
#: direction, or start a terminal control sequence.
_CONTROLS = lazy_regex("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def for_terminal(lines: bytes) -> bytes:
    """Return JSON lines with the characters of _CONTROLS escaped; the values stay the
    same."""
    text = lines.decode(errors="replace")
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def _descriptor(stream: TextIO) -> int | None:
    """Return the stream's file descriptor; None if it has none (a notebook, a test)."""
    try:
        return stream.fileno()
    except (OSError, AttributeError, ValueError):
        return None
