"""Makes standard output and standard error safe: write errors are handled, and text
from a server cannot control the terminal.

Rule: text from outside goes through `clean` before it is printed for a person.
"""

from __future__ import annotations

import io
import math
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from crawler.web.lazy_regex import lazy_regex

_CONTROLS = lazy_regex(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_BREAKS = lazy_regex(r"[\t\n\v\f\r\x85\u2028\u2029]+")


def clean(text: str) -> str:
    """Return `text` as one line without control characters.

    These characters could move the cursor, change the writing direction, or start an
    escape sequence of the terminal.
    """
    return _CONTROLS.sub("", _BREAKS.sub(" ", text))


def clean_lines(text: str) -> str:
    """Return `text` without control characters, but with its line breaks."""
    return "\n".join(clean(line) for line in text.splitlines())


def complain(message: str) -> None:
    """Print an error as one line on standard error."""
    say(f"crawl: {message}")


def say(message: str) -> None:
    """Print one line for a person on standard error."""
    print(clean(message), file=sys.stderr, flush=True)


def shown(place: str | Path) -> str:
    """Return a path as text, relative to the current folder if the path is inside it.

    A URL is returned unchanged.
    """
    if "://" in str(place):
        return str(place)
    try:
        return str(Path(place).absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(place)


def of_bytes(amount: float) -> str:
    """Return a number of bytes as text, such as "1.2 MB"; "" for 0."""
    if not amount:
        return ""
    power = min(int(math.log10(max(amount, 1)) // 3), len(_UNITS) - 1)
    number = f"{amount / 1000**power:.1f}" if power else f"{amount:.0f}"
    return f"{number} {_UNITS[power]}"


_UNITS = ("B", "kB", "MB", "GB", "TB")


class OutputError(OSError):
    """Standard output cannot be written, for example because a disk is full."""


class _Descriptor(io.RawIOBase):
    """A raw stream that writes to a file descriptor.

    The method `failed` decides how a write error is handled; here it raises the error.
    """

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
    """A raw stream whose write errors are ignored, such as a full disk."""

    def failed(self, error: OSError) -> None:
        """Ignore the error, because it could only be reported to the same stream."""


def forgiving(stream: TextIO) -> TextIO:
    """Return a text stream to the descriptor of `stream`, which ignores write errors.

    A stream without a descriptor is returned unchanged.
    """
    return _over(_Forgiving, stream, line_buffering=True)


def checked(stream: TextIO) -> TextIO:
    """Return a text stream to the descriptor of `stream`.

    A write error is raised as BrokenPipeError if the program that reads the output has
    ended, else as OutputError. A stream without a descriptor is returned unchanged.
    """
    # Flush after each line on a terminal, or if PYTHONUNBUFFERED is set, like Python.
    is_prompt = stream.isatty() or getattr(stream, "write_through", False)
    return _over(_Descriptor, stream, line_buffering=is_prompt)


def _over(kind: type[_Descriptor], stream: TextIO, *, line_buffering: bool) -> TextIO:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return stream  # in a notebook or a test the stream has no descriptor
    return io.TextIOWrapper(
        io.BufferedWriter(kind(descriptor)),
        encoding=stream.encoding or "utf-8",
        errors="backslashreplace",
        line_buffering=line_buffering,
    )


def make_safe() -> None:
    """Open descriptors 0, 1 and 2 if they are closed, and replace the standard streams.

    Afterwards standard error never raises, and standard output raises only OutputError
    or BrokenPipeError.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        # This standard descriptor was closed. Keep its number in use, or the next file
        # that is opened would get the number, and would receive what is printed.
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = checked(sys.stdout or open(1, "w", closefd=False))  # noqa: SIM115
    sys.stderr = forgiving(sys.stderr or open(2, "w", closefd=False))  # noqa: SIM115


def let_go() -> None:
    """Flush both streams before the process ends. Ignore write errors."""
    try:
        sys.stdout.flush()
    except OSError:
        # At exit Python tries again to write what is left in the buffer. Let it write
        # to /dev/null, or it would print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stderr.flush()
