"""The data of a report's page, read from the job's state.

Rule: data that is no longer kept is missing from the page, and the page says so.
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

#: Number of runs that the trend shows.
TREND = 10


@dataclass(frozen=True)
class PastRun:
    """One of the job's earlier runs, as the trend shows it."""

    number: int
    started: float
    seconds: float
    pages: int
    items: int
    failed: int
    end: str


@dataclass
class Material:
    """The data on a run, and on the run before it."""

    report: Report
    before: Report | None = None
    #: None if the run's pages are no longer stored.
    figures: Figures | None = None
    fills: list[Fill] = field(default_factory=list)
    changes: Changes | None = None
    #: The fields of the items that have changed, the most frequent first.
    changed: list[ChangedField] = field(default_factory=list)
    #: The job's last runs; the reported run is the last of them.
    trend: list[PastRun] = field(default_factory=list)
    #: The job's time zone, in which times are shown; and when it is due next.
    zone: tzinfo = UTC
    zone_name: str = "UTC"
    due: datetime | None = None
    #: The URLs of the pages that link to the examples, by fingerprint.
    parents: Mapping[int, str] = field(default_factory=dict)


def gather(
    reader: Reader,
    report: Report,
    job: Job | None = None,
    moment: datetime | None = None,
) -> Material:
    """Return the data for the page of `report`.

    `job` is its description in config.toml, and is due next after `moment`.
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
    # without items no field counts as empty
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
    """Return the last good run before this one; if there is none, the last run that
    ended."""
    ended = []
    for record in reader.runs(report.job):
        written = reader.report(report.job, record.number)
        if record.number < report.run and written is not None:
            ended.append(Report.of_summary(msgspec.json.decode(written)))
    good = (each for each in ended if each.exit_code == 0)
    return next(good, ended[0] if ended else None)
