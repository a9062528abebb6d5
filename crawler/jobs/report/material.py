"""All that a report shows, gathered from what a job keeps.

Rule: what is not kept any more is left out of the page, and said to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from crawler.errors import StateError
from crawler.jobs.report.fields import SAMPLE, Fill, fills, shares
from crawler.jobs.report.figures import Figures, figures
from crawler.stats import Report
from crawler.store.sqlite import history, page_log
from crawler.store.sqlite.page_log import Changes


@dataclass
class Material:
    """What is known of a run, and of the one before it."""

    report: Report
    before: Report | None = None
    #: None: the run's pages are not kept any more.
    figures: Figures | None = None
    fills: list[Fill] = field(default_factory=list)
    changes: Changes | None = None
    #: The pages on which examples were found, by their fingerprints.
    parents: Mapping[int, str] = field(default_factory=dict)


def gather(folder: Path, report: Report) -> Material:
    """What the page of `report` needs."""
    job, run = report.job, report.run
    made = Material(report, before=_before(folder, report))
    try:
        made.figures = figures(page_log.visits(folder, job, run))
        now = shares(page_log.bodies(folder, job, run, SAMPLE))
    except StateError:
        return made
    wanted = [group.example.parent for group in made.figures.failed]
    made.parents = {
        parent: page_log.url_of(folder, job, run, parent) for parent in wanted if parent
    }
    then: dict[str, float] | None = None
    if made.before is not None:
        then = _shares(folder, job, made.before.run)
        if then is not None and report.finish_reason.is_complete:
            made.changes = page_log.changes(folder, job, run, made.before.run)
    made.fills = fills(now, then) if now else []  # of nothing, nothing is empty
    return made


def _shares(folder: Path, job: str, run: int) -> dict[str, float] | None:
    try:
        return shares(page_log.bodies(folder, job, run, SAMPLE))
    except StateError:
        return None


def _before(folder: Path, report: Report) -> Report | None:
    """The last run before this one that went well; where none did, the last that
    ended."""
    ended = []
    for record in history.runs(folder, report.job):
        written = history.report(folder, report.job, record.number)
        if record.number < report.run and written is not None:
            ended.append(Report.of_summary(msgspec.json.decode(written)))
    good = (each for each in ended if each.exit_code == 0)
    return next(good, ended[0] if ended else None)
