"""Reads URLs from a file or a pipe, one on each line, as they are needed.

Rule: a bad line is logged and counted, and the crawl continues.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import anyio
from anyio import to_thread

from crawler.errors import ConfigError
from crawler.request import Request

#: The file name that means standard input.
STDIN = "-"
_CHUNK = 64 * 1024
#: Maximum length of a line in bytes; a longer line is skipped.
_LONGEST = 64 * 1024
_SHOWN = 60


class UrlLines:
    """Yields a request for each line of the file; empty lines and lines that begin with
    "#" are skipped."""

    def __init__(self, path: Path | str, stdin: BinaryIO | None = None) -> None:
        self._path = path
        self._stdin = stdin
        self._line = 0

    @property
    def place(self) -> str:
        """File name and line number of the last request that was yielded, such as
        `urls.txt:17`."""
        name = "standard input" if str(self._path) == STDIN else str(self._path)
        return f"{name}:{self._line}"

    async def __aiter__(self) -> AsyncIterator[Request]:
        stream = await to_thread.run_sync(self._open)
        rest = b""
        try:
            while chunk := await self._read(stream):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if request := self._request(line):
                        yield request
                rest = rest if len(rest) <= _LONGEST else rest[: _LONGEST + 1]
            if request := self._request(rest):
                yield request
        finally:
            if stream is not self._stdin:
                await to_thread.run_sync(stream.close)

    async def _read(self, stream: BinaryIO) -> bytes:
        if stream is not self._stdin or stream is not sys.stdin.buffer:
            return await to_thread.run_sync(stream.read, _CHUNK)
        # Do not read the pipe in a thread: while no data arrives, the thread would keep
        # the process alive.
        number = stream.fileno()
        # epoll refuses regular files, which are always ready to be read
        with contextlib.suppress(PermissionError):
            await anyio.wait_readable(number)
        return os.read(number, _CHUNK)

    def _open(self) -> BinaryIO:
        if str(self._path) == STDIN:
            if self._stdin is None:
                self._stdin = sys.stdin.buffer
            return self._stdin
        return Path(self._path).open("rb")

    def _request(self, line: bytes) -> Request | None:
        self._line += 1
        if self._line == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        text = line.strip()
        if not text or text.startswith(b"#"):
            return None
        if len(text) > _LONGEST:
            text = text[:_SHOWN] + b"... (too long)"
        return Request(text.decode("utf-8", "backslashreplace"))


def check_urls(path: Path | str) -> None:
    """Raise ConfigError if the file of URLs cannot be read."""
    if str(path) == STDIN:
        return
    if not Path(path).is_file():
        raise ConfigError(
            f"URLs: {path} is not a file; name a file, or - for standard input"
        )
    try:
        Path(path).open("rb").close()
    except OSError as exc:
        raise ConfigError(f"URLs: {path} cannot be read: {exc.strerror}") from exc
