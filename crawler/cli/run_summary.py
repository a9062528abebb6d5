"""Makes the texts about a run: what it resumes, its result, and where its items are.

Rule: each function returns text; this module prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from crawler.cli.figures import clock
from crawler.cli.streams import of_bytes, shown
from crawler.stats import Counters, FinishReason, Report, counted


def resume_line(
    run: int, counters: Counters, hosts: Mapping[str, int], waiting: int
) -> str:
    """Return a line about an unfinished run: its pages so far, and what is left.

    `hosts` has the number of URLs in the queue for each host. `waiting` of these URLs
    wait for a later time, such as a retry.
    """
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
    FinishReason.ERRORS_LIMIT: "ended by the limit on failures",
    FinishReason.INTERRUPTED: "stopped",
    FinishReason.STOPPED: "stopped by the spider",
    FinishReason.START_ERROR: "start() failed",
    FinishReason.CLOSING_ERROR: "closing() failed",
    FinishReason.SINK_ERROR: "stopped: an output failed",
    FinishReason.CRASHED: "crashed",
    FinishReason.RUNNING: "still running",
    FinishReason.KILLED: "ended without a report, probably killed,",
}


def table(report: Report) -> list[str]:
    """Return the lines of a short table: how a run ended, and its numbers."""
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
    yield "dropped", _amount(dropped), _parts(report.dropped, dropped)
    yield "failed", f"{report.failed:,}", _parts(report.errors, report.failed)
    yield "redirected", _amount(report.redirected), ""
    yield "skipped", _amount(skipped), _parts(report.skipped, skipped)
    yield "retried", _amount(report.retried), ""
    yield (
        "fetched",
        _amount(report.fetched),
        "by self.fetch and Files" if report.fetched else "",
    )
    yield "counted", "", _parts(report.counts)
    yield "empty", "", _emptiest(report.fields)
    yield "pending", _amount(report.pending), ""
    versions = ", ".join(f"{n:,} by {name}" for name, n in report.http_versions.items())
    connections = (
        f"{counted(report.connections, 'connection')}, {counted(report.hosts, 'host')}"
    )
    yield "received", of_bytes(report.bytes), f"{connections}; {versions}".rstrip("; ")


def _amount(number: int) -> str:
    return f"{number:,}" if number else ""


def _parts(amounts: Mapping[str, int], total: int = 0) -> str:
    """Return the first four counts with their names, such as "12 scope, 3 depth".

    If the only count is equal to `total`, which is shown before it, return just its
    name.
    """
    if len(amounts) == 1 and total in amounts.values():
        return next(iter(amounts))
    shown = [f"{amount:,} {name}" for name, amount in list(amounts.items())[:4]]
    return ", ".join(shown) + (", ..." if len(amounts) > 4 else "")


def _emptiest(fields: Mapping[str, float]) -> str:
    """Return the four fields that most often have no value, such as "price in 12%"."""
    worst = sorted((share, name) for name, share in fields.items() if share < 1)
    shown = [f"{name} in {(1 - share) * 100:.3g}%" for share, name in worst[:4]]
    return ", ".join(shown) + (", ..." if len(worst) > 4 else "")


def bad_lines(report: Report) -> list[str]:
    """Return why the run is bad: one line for each limit that the run did not meet."""
    return [f"exit code 3: {each.text}" for each in report.shortfalls]


class Ending(msgspec.Struct, frozen=True):
    """The end of a run, with all that is shown to a person."""

    report: Report
    #: The finished outputs: paths or URIs.
    published: list[str] = msgspec.field(default_factory=list)
    #: Outputs that are not finished: the path of the partial file → the number of its
    #: items.
    unpublished: dict[str, int] = msgspec.field(default_factory=dict)
    #: Outputs of an earlier run that were not replaced, because this run has no items
    #: or did not meet a quality limit.
    kept: list[str] = msgspec.field(default_factory=list)
    #: Whether the state is stored (not only in memory), so that the run can be resumed.
    is_kept: bool = True
    #: The error that ended the run; None if none did.
    error: Exception | None = None


def last_line(ending: Ending, command: str) -> str:
    """Return a line that says where the items are, and how to resume an unfinished run.

    `command` is the command that resumes the run.
    """
    report = ending.report
    count = counted(report.item_count, "item")
    parts = ", ".join(
        shown(path) + (f" ({held:,} of them)" if held < report.item_count else "")
        for path, held in ending.unpublished.items()
    )
    files = ", ".join(map(shown, ending.published))
    is_over = report.finish_reason.is_complete or report.exit_code == 0
    if is_over or not ending.is_kept:
        if parts:
            return f"{count} so far, in {parts}; the output is not complete"
        line = f"{count} in {files}" if files else f"{count} written"
        return line + _kept(ending.kept)
    where = f"{count} so far, in {parts}" if parts else f"{count} so far, stored"
    return f"{where}; resume with: {command}"


def _kept(places: list[str]) -> str:
    if not places:
        return ""
    names = ", ".join(map(shown, places))
    verb = "stays" if len(places) == 1 else "stay"
    return (
        f"; the run was bad, so {names} of an earlier run {verb} "
        "(output.publish_bad = true replaces it)"
    )
