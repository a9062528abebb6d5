"""Runs jobs on their schedules: starts each process, watches it, and records its end.

    keeper = JobScheduler(jobs, folder, launcher, reader=reader, alarm=alarm)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keeper.keep)       # until no job is due again
        ...
        keeper.stop()                       # `keep` then stops the jobs and ends

Rule: a job has at most one process at a time. The module `timetable` says when a job
is due, `process` starts it, and this module decides what to do when the process ends.
"""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio
from anyio import CapacityLimiter

from crawler.errors import CrawlError
from crawler.jobs.definition import CLOSING, Job
from crawler.jobs.process import Launcher, RunningJob
from crawler.jobs.process_end import Ended, last_run
from crawler.jobs.state import Ledger
from crawler.jobs.timetable import Due, Timetable
from crawler.store.reading import Reader

logger = logging.getLogger(__name__)

#: Exit codes of `crawl run` that are used here; docs/command-line.md lists all.
CRASHED, STOPPED, LOCKED = 1, 4, 5
#: A job stops by itself after `max_runtime`. If it has not stopped this number of
#: seconds later, the scheduler stops it.
HEAD_START = 5.0
#: Maximum number of seconds of one sleep. During a longer sleep the clock could be set,
#: or the machine suspended, and a due time would be missed.
LONGEST_SLEEP = 600.0


class JobClock(Protocol):
    """The wall clock of the scheduler; a test uses a clock that it sets itself."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        ...

    async def sleep_until(self, moment: datetime) -> None:
        """Sleep until `moment`, or for a shorter time."""
        ...


class WallClock:
    """The wall clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep_until(self, moment: datetime) -> None:
        seconds = (moment - self.now()).total_seconds()
        await anyio.sleep(max(0.0, min(seconds, LONGEST_SLEEP)))


#: A function that waits until a job may be started again.
Rest = Callable[[], Awaitable[None]]
#: A function that is called when a process was killed, and so could not call the hooks
#: of its job itself.
Alarm = Callable[[Ended], Awaitable[None]]


@dataclass
class _Work:
    """A job that is running, or waits because too many other jobs are running."""

    running: RunningJob | None = None
    #: The scheduler waits for the process in this scope. To stop the process, it
    #: cancels the scope.
    patience: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    #: Number of retries after a killed process.
    tries: int = 0
    #: Whether the job became due while it was running, so that it runs once more.
    is_wanted_again: bool = False


class JobScheduler:
    """Runs the given jobs, which all have a schedule; its state is stored in `folder`.

    At most `parallel` jobs run at the same time. A job that must stop is killed after
    `grace` + `closing` seconds.
    """

    def __init__(
        self,
        jobs: Mapping[str, Job],
        folder: Path,
        launcher: Launcher,
        *,
        reader: Reader,
        alarm: Alarm,
        clock: JobClock | None = None,
        parallel: int = 4,
        grace: float = 10.0,
        closing: float = CLOSING,
    ) -> None:
        self._jobs = jobs
        self._reader = reader
        self._launcher = launcher
        self._alarm = alarm
        self._clock = clock or WallClock()
        self._places = CapacityLimiter(parallel)
        self._patience = grace + closing
        self._work: dict[str, _Work] = {}
        self._sleep = anyio.CancelScope()
        self._is_stopping = False
        now = self._clock.now()
        timings = {name: job.timing() for name, job in jobs.items()}
        lines = {
            name: (timing.cron.text, jobs[name].settings.timezone)
            for name, timing in timings.items()
        }
        self._ledger = Ledger(folder, lines, now)
        self._table = Timetable(timings, self._ledger.seen, now)

    def next(self) -> datetime | None:
        """Return the next due time of any job; None if no job is due again."""
        return self._table.next()

    @property
    def at_work(self) -> list[str]:
        """Return the names of the jobs that are running, or wait to be started."""
        return list(self._work)

    async def keep(self) -> None:
        """Start jobs at their times until `stop` is called or no job is due again.

        Then wait for the running jobs.
        """
        async with anyio.create_task_group() as tasks:
            for name in self._jobs:
                running = self._launcher.find(name)
                if running is not None:
                    logger.info(
                        "Job %s: still running from an earlier scheduler in process %s",
                        name,
                        _who(running),
                    )
                    self._work[name] = _Work(running)
                    tasks.start_soon(self._perform, name, self._work[name])
            self._ledger.save()
            with self._sleep:
                while (moment := self._table.next()) is not None:
                    await self._clock.sleep_until(moment)
                    for due in self._table.due(self._clock.now()):
                        note = self._handle(due, tasks)
                        seen = self._table.seen[due.job]
                        self._ledger.handled(due.job, seen, note)

    def stop(self) -> None:
        """Start no more jobs, and stop the running jobs, whose runs can be resumed."""
        self._is_stopping = True
        self._sleep.cancel()
        for work in self._work.values():
            work.patience.cancel()

    def kill(self) -> None:
        """Kill the processes of all running jobs at once."""
        for work in self._work.values():
            if work.running is not None:
                work.running.send(signal.SIGKILL)

    def _handle(self, due: Due, tasks: anyio.abc.TaskGroup) -> str:
        """Start a due job if it should run. Return a note on skipped times, or ""."""
        name, work = due.job, self._work.get(due.job)
        note = ""
        if due.missed:
            what = "caught up by one run" if due.is_run else "skipped"
            note = f"{due.missed} missed, {what}"
        if due.is_run and work is None:
            self._work[name] = _Work()
            tasks.start_soon(self._perform, name, self._work[name])
        elif due.is_run and self._jobs[name].settings.overlap == "queue":
            assert work is not None
            work.is_wanted_again = True
            note = "due while it is running: it runs once more afterwards"
        elif due.is_run:
            note = "due while it is running: skipped"
        if note:
            logger.warning("Job %s does not run at every due time: %s", name, note)
        return note

    async def _perform(self, name: str, work: _Work) -> None:
        """Run a job, and run it again if it must be retried or became due meanwhile."""
        try:
            while not self._is_stopping:
                work.is_wanted_again = False
                async with self._places:
                    rest = None if self._is_stopping else await self._run(name, work)
                work.running, work.patience = None, anyio.CancelScope()
                if rest is not None:
                    with work.patience:
                        await rest()
                    work.patience = anyio.CancelScope()
                elif not work.is_wanted_again:
                    return
        finally:
            del self._work[name]

    async def _run(self, name: str, work: _Work) -> Rest | None:
        """Run one process of a job.

        If the job must be started again, return a function that waits until then; else
        return None.
        """
        try:
            if work.running is None:
                work.running = await self._launcher.start(name)
                logger.info(
                    "Job %s was started as process %s", name, _who(work.running)
                )
        except (CrawlError, OSError) as exc:
            await self._ended(
                name, self._clock.now(), CRASHED, f"could not start: {exc}"
            )
            return None
        since = work.running.since
        self._ledger.began(name, since)
        code, why = await self._watch(name, work, work.running)
        settings = self._jobs[name].settings
        if code == LOCKED and settings.overlap == "queue":
            logger.info(
                "Job %s already runs in another process, and starts again when that "
                "process ends",
                name,
            )
            return partial(self._reader.until_free, name)
        await self._ended(name, since, code, why)
        is_killed = code is not None and code < 0 and not why
        if is_killed and work.tries < settings.retries:
            work.tries += 1  # a process that was not killed has made its retries itself
            seconds = settings.retry_wait * 2 ** (work.tries - 1)
            return partial(_sleep, self._clock, seconds)
        return None

    async def _watch(
        self, name: str, work: _Work, running: RunningJob
    ) -> tuple[int | None, str]:
        """Wait until the process ends. Return its exit code, and why it was stopped.

        After the time limit or `stop` send SIGTERM; if that does not help, SIGKILL.
        """
        work.patience.deadline = anyio.current_time() + self._left(name, running)
        with work.patience:
            return await running.wait(), ""
        why = "" if self._is_stopping else "max_runtime was reached"
        reason = why or "the scheduler itself stops"
        logger.info("Job %s: its process is being stopped, because %s", name, reason)
        running.send(signal.SIGTERM)
        with anyio.move_on_after(self._patience):
            return await running.wait(), why
        logger.warning("Job %s: its process did not stop in time and is killed", name)
        running.send(signal.SIGKILL)
        await running.wait()
        return -signal.SIGKILL, f"{why or 'stopping'}, killed because it did not stop"

    def _left(self, name: str, running: RunningJob) -> float:
        longest = self._jobs[name].settings.max_runtime
        if longest is None:
            return math.inf
        passed = (self._clock.now() - running.since).total_seconds()
        return max(0.0, longest + HEAD_START - max(0.0, passed))

    async def _ended(
        self, name: str, since: datetime, code: int | None, why: str
    ) -> None:
        ended = last_run(self._reader, name, since, code, why)
        is_fine = ended.exit_code == 0 or self._is_stopping
        now = self._clock.now()
        self._ledger.ended(name, now, ended.exit_code, ended.note, is_bad=not is_fine)
        level = logging.INFO if is_fine else logging.ERROR
        logger.log(level, "Job %s ended: %s", name, ended.line)
        if ended.is_untold:
            await self._alarm(ended)


async def _sleep(clock: JobClock, seconds: float) -> None:
    moment = clock.now() + timedelta(seconds=seconds)
    while clock.now() < moment:
        await clock.sleep_until(moment)


def _who(running: RunningJob) -> str:
    since = running.since.replace(microsecond=0)
    return f"{running.pid} since {since:%Y-%m-%d %H:%M:%S} UTC"
