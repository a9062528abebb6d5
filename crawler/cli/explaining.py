"""`crawl why`: shows what the stored runs know about one URL, and whether the filters
of the spider would accept the URL now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

import msgspec

from crawler.cli.filters import intake_of
from crawler.cli.project import Project, is_file
from crawler.cli.streams import of_bytes
from crawler.errors import ConfigError
from crawler.request import Request
from crawler.stats import counted
from crawler.store.base import Attempt, Explanation, State
from crawler.store.open import open_reader
from crawler.store.reading import Reader, RunReader, RunRecord

#: Maximum number of items shown.
MAX_ITEMS = 5
#: Maximum number of characters shown of each item.
MAX_ITEM = 300
#: Maximum number of job names shown if no job knows the URL.
MAX_JOBS = 10

_STATES = {
    State.PENDING: "not fetched yet",
    State.DONE: "done",
    State.FAILED: "failed",
    State.SKIPPED: "skipped",
    State.REDIRECTED: "redirected",
}


def explain(
    project: Project,
    wanted: Request,
    job: str | None,
    number: int | None,
    *,
    is_exact: bool = False,
) -> Iterator[str]:
    """Yield lines about a URL, for one job or for every job that knows the URL.

    `number` is the number of the run; None means the latest run. With `is_exact` only
    requests with the method and body of `wanted` count, else all requests for its URL.
    """
    reader = open_reader(project.settings().storage)
    asked = _Asked(project, reader, wanted, number, is_exact)
    jobs = [project.job_named(job)] if job else reader.jobs()
    if not jobs:
        where = f"there is no state in {reader.place}"
        raise ConfigError(
            f"No job has run here yet: {where}; crawl run NAME runs a job"
        )
    file = job if job and is_file(job) else ""
    is_only = len(jobs) == 1
    told = [list(_in_job(asked, each, file, is_told=is_only)) for each in jobs]
    yield wanted.url
    yield from chain.from_iterable(told)
    if not any(told):
        shown = ", ".join(jobs[:MAX_JOBS]) + (", ..." if len(jobs) > MAX_JOBS else "")
        yield f"  never found by any of {len(jobs):,} jobs: {shown}"
        yield "  --job NAME shows whether the filters of that job would accept this URL"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one `crawl why` asks for: a request and a run, and the store to search.

    `number` is the number of the run; None means the latest run.
    """

    project: Project
    reader: Reader
    wanted: Request
    number: int | None
    is_exact: bool

    @property
    def url(self) -> str:
        return self.wanted.url

    def known(self, run: RunReader) -> list[tuple[str, Explanation]]:
        """Return what the run knows about the URL, as pairs (request in words,
        explanation).

        There is one pair for each request, such as a GET and a POST. The words for a
        GET request without a body are "".
        """
        wanted = self.wanted
        form = self.project.settings().url_identity()
        named = [(wanted.fingerprint(0, form), wanted.method, len(wanted.content))]
        if not self.is_exact:
            others = run.requests_of(self.url)
            named += [other for other in others if other[0] != named[0][0]]
        found = [(each, run.explain(each[0])) for each in named]
        return [(_words(*each[1:]), known) for each, known in found if known]


def _words(method: str, size: int) -> str:
    if not size:
        return "" if method == "GET" else method
    return f"{method} with {of_bytes(size)}"


def _in_job(asked: _Asked, job: str, file: str, *, is_told: bool) -> Iterator[str]:
    """Yield lines about the URL in one job.

    If the job does not know the URL, yield a line that says so, but only with
    `is_told`. `file` is the path of the spider's file if the user gave one, else "".
    """
    number = asked.number
    records = asked.reader.runs(job)
    record = next((r for r in records if number in (None, r.number)), None)
    if record is None:
        if is_told:
            what = f" has no run {number}" if number else ": no runs"
            yield f"  job {job}{what}"
        return
    run = asked.reader.run(job, record.number)
    found = asked.known(run)
    if not (found or is_told):
        return
    yield f"  job {job}, run {record.number}"
    if not found:
        yield "    never found: no page that was visited links to it"
    for words, known in found:
        if words:
            yield f"    request  {words}"
        yield from _known(known)
        yield from _items(run, known)
    described = job if job in asked.project.jobs.sound else ""
    spider = file or described or record.spider
    depth = found[0][1].depth if found else 0
    yield f"    filters  {_verdict(asked, run, spider, record, depth)}"


def _known(found: Explanation) -> Iterator[str]:
    origin = f" on {found.parent_url}" if found.parent_url else ""
    how = f", as {found.found_as}" if found.found_as else ""
    yield f"    found    {_moment(found.found)}{origin}{how}, depth {found.depth}"
    if found.duplicates:
        where, callback = found.duplicate_on or "start()", found.duplicate_for
        yield (
            f"    equal    {counted(found.duplicates, 'more Request')}, such as one in "
            f"{where} for {callback}(): sent only once; once=False sends each of them"
        )
    for attempt in found.attempts:
        yield f"    attempt  {_attempt(attempt)}"
    if found.state is not None:
        why = f": {found.reason}" if found.reason else ""
        detail = f", {found.detail}" if found.detail else ""
        yield f"    state    {_STATES[found.state]}{why}{detail}"
    if found.state is State.PENDING and found.due:
        yield f"    due      {_moment(found.due)}"


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
    """Return whether the filters would accept the URL now.

    If the spider cannot be loaded, return the reason instead. `depth` is the number of
    links from a start URL.
    """
    try:
        target = asked.project.target(name)
        spider = target.spider(**msgspec.json.decode(record.arguments))
    except ConfigError as exc:
        return f"not checked: {exc}"
    settings = asked.project.settings(target)
    intake = intake_of(spider, settings, run.facts().scope)
    rule = intake.verdict(asked.url, depth)
    return f"would skip this URL now, by {rule}" if rule else "would accept this URL"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
