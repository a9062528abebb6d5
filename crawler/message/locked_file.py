"""Opens a file for one process alone.

Rule: the holder of the lock may rename or remove the file before it unlocks it. So a
lock counts only if the file still has its name afterwards.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

#: How often a file is opened again that another process has renamed meanwhile. On a
#: file system whose files have no fixed numbers, every file looks renamed.
_ATTEMPTS = 20


def open_locked(path: Path, flags: int) -> int:
    """Open and lock a file, and return its descriptor; closing it unlocks the file.

    Raise BlockingIOError if another process has locked the file. A file system without
    locks does not protect the file.
    """
    flags |= getattr(os, "O_BINARY", 0)
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, flags, 0o666)
        try:
            _lock(descriptor)
            is_named = _is_named(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        if is_named:
            return descriptor
        # Before the file was locked, another process has renamed or removed it. It may
        # be a published output now.
        os.close(descriptor)
    return os.open(path, flags, 0o666)


def _lock(descriptor: int) -> None:
    """Lock the file against other processes, if the file system supports locks."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            return


def _is_named(descriptor: int, path: Path) -> bool:
    """Return whether the path is still that of the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
