"""Collects the status of the jobs of a project, and prints it, for `crawl jobs`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from crawler.errors import CrawlError
from crawler.jobs import standing as unfinished
from crawler.jobs import state
from crawler.jobs.definition import Broken, Job, Jobs
from crawler.jobs.process import Processes
from crawler.jobs.process_end import CODES
from crawler.jobs.standing import standing
from crawler.jobs.state import JobState
from crawler.stats import FinishReason
from crawler.store.reading import Reader, RunRecord
from crawler.store.status import MAX_RUNTIME

#: A job that did not start within this time after its due time is reported.
OVERDUE = timedelta(hours=1)


# This class has over 12 attributes, because it is a plain value with one field for each
# column of `crawl jobs`.
class JobStatus(msgspec.Struct, kw_only=True):
    """The status of one job, as `crawl jobs` shows it."""

    job: str
    spider: str = ""
    schedule: str = ""
    timezone: str = ""
    #: When the job is due next; None if the job has no schedule.
    next: datetime | None = None
    #: When the running process of the job started; None if the job is not running.
    running_since: datetime | None = None
    #: The number of the latest run.
    run: int | None = None
    #: When the latest run began.
    started: datetime | None = None
    #: The result of the latest run, in words.
    result: str = ""
    #: The exit code of the latest run; None if it is unknown.
    exit_code: int | None = None
    #: Number of failed runs since the last good run.
    failures: int = 0
    error: str = ""
    #: Whether `crawl jobs --check` exits with code 3 because of this job.
    is_bad: bool = False


@dataclass(frozen=True)
class Sources:
    """The sources from which the status of the jobs of a project is read."""

    #: The folder with the state of the scheduler, and the locks of running jobs.
    folder: Path
    reader: Reader
    now: datetime
    #: A function that returns why a job cannot run, such as a missing spider; "" if
    #: the job can run.
    fault: Callable[[Job], str] = lambda job: ""
    #: When config.toml was last changed. The due times of a job that has never run
    #: count from then on.
    described: datetime | None = None


def of(jobs: Jobs, sources: Sources) -> list[JobStatus]:
    """Return the status of all jobs: invalid jobs first, then by due time.

    Jobs without a schedule come last.
    """
    states = state.read(sources.folder)
    found = [_sound(job, states.get(name), sources) for name, job in jobs.sound.items()]
    found.sort(key=lambda each: each.next or datetime.max.replace(tzinfo=UTC))
    return [_broken(each) for each in jobs.broken.values()] + found


def _broken(broken: Broken) -> JobStatus:
    return JobStatus(job=broken.name, error=str(broken.error), is_bad=True)


def _sound(job: Job, known: JobState | None, sources: Sources) -> JobStatus:
    found = JobStatus(
        job=job.name,
        spider=job.spider,
        schedule=job.settings.schedule,
        timezone=job.settings.timezone,
        error=sources.fault(job),
    )
    if job.cron is not None:
        found.next = job.cron.after(sources.now)
    launcher = Processes(sources.folder, sources.folder, lambda job: ())
    running = launcher.find(job.name)
    if running is not None:
        found.running_since = running.since
    run = _latest(sources.reader, job.name)
    seen = []
    if run is not None:
        seen += _add_run(found, run, sources)
    if known is not None:
        seen += _add_state(found, known, run, job)
    if not seen and sources.described is not None:
        seen.append(sources.described)
    if seen and found.running_since is None and not found.error:
        _add_overdue(found, job, max(seen), sources.now)
    found.is_bad = found.is_bad or bool(found.error) or found.failures > 0
    return found


def _add_run(found: JobStatus, run: RunRecord, sources: Sources) -> list[datetime]:
    """Add what is known about the latest run of the job to `found`.

    Return times at which the run is known to have been active.
    """
    found.run = run.number
    found.started = datetime.fromtimestamp(run.started, UTC)
    if run.finished is None:
        return [found.started, *_add_unfinished(found, run, sources)]
    found.result = run.reason
    written = sources.reader.report(found.job, run.number)
    if written is not None:
        found.exit_code = msgspec.json.decode(written).get("exit_code")
    found.is_bad = bool(found.exit_code)
    return [found.started, datetime.fromtimestamp(run.finished, UTC)]


def _add_unfinished(
    found: JobStatus, run: RunRecord, sources: Sources
) -> list[datetime]:
    """Add what is known about an unfinished run to `found`.

    Mark the job as bad unless the run is still running, or a person stopped it. Return
    when the run's process wrote its last status, as a list of one time or none.
    """
    now = sources.now.timestamp()
    shown = standing(sources.reader, found.job, run.number, now)
    if shown.is_at_work:
        found.running_since = found.running_since or found.started
    elif shown.reason is FinishReason.INTERRUPTED:
        found.result = "unfinished"
        found.error = found.error or _late(shown)
    else:
        found.result, found.is_bad = str(shown.reason), True
    if shown.status is None:
        return []
    return [datetime.fromtimestamp(shown.status.time, UTC)]


def _late(shown: unfinished.Standing) -> str:
    is_late = shown.status is not None and shown.status.end == MAX_RUNTIME
    return "its last process was stopped by max_runtime" if is_late else ""


def _latest(reader: Reader, job: str) -> RunRecord | None:
    try:
        return next(iter(reader.runs(job)), None)
    except CrawlError:
        return None  # the store has no runs of the job


def _add_state(
    found: JobStatus, known: JobState, run: RunRecord | None, job: Job
) -> list[datetime]:
    """Add what the scheduler stored about the job: its failures and its last process.

    The process may have ended before it began a run. Return the last due time that the
    scheduler handled, as a list of one time or none.
    """
    found.failures = known.failures
    planned = (known.schedule, known.timezone)
    is_same = job.cron is not None and planned == (job.cron.text, found.timezone)
    handled = [known.seen] if is_same else []
    if known.ended is None or known.started is None:
        return handled
    if run is not None and known.ended.timestamp() < run.started:
        found.failures = 0  # a later run was started without the scheduler
        return handled
    over = run.finished if run is not None else None
    if over is not None and over < known.started.timestamp():
        # This run is older than the last process, which ended before it began a run.
        found.run = None
    found.exit_code, found.started = known.exit_code, known.started
    found.result = known.note or CODES.get(known.exit_code or 0, "")
    found.is_bad = False  # `failures` already shows that the run was bad
    return handled


def _add_overdue(found: JobStatus, job: Job, seen: datetime, now: datetime) -> None:
    """Add an error if the job did not run at its first due time after `seen`.

    `seen` is the last time at which the job or its scheduler was active.
    """
    due = job.cron.after(seen) if job.cron is not None else None
    if due is not None and due + OVERDUE < now:
        found.error = (
            f"was due at {_moment(due)} UTC, but did not run: start crawl schedule, or "
            "another scheduler"
        )


def lines(found: Sequence[JobStatus]) -> Iterator[str]:
    """Yield the lines of a table of jobs, and below it a line for each error."""
    rows = [("job", "schedule", "next (UTC)", "last (UTC)", "result")]
    rows += [_row(each) for each in found]
    if len(rows) == 1:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [
            f"{cell:<{width}}" for cell, width in zip(row[:4], widths, strict=True)
        ]
        yield "  ".join([*cells, row[4]]).rstrip()
    for each in found:
        if each.error:
            yield f"! {each.job}: {each.error}"


def _row(each: JobStatus) -> tuple[str, str, str, str, str]:
    zone = "" if each.timezone in ("", "UTC") else f" {each.timezone}"
    schedule = f"{each.schedule}{zone}" if each.schedule else "by hand"
    if each.error and not each.spider:
        return each.job, "broken", "", "", "see below"
    upcoming = _moment(each.next) if each.next else ""
    started = _moment(each.started) if each.started else ""
    return each.job, schedule, upcoming, started, _result(each)


def _result(each: JobStatus) -> str:
    if each.running_since is not None:
        return f"running since {_moment(each.running_since)}"
    if not each.result:
        return "never run"
    run = f"run {each.run}: " if each.run is not None else ""
    code = f", exit code {each.exit_code}" if each.exit_code else ""
    more = f", {each.failures} times in a row" if each.failures > 1 else ""
    done = each.result
    if done == str(FinishReason.FINISHED) and each.exit_code:
        done = CODES.get(each.exit_code, done)
    return f"{run}{done.replace('_', ' ')}{code}{more}"


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
