"""The file system calls of local outputs; a test can make any of them fail.

Rule: every call may block, so sinks make them in a thread.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from crawler.message.locked_file import open_locked
from crawler.message.saving import sync_folder

_CHUNK = 1 << 20


class OpenFile(Protocol):
    """The part file of an output, open for writing."""

    def write(self, offset: int, data: bytes) -> None:
        """Write `data` at `offset`, and cut off all bytes of the file after the
        data."""
        ...

    def sync(self) -> None:
        """Wait until all written data would survive a power cut."""
        ...

    def close(self) -> None:
        """Close the file; the written data stays in it."""
        ...


class Disk(Protocol):
    """A file system. Failures raise OSError."""

    def make_folder(self, path: Path) -> None:
        """Create a folder and its missing parents durably."""
        ...

    def size(self, path: Path) -> int | None:
        """Return the size of a file in bytes; None if the file does not exist. Raises
        Raises IsADirectoryError if the path is a folder."""
        ...

    def open(self, path: Path) -> OpenFile:
        """Open a file for writing, and create it if needed.

        Raises BlockingIOError if another process has the file open for writing.
        """
        ...

    def read(self, path: Path) -> Iterator[bytes]:
        """Yield a file's content in pieces."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file in one step; an existing file with the new name is replaced."""
        ...

    def sync_folder(self, path: Path) -> None:
        """Wait until the file names in a folder would survive a power cut."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file if it exists."""
        ...


class _LocalFile:
    def __init__(self, path: Path) -> None:
        self._descriptor = open_locked(path, os.O_RDWR | os.O_CREAT)

    def write(self, offset: int, data: bytes) -> None:
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]
        os.ftruncate(self._descriptor, offset + len(data))

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class LocalDisk:
    """The file system of this machine."""

    def make_folder(self, path: Path) -> None:
        missing = [each for each in (path, *path.parents) if not each.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for made in missing:
            self.sync_folder(made.parent)

    def size(self, path: Path) -> int | None:
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        if path.is_dir():
            raise IsADirectoryError(21, "the path is a folder")
        return found.st_size

    def open(self, path: Path) -> OpenFile:
        return _LocalFile(path)

    def read(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def sync_folder(self, path: Path) -> None:
        sync_folder(path)

    def remove(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


LOCAL = LocalDisk()
