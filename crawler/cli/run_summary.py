"""How a crawl is put into words: where it stands, how it went, where the items are.

Rule: figures in, text out; nothing is printed here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crawler.cli.streams import of_bytes, shown
from crawler.run.engine import Engine
from crawler.stats import Counters, FinishReason, Report, totals
from crawler.store.status import RestingHost

#: The rate is that of the last seconds, so that one sees a crawl slow down.
WINDOW = 10.0


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Where a crawl stands."""

    pages: int
    items: int
    #: Pages a second, of late.
    rate: float
    failed: int
    busy_hosts: int
    queue: int
    seconds: float


class RunGauge:
    """Takes a running crawl's figures; `now` only ever grows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: deque[tuple[float, int]] = deque()

    def figures(self, now: float, seconds: float) -> RunFigures:
        """The figures of this moment, `seconds` into the run."""
        found = totals(self._engine.progress.counters)
        seen = self._seen
        seen.append((now, found["pages"]))
        while now - seen[0][0] > WINDOW and now - seen[1][0] >= WINDOW / 2:
            seen.popleft()
        passed = now - seen[0][0]
        return RunFigures(
            pages=found["pages"],
            items=found["item_count"],
            rate=(found["pages"] - seen[0][1]) / passed if passed else 0.0,
            failed=found["failed"],
            busy_hosts=self._engine.busy_hosts,
            queue=found["pending"],
            seconds=seconds,
        )


def progress_line(figures: RunFigures) -> str:
    """One line that says where a crawl stands."""
    return (
        f"{clock(figures.seconds)}  {figures.pages:,} pages, {figures.items:,} items, "
        f"{figures.rate:,.1f} pages/s, {figures.failed:,} failed, "
        f"{figures.busy_hosts:,} hosts busy, {figures.queue:,} queued"
    )


def rest_line(rest: RestingHost) -> str:
    """Why a host is not asked, and until when."""
    until = datetime.fromtimestamp(rest.until, UTC).strftime("%H:%M:%S UTC")
    return f"{rest.host} is not asked before {until}" + (
        f": {rest.why}" if rest.why else ""
    )


def resume_line(
    run: int, counters: Counters, hosts: Mapping[str, int], waiting: int
) -> str:
    """What an unfinished run has done, and what it has to do."""
    done = counters.pages
    pending = sum(hosts.values())
    return (
        f"resuming run {run}: {done:,} done, {pending - waiting:,} pending, "
        f"{waiting:,} waiting"
    )


_ENDS = {
    FinishReason.FINISHED: "finished",
    FinishReason.PAGES_LIMIT: "ended by the limit on pages",
    FinishReason.ITEMS_LIMIT: "ended by the limit on items",
    FinishReason.TIME_LIMIT: "ended by the limit on time",
    FinishReason.INTERRUPTED: "stopped",
    FinishReason.STOPPED: "stopped by the spider",
    FinishReason.START_ERROR: "start() failed",
    FinishReason.CLOSING_ERROR: "closing() failed",
    FinishReason.SINK_ERROR: "stopped: an output failed",
    FinishReason.CRASHED: "crashed",
    FinishReason.RUNNING: "at work, so far",
    FinishReason.KILLED: "ended without a word, as a killed process does,",
}


def table(report: Report) -> list[str]:
    """How a run went, as a short table."""
    job = "" if report.job == report.spider else f" (job {report.job})"
    end = _ENDS[report.finish_reason]
    if report.stop_reason:
        end += f" ({report.stop_reason})"
    head = (
        f"{report.spider}{job}, run {report.run}: {end} after {clock(report.seconds)}"
    )
    rows = [
        (name, amount, more) for name, amount, more in _rows(report) if amount or more
    ]
    width = max((len(amount) for _, amount, _ in rows), default=0)
    lines = [f"  {name:<10}  {amount:>{width}}  {more}" for name, amount, more in rows]
    return [head, *map(str.rstrip, lines)]


def _rows(report: Report) -> Iterable[tuple[str, str, str]]:
    dropped, skipped = sum(report.dropped.values()), sum(report.skipped.values())
    yield "pages", f"{report.pages:,}", f"{report.pages_per_second:,.1f} a second"
    yield "items", f"{report.item_count:,}", ""
    yield "dropped", _amount(dropped), _parts(report.dropped)
    yield "failed", f"{report.failed:,}", _parts(report.errors)
    yield "redirected", _amount(report.redirected), ""
    yield "left out", _amount(skipped), _parts(report.skipped)
    yield "retried", _amount(report.retried), ""
    yield "fetched", _amount(report.fetched), "by self.fetch" if report.fetched else ""
    yield "counted", "", _parts(report.counts)
    yield "empty", "", _emptiest(report.fields)
    yield "pending", _amount(report.pending), ""
    versions = ", ".join(f"{n:,} by {name}" for name, n in report.http_versions.items())
    connections = f"{of(report.connections, 'connection')}, {of(report.hosts, 'host')}"
    yield "received", of_bytes(report.bytes), f"{connections}; {versions}".rstrip("; ")


def _amount(number: int) -> str:
    return f"{number:,}" if number else ""


def _parts(amounts: Mapping[str, int]) -> str:
    shown = [f"{amount:,} {name}" for name, amount in list(amounts.items())[:4]]
    return ", ".join(shown) + (", ..." if len(amounts) > 4 else "")


def _emptiest(fields: Mapping[str, float]) -> str:
    """The fields that lack a value most often."""
    worst = sorted((share, name) for name, share in fields.items() if share < 1)
    shown = [f"{name} in {(1 - share) * 100:.3g}%" for share, name in worst[:4]]
    return ", ".join(shown) + (", ..." if len(worst) > 4 else "")


def bad_lines(report: Report) -> list[str]:
    """Why the run is a bad one: a line for each bound that it does not keep."""
    return [f"exit code 3: {each.text}" for each in report.shortfalls]


@dataclass(frozen=True)
class Ending:
    """All that is to be told at the end of a run."""

    report: Report
    published: list[str] = field(default_factory=list)
    #: Parts of outputs that are not in place, with how many items each holds.
    unpublished: dict[str, int] = field(default_factory=dict)
    #: Outputs of an earlier run that this one, a bad one, did not replace.
    kept: list[str] = field(default_factory=list)
    #: Whether the state is kept, so that the run can be gone on with.
    is_kept: bool = True
    #: What the run died of, where it did.
    error: Exception | None = None


def last_line(ending: Ending, command: str) -> str:
    """Where the items are, and how to go on where there is something to go on with."""
    report = ending.report
    count = of(report.item_count, "item")
    parts = ", ".join(
        shown(path) + (f" ({held:,} of them)" if held < report.item_count else "")
        for path, held in ending.unpublished.items()
    )
    files = ", ".join(map(shown, ending.published))
    is_over = report.finish_reason.is_complete or report.exit_code == 0
    if is_over or not ending.is_kept:
        if parts:
            return f"{count} so far, in {parts}; it is not complete"
        line = f"{count} in {files}" if files else f"{count} written"
        return line + _kept(ending.kept)
    where = f"so far {count}, in {parts}" if parts else f"so far {count}, all kept"
    return f"{where}; go on with: {command}"


def _kept(places: list[str]) -> str:
    if not places:
        return ""
    names = ", ".join(map(shown, places))
    verb = "stays" if len(places) == 1 else "stay"
    return (
        f"; the run was bad, so {names} of an earlier run {verb} "
        "(output.publish_bad = true replaces it)"
    )


def of(number: int, what: str) -> str:
    """`1 item`, `2 items`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def clock(seconds: float) -> str:
    """A duration as people read it: 12.3 s, 5:02, 1:05:02."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
