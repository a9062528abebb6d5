"""The data of a report's page, read from the job's state.

Rule: data that is no longer kept is missing from the page, and the page says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from crawler.errors import StateError
from crawler.jobs.report.fields import SAMPLE, Fill, fills, shares
from crawler.jobs.report.figures import Figures, figures
from crawler.stats import Report
from crawler.store.reading import Changes, Reader, RunReader


@dataclass
class Material:
    """The data on a run, and on the run before it."""

    report: Report
    before: Report | None = None
    #: None: the run's pages are no longer kept.
    figures: Figures | None = None
    fills: list[Fill] = field(default_factory=list)
    changes: Changes | None = None
    #: The URLs of the pages that link to the examples, by fingerprint.
    parents: Mapping[int, str] = field(default_factory=dict)


def gather(reader: Reader, report: Report) -> Material:
    """The data for the page of `report`."""
    made = Material(report, before=_before(reader, report))
    run = _kept(reader, report)
    if run is None:
        return made
    made.figures = figures(run.visits())
    now = shares(run.sample(SAMPLE))
    wanted = [group.example.parent for group in made.figures.failed]
    made.parents = {parent: run.url_of(parent) for parent in wanted if parent}
    then: dict[str, float] | None = None
    before = None if made.before is None else _kept(reader, made.before)
    if before is not None:
        then = shares(before.sample(SAMPLE))
        if report.finish_reason.is_complete:
            made.changes = run.changes(before)
    made.fills = fills(now, then) if now else []  # without items no field is empty
    return made


def _kept(reader: Reader, report: Report) -> RunReader | None:
    try:
        return reader.run(report.job, report.run)
    except StateError:
        return None


def _before(reader: Reader, report: Report) -> Report | None:
    """The last good run before this one; without any, the last one that ended."""
    ended = []
    for record in reader.runs(report.job):
        written = reader.report(report.job, record.number)
        if record.number < report.run and written is not None:
            ended.append(Report.of_summary(msgspec.json.decode(written)))
    good = (each for each in ended if each.exit_code == 0)
    return next(good, ended[0] if ended else None)
