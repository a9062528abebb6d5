"""Standard output and error that neither fail nor carry what a server slipped in.

Rule: every text that came from elsewhere passes `clean` before a person sees it.
"""

from __future__ import annotations

import io
import math
import os
import re
import sys
from pathlib import Path
from typing import Any, TextIO

_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")


def clean(text: str) -> str:
    """`text` as one line without control characters: none that moves a cursor, turns
    the direction of writing, or begins a sequence that a terminal obeys."""
    return _CONTROLS.sub("", _BREAKS.sub(" ", text))


def clean_lines(text: str) -> str:
    """Like `clean`, but line by line."""
    return "\n".join(clean(line) for line in text.splitlines())


def complain(message: str) -> None:
    """Say in one line what is wrong."""
    say(f"crawl: {message}")


def say(message: str) -> None:
    """One line for a person."""
    print(clean(message), file=sys.stderr, flush=True)


def shown(place: str | Path) -> str:
    """A path, relative to the current folder if it is inside; a URL as it is."""
    if "://" in str(place):
        return str(place)
    try:
        return str(Path(place).absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(place)


def of_bytes(amount: float) -> str:
    """A number of bytes as people read it; nothing for none."""
    if not amount:
        return ""
    power = min(int(math.log10(max(amount, 1)) // 3), len(_UNITS) - 1)
    number = f"{amount / 1000**power:.1f}" if power else f"{amount:.0f}"
    return f"{number} {_UNITS[power]}"


_UNITS = ("B", "kB", "MB", "GB", "TB")


class OutputError(OSError):
    """Standard output cannot be written; nobody but the user can mend that."""


class _Descriptor(io.RawIOBase):
    """A descriptor that is written to until `failed` raises."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        try:
            return os.isatty(self._descriptor)
        except OSError:
            return False

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except BrokenPipeError as exc:
            self.failed(exc)
        except OSError as exc:
            self.failed(OutputError(exc.errno, exc.strerror))
        return size

    def failed(self, error: OSError) -> None:
        raise error


class _Forgiving(_Descriptor):
    """A descriptor that may be closed, full or a terminal that is gone."""

    def failed(self, error: OSError) -> None:
        """Nobody reads: nothing is lost that somebody could want."""


def forgiving(stream: TextIO) -> TextIO:
    """`stream`, or one to the same descriptor whose writing never fails."""
    return _over(_Forgiving, stream, line_buffering=True)


def checked(stream: TextIO) -> TextIO:
    """`stream`, or one to the same descriptor that fails with OutputError, or with
    BrokenPipeError."""
    # As Python has it: lines at once on a terminal, and where PYTHONUNBUFFERED is set.
    is_prompt = stream.isatty() or getattr(stream, "write_through", False)
    return _over(_Descriptor, stream, line_buffering=is_prompt)


def _over(kind: type[_Descriptor], stream: TextIO, *, line_buffering: bool) -> TextIO:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return stream  # a notebook's or a test's
    return io.TextIOWrapper(
        io.BufferedWriter(kind(descriptor)),
        encoding=stream.encoding or "utf-8",
        errors="backslashreplace",
        line_buffering=line_buffering,
    )


def make_safe() -> None:
    """Let descriptors 0, 1 and 2 be taken, and standard error never raise."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)  # it was closed: nothing else gets it
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = checked(sys.stdout or open(1, "w", closefd=False))  # noqa: SIM115
    sys.stderr = forgiving(sys.stderr or open(2, "w", closefd=False))  # noqa: SIM115


def let_go() -> None:
    """Write what is buffered; a reader that has gone is no error."""
    try:
        sys.stdout.flush()
    except OSError:
        # What is left in the buffer must not be tried again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stderr.flush()
