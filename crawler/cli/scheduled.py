"""The process of `crawl schedule`: its lock, its signals and its messages.

Rule: the process starts fast and stays small, because it sleeps most of the time. So
the HTTP client is imported only when a hook must be called.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskStatus

from crawler import settings as layers
from crawler.cli import exits, logs
from crawler.errors import ConfigError, JobLocked
from crawler.jobs import state
from crawler.jobs.definition import Broken, Jobs, jobs_of
from crawler.jobs.process import Processes
from crawler.jobs.process_end import Ended
from crawler.jobs.scheduler import JobScheduler
from crawler.settings import Settings
from crawler.store.folder import own_folder
from crawler.store.lock import Holder, JobLock
from crawler.store.open import open_reader

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Scheduled:
    """What `crawl schedule` needs of a project: its folder, settings and jobs."""

    root: Path
    settings: Settings
    jobs: Jobs
    flags: Sequence[str]

    @property
    def folder(self) -> Path:
        """The folder with the state of the jobs."""
        return self.root / self.settings.storage.dir


def read(root: Path, flags: Sequence[str]) -> Scheduled:
    """Read the project in the folder `root`. Raise ConfigError if its settings are
    wrong.

    `flags` are the settings of the command line, each as `section.key=value`.
    """
    layer, _ = layers.from_file(root)
    last = (layers.from_environment(), layers.from_flags(flags))
    settings = layers.build([layer, *last])
    return Scheduled(root, settings, jobs_of(layer, datetime.now(UTC)), flags)


def command(project: Scheduled, job: str) -> list[str]:
    """Return the command line that runs a job from any folder."""
    words = [sys.executable, "-m", "crawler", "run", job]
    for flag in project.flags:
        words += ["-s", flag]
    return words


def keep(project: Scheduled, args: argparse.Namespace) -> int:
    """Run the jobs at their times until a signal arrives. Return the exit code."""
    jobs = project.jobs.scheduled()
    if not jobs and not project.jobs.broken:
        raise ConfigError(
            "No job of config.toml has a schedule; write [jobs.NAME] with "
            'spider = "..." and schedule = "30 2 * * *"'
        )
    own_folder(project.folder)
    lock = JobLock(project.folder / state.LOCK)
    _take(lock, datetime.now(UTC))
    with logs.configured(args.verbose + 1, args.quiet, args.log_format):
        try:
            anyio.run(_main, project, args)
        finally:
            lock.release()
    if not jobs:
        raise ConfigError("No job of config.toml can run; correct the errors above")
    return exits.COMPLETE


def _take(lock: JobLock, now: datetime) -> None:
    try:
        lock.acquire("", now.timestamp())
    except JobLocked:
        raise JobLocked(
            f"The jobs of this project are already run by {_holder(lock.path)}; stop "
            "that process first"
        ) from None


def _holder(path: Path) -> str:
    try:
        holder = msgspec.json.decode(path.read_bytes(), type=Holder)
    except (msgspec.DecodeError, OSError):
        return "another crawl schedule"
    return f"crawl schedule, process {holder.pid} on {holder.host} since {holder.since}"


async def _main(project: Scheduled, args: argparse.Namespace) -> None:
    for broken in project.jobs.broken.values():
        await _alert(project, broken)
    jobs = project.jobs.scheduled()
    if not jobs:
        return
    said = [] if args.log_format == "text" else ["--log-format", args.log_format]
    launcher = Processes(
        project.root,
        project.folder,
        lambda job: [*command(project, job), *said],
        is_shown=args.verbose > 0,
    )
    keeper = JobScheduler(
        jobs,
        project.folder,
        launcher,
        reader=open_reader(project.settings.storage, project.root),
        alarm=partial(_alarm, project),
        parallel=args.parallel,
        grace=project.settings.crawl.grace,
    )
    async with anyio.create_task_group() as tasks:
        await tasks.start(_listen, keeper)
        _greet(jobs, keeper)
        await keeper.keep()
        tasks.cancel_scope.cancel()


def _greet(jobs: dict[str, Any], keeper: JobScheduler) -> None:
    moment = keeper.next()
    number = "1 job" if len(jobs) == 1 else f"{len(jobs):,} jobs"
    when = f"the next at {moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "none is due"
    logger.info("The scheduler runs %s, %s; Ctrl-C stops it", number, when)


async def _listen(keeper: JobScheduler, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(*SIGNALS) as signals:
        task_status.started()
        heard = 0
        async for number in signals:
            heard += 1
            if heard == 1:
                at_work = ", ".join(keeper.at_work) or "none"
                logger.info(
                    "Received %s: stopping the running jobs: %s", number.name, at_work
                )
                keeper.stop()
            else:
                logger.info("Received %s: killing the running jobs", number.name)
                keeper.kill()


async def _alert(project: Scheduled, broken: Broken) -> None:
    logger.error("Job %s is invalid and will not run: %s", broken.name, broken.error)
    if broken.on_failure:
        told = {"job": broken.name, "exit_code": exits.USAGE}
        await _call(project, broken.on_failure, {**told, "error": str(broken.error)})


async def _alarm(project: Scheduled, ended: Ended) -> None:
    hook = project.jobs.sound[ended.job].settings.on_failure
    if hook:
        await _call(project, hook, ended.summary())


async def _call(
    project: Scheduled, hook: str | tuple[str, ...], told: dict[str, Any]
) -> None:
    from crawler.jobs import hooks

    wrong = await hooks.call(hook, told, project.settings)
    if wrong:
        logger.error("Job %s: its hook failed: %s", told["job"], wrong)
