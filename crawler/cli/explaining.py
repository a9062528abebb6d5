"""`crawl why`: all that is known about one URL, and what the filters say of it now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from crawler.cli.filters import intake_of
from crawler.cli.project import Project, is_file
from crawler.cli.streams import of_bytes
from crawler.errors import ConfigError
from crawler.store.base import Attempt, Explanation, State
from crawler.store.open import open_reader
from crawler.store.reading import Reader, RunReader, RunRecord
from crawler.web import urls

#: Items shown, and how much of each.
MAX_ITEMS = 5
MAX_ITEM = 300

_STATES = {
    State.PENDING: "to be visited",
    State.DONE: "done",
    State.FAILED: "failed",
    State.SKIPPED: "left out",
    State.REDIRECTED: "redirected",
}


def explain(
    project: Project, text: str, job: str | None, number: int | None
) -> Iterator[str]:
    """Lines about a URL, for one job or for every job."""
    try:
        url = urls.canonical(text)
    except urls.InvalidUrl as exc:
        raise ConfigError(f"{text!r} is no URL that a crawl could know: {exc}") from exc
    reader = open_reader(project.settings().storage)
    asked = _Asked(project, reader, url, number)
    jobs = [project.job_named(job)] if job else reader.jobs()
    if not jobs:
        where = f"there is no state in {reader.place}"
        raise ConfigError(f"No job has run here yet: {where}")
    yield url
    for each in jobs:
        file = job if job and is_file(job) else ""
        yield from _in_job(asked, each, file)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of each job; `number` None: of its latest run."""

    project: Project
    reader: Reader
    url: str
    number: int | None


def _in_job(asked: _Asked, job: str, file: str) -> Iterator[str]:
    """Lines about one job, whose spider is in `file` where that was said."""
    url, number = asked.url, asked.number
    records = asked.reader.runs(job)
    record = next((r for r in records if number in (None, r.number)), None)
    if record is None:
        yield f"  job {job} has no run {number}" if number else f"  job {job}: no runs"
        return
    fingerprint = urls.fingerprint("GET", url)
    run = asked.reader.run(job, record.number)
    found = run.explain(fingerprint)
    yield f"  job {job}, run {record.number}"
    if found is None:
        yield "    never found: no page that was visited links to it"
    else:
        yield from _known(found)
        yield from _items(run, found)
    described = job if job in asked.project.jobs.sound else ""
    spider = file or described or record.spider
    verdict = _verdict(asked, run, spider, record, found.depth if found else 0)
    yield f"    filters  {verdict}"


def _known(found: Explanation) -> Iterator[str]:
    origin = f" on {found.parent_url}" if found.parent_url else ""
    how = f", as {found.found_as}" if found.found_as else ""
    yield f"    found    {_moment(found.found)}{origin}{how}, depth {found.depth}"
    if found.duplicates:
        where, callback = found.duplicate_on or "start()", found.duplicate_for
        yield (
            f"    equal    {found.duplicates:,} more Requests, such as one in {where} "
            f"for {callback}(): not asked again, for that takes once=False"
        )
    for attempt in found.attempts:
        yield f"    asked    {_attempt(attempt)}"
    if found.state is not None:
        why = f": {found.reason}" if found.reason else ""
        detail = f", {found.detail}" if found.detail else ""
        yield f"    state    {_STATES[found.state]}{why}{detail}"
    if found.state is State.PENDING and found.due:
        yield f"    again    {_moment(found.due)}"


def _attempt(attempt: Attempt) -> str:
    parts = [_moment(attempt.time)]
    if attempt.status:
        parts.append(f"status {attempt.status}")
    parts += [f"{attempt.elapsed:.3f} s", of_bytes(attempt.received)]
    if attempt.reason:
        parts.append(f"{attempt.reason}: {attempt.detail}")
    return "  ".join(filter(None, parts))


def _items(run: RunReader, found: Explanation) -> Iterator[str]:
    if not found.items:
        return
    yield f"    items    {found.items:,}"
    for row in run.page_items(found.fingerprint, MAX_ITEMS):
        text = row.body.decode(errors="replace")
        yield f"      {text[:MAX_ITEM]}" + ("..." if len(text) > MAX_ITEM else "")


def _verdict(
    asked: _Asked, run: RunReader, name: str, record: RunRecord, depth: int
) -> str:
    """What the filters say now, where the spider of that name is here to be asked."""
    try:
        target = asked.project.target(name)
        spider = target.spider(**msgspec.json.decode(record.arguments))
    except ConfigError as exc:
        return f"not asked: {exc}"
    settings = asked.project.settings(target)
    intake = intake_of(spider, settings, run.facts().scope)
    rule = intake.verdict(asked.url, depth)
    return f"would be left out now, by {rule}" if rule else "would let it in now"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
