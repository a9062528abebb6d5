"""Reads the data of an HTML report from the stored runs of a job.

Rule: data that is no longer stored is missing from the page, and the page says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

import msgspec

from crawler.errors import StateError
from crawler.jobs.definition import Job
from crawler.jobs.report.fields import (
    SAMPLE,
    ChangedField,
    Fill,
    changed_fields,
    fills,
    shares,
)
from crawler.jobs.report.figures import Figures, figures
from crawler.stats import Report
from crawler.store.reading import Changes, Reader, RunReader

#: Maximum number of runs in the trend, the table of the last runs.
TREND = 10


@dataclass(frozen=True)
class PastRun:
    """One run of the job, as the trend shows it. Times are in Unix seconds."""

    number: int
    started: float
    seconds: float
    pages: int
    items: int
    failed: int
    end: str


@dataclass
class Material:
    """The data of the report: of a run, and of the earlier run with which it is
    compared."""

    report: Report
    before: Report | None = None
    #: The figures from the page log; None if the page log is no longer stored.
    figures: Figures | None = None
    fills: list[Fill] = field(default_factory=list)
    changes: Changes | None = None
    #: The fields in which items differ from the earlier run, the most frequent first.
    changed: list[ChangedField] = field(default_factory=list)
    #: The last runs of the job, the oldest first; this run is the last of them.
    trend: list[PastRun] = field(default_factory=list)
    #: The time zone of the job, in which times are shown.
    zone: tzinfo = UTC
    zone_name: str = "UTC"
    #: When the job is due next; None without a schedule.
    due: datetime | None = None
    #: The URLs of the pages on which failed URLs were found, by the fingerprints of
    #: these pages.
    parents: Mapping[int, str] = field(default_factory=dict)


def gather(
    reader: Reader,
    report: Report,
    job: Job | None = None,
    moment: datetime | None = None,
) -> Material:
    """Return the data for the HTML page of `report`.

    `job` is the job in config.toml, if there is one. Its next due time after `moment`
    is shown.
    """
    made = Material(report, before=_before(reader, report))
    made.trend = _trend(reader, report)
    if job is not None:
        made.zone, made.zone_name = job.zone, job.settings.timezone
        if job.cron is not None and moment is not None:
            made.due = job.cron.after(moment)
    run = _kept(reader, report)
    if run is None:
        return made
    made.figures = figures(run.visits())
    now = shares(run.sample(SAMPLE))
    failed = made.figures.failed
    wanted = [visit.parent for group in failed for visit in group.examples]
    made.parents = {parent: run.url_of(parent) for parent in wanted if parent}
    then: dict[str, float] | None = None
    before = None if made.before is None else _kept(reader, made.before)
    if before is not None:
        then = shares(before.sample(SAMPLE))
        if report.finish_reason.is_complete:
            made.changes = run.changes(before)
            made.changed = changed_fields(made.changes.pairs) if made.changes else []
    # If the run has no items, list no fields: each would be listed as empty.
    made.fills = fills(now, then) if now else []
    return made


def _trend(reader: Reader, report: Report) -> list[PastRun]:
    runs = [each for each in reader.runs(report.job) if each.number <= report.run]
    return [
        PastRun(
            run.number,
            run.started,
            run.seconds or max(0.0, (run.finished or run.started) - run.started),
            run.counters.pages,
            run.counters.items,
            run.counters.failed,
            run.reason.replace("_", " ") or "unfinished",
        )
        for run in reversed(runs[:TREND])
    ]


def _kept(reader: Reader, report: Report) -> RunReader | None:
    try:
        return reader.run(report.job, report.run)
    except StateError:
        return None


def _before(reader: Reader, report: Report) -> Report | None:
    """Return the report of the last good run before this one.

    If there is none, return that of the last run that ended.
    """
    ended = []
    for record in reader.runs(report.job):
        written = reader.report(report.job, record.number)
        if record.number < report.run and written is not None:
            ended.append(Report.of_summary(msgspec.json.decode(written)))
    good = (each for each in ended if each.exit_code == 0)
    return next(good, ended[0] if ended else None)
