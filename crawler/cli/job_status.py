"""How the jobs of a project stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from crawler.errors import CrawlError
from crawler.jobs import state
from crawler.jobs.definition import Broken, Job, Jobs
from crawler.jobs.process import Processes
from crawler.jobs.process_end import CODES
from crawler.jobs.state import JobState
from crawler.stats import FinishReason
from crawler.store.reading import Reader, RunRecord

#: A job that nobody ran this long after its time is not run at all.
OVERDUE = timedelta(hours=1)


class Standing(msgspec.Struct, kw_only=True):
    """What is known of one job."""

    job: str
    spider: str = ""
    schedule: str = ""
    timezone: str = ""
    #: When it is due next; None: it has no schedule.
    next: datetime | None = None
    #: Since when it is at work; None: it is not.
    running_since: datetime | None = None
    #: The latest run: its number, when it began, and how it stands.
    run: int | None = None
    started: datetime | None = None
    result: str = ""
    exit_code: int | None = None
    #: Bad ends since the last good one.
    failures: int = 0
    error: str = ""
    is_bad: bool = False


def of(jobs: Jobs, folder: Path, reader: Reader, now: datetime) -> list[Standing]:
    """All jobs, the next one first, those without a schedule behind."""
    states = state.read(folder)
    launcher = Processes(folder, folder, lambda job: ())
    found = [
        _sound(job, reader, states.get(name), launcher, now)
        for name, job in jobs.sound.items()
    ]
    found.sort(key=lambda each: each.next or datetime.max.replace(tzinfo=UTC))
    return [_broken(each) for each in jobs.broken.values()] + found


def _broken(broken: Broken) -> Standing:
    return Standing(job=broken.name, error=str(broken.error), is_bad=True)


def _sound(
    job: Job,
    reader: Reader,
    known: JobState | None,
    launcher: Processes,
    now: datetime,
) -> Standing:
    found = Standing(
        job=job.name,
        spider=job.spider,
        schedule=job.settings.schedule,
        timezone=job.settings.timezone,
    )
    if job.cron is not None:
        found.next = job.cron.after(now)
    running = launcher.find(job.name)
    if running is not None:
        found.running_since = running.since
    run = _latest(reader, job.name)
    if run is not None:
        _add_run(found, run, reader)
    if known is not None:
        _add_state(found, known, run)
        _add_plan(found, known, job, now)
    found.is_bad = found.is_bad or found.failures > 0
    return found


def _add_run(found: Standing, run: RunRecord, reader: Reader) -> None:
    found.run = run.number
    found.started = datetime.fromtimestamp(run.started, UTC)
    if run.finished is None:
        found.result = "unfinished"
        return
    found.result = run.reason
    written = reader.report(found.job, run.number)
    if written is not None:
        found.exit_code = msgspec.json.decode(written).get("exit_code")


def _latest(reader: Reader, job: str) -> RunRecord | None:
    try:
        return next(iter(reader.runs(job)), None)
    except CrawlError:
        return None  # never run


def _add_state(found: Standing, known: JobState, run: RunRecord | None) -> None:
    """What the scheduler knows: also of processes that began no run."""
    found.failures = known.failures
    if known.ended is None or known.started is None:
        return
    if run is not None and known.ended.timestamp() < run.started:
        return  # it was run by hand since
    over = run.finished if run is not None else None
    if over is not None and over < known.started.timestamp():
        found.run = None  # the last process did not come so far as to begin one
    found.exit_code, found.started = known.exit_code, known.started
    found.result = known.note or CODES.get(known.exit_code or 0, "")


def _add_plan(found: Standing, known: JobState, job: Job, now: datetime) -> None:
    """Whether anybody keeps the job's times."""
    planned = (known.schedule, known.timezone)
    if job.cron is None or planned != (job.cron.text, job.settings.timezone):
        return
    due = job.cron.after(known.seen)
    if due is not None and due + OVERDUE < now:
        found.is_bad = True
        found.error = f"due at {_moment(due)}, and nobody ran it: is there a scheduler?"


def lines(found: Sequence[Standing]) -> Iterator[str]:
    """A table of jobs."""
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


def _row(each: Standing) -> tuple[str, str, str, str, str]:
    zone = "" if each.timezone in ("", "UTC") else f" {each.timezone}"
    schedule = f"{each.schedule}{zone}" if each.schedule else "by hand"
    if each.error and not each.spider:
        return each.job, "broken", "", "", "see below"
    upcoming = _moment(each.next) if each.next else ""
    started = _moment(each.started) if each.started else ""
    return each.job, schedule, upcoming, started, _result(each)


def _result(each: Standing) -> str:
    if each.running_since is not None:
        return f"at work since {_moment(each.running_since)}"
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
