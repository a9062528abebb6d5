"""A lock for each job on this machine; it ends with the process that holds it.

Rule: the kernel's lock decides. The text in the file only names the holder, so an
outdated process number does no harm. Readers take no lock.
"""

from __future__ import annotations

import fcntl
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from anyio import to_thread

from crawler.errors import JobLocked, StateError


class Holder(msgspec.Struct, frozen=True):
    """The holder of a lock: process, machine, and since when (ISO 8601, UTC)."""

    pid: int
    host: str
    since: str


class JobLock:
    """The right to write a job's state, from `acquire` to `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self, job: str, now: float) -> None:
        """Take the lock without waiting. Raise JobLocked, which names the holder, if
        another process has it."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise StateError(
                f"the lock file {self.path} cannot be opened: {exc.strerror}; check "
                "its permissions"
            ) from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 4096, 0)
            os.close(descriptor)
            raise JobLocked(_who(job, text)) from None
        except OSError as exc:
            os.close(descriptor)
            raise StateError(
                f"the lock file {self.path} cannot be locked: {exc.strerror}; name "
                "a folder on a local disk in storage.dir"
            ) from exc
        since = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
        holder = Holder(os.getpid(), socket.gethostname(), since)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, msgspec.json.encode(holder) + b"\n", 0)
        except OSError as exc:  # writing the holder failed, for example on a full disk
            os.close(descriptor)
            raise StateError(
                f"the lock file {self.path} cannot be written: {exc.strerror}; check "
                "whether the disk is full"
            ) from exc
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock. The file stays: another process may be opening the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


async def until_free(path: Path) -> None:
    """Wait until no process holds the lock at `path`; does not poll."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        await to_thread.run_sync(
            fcntl.flock, descriptor, fcntl.LOCK_SH, abandon_on_cancel=True
        )
    finally:
        os.close(descriptor)


def _who(job: str, text: bytes) -> str:
    try:
        holder = msgspec.json.decode(text, type=Holder)
        by = f"process {holder.pid} on {holder.host} since {holder.since}"
    except msgspec.DecodeError:
        by = "another process"
    return (
        f"Job {job!r} is being run by {by}; "
        "wait until the run ends, or use --job NAME for a separate job"
    )
