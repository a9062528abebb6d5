"""Starts the process of a job, and finds the process that an earlier scheduler started.

Rule: a job has a lock file. The process inherits the lock when it is started, and the
end of the process releases the lock. So a job is running if its lock is held.
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

#: Maximum size of a log file, in bytes. A larger log file is renamed to JOB.log.1
#: before the next process of the job starts.
MAX_LOG = 1 << 20


class RunningJob(Protocol):
    """The running process of a job."""

    #: When the process started, by the wall clock.
    since: datetime
    pid: int

    async def wait(self) -> int | None:
        """Wait until the process ends. Return its exit code, or None if unknown."""
        ...

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process and to every process that it started."""
        ...


class Launcher(Protocol):
    """Starts the processes of jobs, and finds running processes."""

    async def start(self, job: str) -> RunningJob:
        """Start the process of a job.

        Raise CrawlError if the job is already running, and OSError if it cannot be
        started.
        """
        ...

    def find(self, job: str) -> RunningJob | None:
        """Return the running process of the job, or None.

        An earlier scheduler may have started this process.
        """
        ...


class Processes:
    """Starts the command of a job in a process group of its own.

    The command runs in the folder `root`. Its output is appended to JOB.log in
    `folder`, or with `is_shown` goes to the terminal. The lock files are in `folder`,
    too.
    """

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

    async def start(self, job: str) -> RunningJob:
        lock = os.open(self._lock(job), os.O_RDWR | os.O_CREAT, 0o600)
        log = self._open_log(job)
        try:
            if not _take(lock):
                # `find` in another process takes the lock for a moment to test it
                await anyio.sleep(0.2)
            if not _take(lock):
                raise CrawlError(
                    f"job {job!r} already runs in another process; wait until that "
                    "process ends"
                )
            os.ftruncate(lock, 0)
            if log is not None:
                os.write(log, _head(job, self._clock()))
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
            os.close(lock)  # the new process holds the lock, which it has inherited
            if log is not None:
                os.close(log)

    def find(self, job: str) -> RunningJob | None:
        try:
            lock = os.open(self._lock(job), os.O_RDWR)
        except FileNotFoundError:
            return None
        if _take(lock):
            os.close(lock)  # closing the file releases the lock
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


def _head(job: str, now: float) -> bytes:
    local = datetime.fromtimestamp(now, UTC).astimezone()
    moment = local.isoformat(" ", timespec="seconds")
    return f"{moment} INFO Job {job}: started\n".encode()


def log_of(folder: Path, job: str) -> Path:
    """Return the path of the log file of a job."""
    return folder / f"{job}.log"


def _holder(lock: int) -> tuple[int, datetime | None]:
    """Read the process number and the start time from a lock file.

    Return (0, None) if the scheduler was killed before it wrote both into the file.
    """
    try:
        holder = msgspec.json.decode(os.pread(lock, 4096, 0), type=Holder)
    except msgspec.DecodeError:
        return 0, None
    return holder.pid, datetime.fromisoformat(holder.since)


def _take(lock: int) -> bool:
    """Try to take a lock. Return False if a process holds the lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _Child:
    """The process of a job that this scheduler started."""

    def __init__(self, process: anyio.abc.Process, since: datetime) -> None:
        self._process = process
        self.pid = process.pid
        self.since = since

    async def wait(self) -> int | None:
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        _send(self.pid, number)


class _Found:
    """The process of a job that an earlier scheduler started.

    The process has ended when its lock is free; the exit code stays unknown.
    """

    def __init__(self, lock: int, pid: int, since: datetime) -> None:
        self._lock = lock
        # The thread that waits for the lock has its own limit, because it may wait for
        # hours: it must not count for anyio's default limit, which all threads share.
        self._limiter = CapacityLimiter(1)
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
        return  # the job's process has ended
