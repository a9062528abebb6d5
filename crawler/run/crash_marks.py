"""Marks each large page while it is parsed, so that a resumed run knows which page
ended the process.

A page can end the process: the system kills a process that uses too much memory. The
page is still pending then, so the resumed run would parse it again. The marks are in
one small file beside the job's state. A mark is written without waiting for the disk,
because the operating system keeps written data when a process ends.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from pathlib import Path

from crawler.web import urls

# A mark in the file: the fingerprint of the page's URL, and how many processes have
# ended while they parsed the page.
_SLOT = struct.Struct("<QQ")
_EMPTY = bytes(_SLOT.size)


class CrashMarks:
    """The marks of the pages that are being parsed, in one file; if `path` is None, no
    marks are stored."""

    def __init__(self, path: Path | None, *, is_resumed: bool = False) -> None:
        self._path = path
        self._ends = _read(path) if path is not None and is_resumed else Counter()
        self._file: int | None = None
        self._free: list[int] = []
        self._slots = 0

    def ends(self, url: str) -> int:
        """Return how many processes of the run have ended while they parsed this
        page."""
        return self._ends[_key(url)] if self._ends else 0

    def begin(self, url: str) -> int:
        """Mark a page as being parsed. Pass the returned value to `end` after the
        parse."""
        slot = self._free.pop() if self._free else self._slots
        self._slots = max(self._slots, slot + 1)
        key = _key(url)
        self._write(slot, _SLOT.pack(key, self._ends[key]))
        return slot

    def end(self, slot: int) -> None:
        """Remove the mark of a page, because its parse has ended."""
        self._write(slot, _EMPTY)
        self._free.append(slot)

    def close(self) -> None:
        """Remove the file and all its marks."""
        path, self._path = self._path, None
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if path is not None:
            path.unlink(missing_ok=True)

    def _write(self, slot: int, text: bytes) -> None:
        if self._path is None:
            return
        if self._file is None:
            flags = os.O_CREAT | os.O_TRUNC | os.O_RDWR
            self._file = os.open(self._path, flags, 0o600)
        os.pwrite(self._file, text, slot * _SLOT.size)


def _read(path: Path) -> Counter[int]:
    try:
        text = path.read_bytes()
    except OSError:
        return Counter()
    text = text[: len(text) // _SLOT.size * _SLOT.size]
    return Counter({key: ends + 1 for key, ends in _SLOT.iter_unpack(text) if key})


def _key(url: str) -> int:
    return urls.fingerprint("GET", url) & (1 << 64) - 1
