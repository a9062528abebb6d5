"""A job's process: started in a group of its own, and found again by who comes later.

Rule: a process holds a lock from its very beginning to its end, whoever started it.
The lock is inherited, so that there is no moment at which a job runs and seems not to.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import anyio
import anyio.abc
import msgspec
from anyio import CapacityLimiter, to_thread

from crawler.errors import CrawlError
from crawler.store.lock import Holder

#: A log that is longer than this is put aside when the next process begins.
MAX_LOG = 1 << 20


class Running(Protocol):
    """A job at work."""

    #: Wall clock.
    since: datetime
    pid: int

    async def wait(self) -> int | None:
        """Its exit code when it has ended; None where that is not known."""
        ...

    def send(self, number: signal.Signals) -> None:
        """A signal to the process and to all that it started."""
        ...


class Launcher(Protocol):
    """How jobs are started, and found."""

    async def start(self, job: str) -> Running:
        """Start a job that does not run; CrawlError, OSError."""
        ...

    def find(self, job: str) -> Running | None:
        """The job's process that an earlier scheduler left at work."""
        ...


class Processes:
    """Starts `crawl run JOB`; what it says goes to JOB.log, or to our own output."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        command_of: Callable[[str], Sequence[str]],
        *,
        is_shown: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root
        self._folder = folder
        self._command_of = command_of
        self._is_shown = is_shown
        self._clock = clock

    async def start(self, job: str) -> Running:
        lock = os.open(self._lock(job), os.O_RDWR | os.O_CREAT, 0o600)
        log = self._open_log(job)
        try:
            if not _take(lock):
                await anyio.sleep(
                    0.2
                )  # somebody may only have looked whether it is free
            if not _take(lock):
                raise CrawlError(f"job {job!r} is at work in another process")
            os.ftruncate(lock, 0)
            process = await anyio.open_process(
                self._command_of(job),
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )
            now = datetime.fromtimestamp(self._clock(), UTC)
            holder = Holder(process.pid, socket.gethostname(), now.isoformat())
            os.pwrite(lock, msgspec.json.encode(holder), 0)
            return _Child(process, now)
        finally:
            os.close(lock)  # the process has it now
            if log is not None:
                os.close(log)

    def find(self, job: str) -> Running | None:
        try:
            lock = os.open(self._lock(job), os.O_RDWR)
        except FileNotFoundError:
            return None
        if _take(lock):
            os.close(lock)  # which gives it back
            return None
        pid, since = _holder(lock)
        return _Found(lock, pid, since or datetime.fromtimestamp(self._clock(), UTC))

    def _lock(self, job: str) -> Path:
        return self._folder / f".{job}.process"

    def _open_log(self, job: str) -> int | None:
        if self._is_shown:
            return None
        path = log_of(self._folder, job)
        if path.exists() and path.stat().st_size > MAX_LOG:
            path.replace(path.with_name(path.name + ".1"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def log_of(folder: Path, job: str) -> Path:
    """Where a job's processes write what they say."""
    return folder / f"{job}.log"


def _holder(lock: int) -> tuple[int, datetime | None]:
    """Process and beginning; none where its scheduler was killed in the act of
    starting it."""
    try:
        holder = msgspec.json.decode(os.pread(lock, 4096, 0), type=Holder)
    except msgspec.DecodeError:
        return 0, None
    return holder.pid, datetime.fromisoformat(holder.since)


def _take(lock: int) -> bool:
    """Take the lock; False where a process holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _Child:
    """A process that we started."""

    def __init__(self, process: anyio.abc.Process, since: datetime) -> None:
        self._process = process
        self.pid = process.pid
        self.since = since

    async def wait(self) -> int | None:
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        _send(self.pid, number)


class _Found:
    """A process that an earlier scheduler started; it ends when its lock is free."""

    def __init__(self, lock: int, pid: int, since: datetime) -> None:
        self._lock = lock
        self._limiter = CapacityLimiter(1)  # those of all others are not used up
        self.pid = pid
        self.since = since

    async def wait(self) -> int | None:
        await to_thread.run_sync(
            fcntl.flock,
            self._lock,
            fcntl.LOCK_EX,
            abandon_on_cancel=True,
            limiter=self._limiter,
        )
        os.close(self._lock)
        return None

    def send(self, number: signal.Signals) -> None:
        if self.pid:
            _send(self.pid, number)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # it has ended
