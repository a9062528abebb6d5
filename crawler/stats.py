"""What a run counts, how it ended, and the report that says so.

A counter's name is a word, or a word and what it counts by: `status.200`,
`error.dns_error`, `skipped.scope`. The store adds them in the transaction that lands
their cause, so that they survive a crash and add up.

    found            URLs that entered the store
    pages            URLs that are done: a callback had them and ended well
    failed           URLs that failed for good, by reason in `error.*`
    redirected       URLs whose answer was a redirect to another one
    skipped.*        URLs left out on purpose, by reason or filter
    items            items written; `dropped.*` those that were not, by reason
    retried          attempts that will be made again, by reason in `retry.*`
    bytes            bytes of bodies received
    status.*         answers by status, `http_version.*` by protocol
    start_failed     start URLs among the failed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from crawler.errors import Reason
from crawler.version import __version__


class FinishReason(StrEnum):
    """Why a run ended."""

    FINISHED = "finished"
    PAGES_LIMIT = "pages_limit"
    ITEMS_LIMIT = "items_limit"
    TIME_LIMIT = "time_limit"
    INTERRUPTED = "interrupted"
    START_ERROR = "start_error"
    SINK_ERROR = "sink_error"
    CRASHED = "crashed"

    @property
    def is_complete(self) -> bool:
        """Whether the run is over: another `crawl run` starts a new one."""
        return self in _COMPLETE


_COMPLETE = frozenset(
    {
        FinishReason.FINISHED,
        FinishReason.PAGES_LIMIT,
        FinishReason.ITEMS_LIMIT,
        FinishReason.TIME_LIMIT,
        FinishReason.START_ERROR,
    }
)


@dataclass
class Report:
    """How a run went; `summary()` gives the keys of `--summary`."""

    spider: str
    job: str
    run: int
    #: ISO 8601, UTC.
    started: str
    finished: str
    finish_reason: FinishReason
    exit_code: int = 0
    found: int = 0
    pages: int = 0
    #: The items themselves where the crawl had no other output; else empty.
    items: list[Any] = field(default_factory=list)
    item_count: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    redirected: int = 0
    retried: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    pending: int = 0
    bytes: int = 0
    seconds: float = 0.0
    pages_per_second: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    http_versions: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    #: Times that an origin was put back to HTTP/1.1 after errors of its HTTP/2.
    http2_fallbacks: int = 0
    #: Requests that found no connection free because of a limit of their own.
    pool_waits: int = 0
    hosts: int = 0
    peak_rss_mb: float = 0.0
    resumed: bool = False
    version: str = __version__
    #: What is off and what to do about it: lines for a person.
    advice: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The report as JSON values; `items` is their number."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["items"] = values.pop("item_count")
        values["finish_reason"] = str(self.finish_reason)
        del values["advice"]
        return values

    @classmethod
    def of_summary(cls, summary: Mapping[str, Any]) -> Report:
        """The report that `summary()` gave, of this version or of another one."""
        values = dict(summary)
        values["item_count"] = values.pop("items")
        values["finish_reason"] = FinishReason(values["finish_reason"])
        known = {each.name for each in fields(cls)}
        return cls(**{name: values[name] for name in values if name in known})


def group(counters: Mapping[str, int], prefix: str) -> dict[str, int]:
    """The counters of one kind, largest first: `status.200` of "status" as "200"."""
    start = prefix + "."
    found = [
        (name[len(start) :], amount)
        for name, amount in counters.items()
        if name.startswith(start) and amount
    ]
    return dict(sorted(found, key=lambda pair: (-pair[1], pair[0])))


def totals(counters: Mapping[str, int]) -> dict[str, Any]:
    """The report's figures that follow from the counters alone; they add up:
    found = pages + failed + skipped + redirected + pending."""
    skipped = group(counters, "skipped")
    pages, failed = counters.get("pages", 0), counters.get("failed", 0)
    redirected = counters.get("redirected", 0)
    rows = sum(skipped.get(reason, 0) for reason in Reason if reason.is_skip)
    visited = pages + failed + redirected + rows
    return {
        "found": counters.get("found", 0) - rows + sum(skipped.values()),
        "pages": pages,
        "item_count": counters.get("items", 0),
        "dropped": group(counters, "dropped"),
        "failed": failed,
        "redirected": redirected,
        "retried": counters.get("retried", 0),
        "skipped": skipped,
        "pending": counters.get("found", 0) - visited,
        "bytes": counters.get("bytes", 0),
        "statuses": group(counters, "status"),
        "errors": group(counters, "error"),
        "http_versions": group(counters, "http_version"),
    }


def exit_code(
    report: Report,
    *,
    start_failed: int,
    max_error_rate: float | None,
    min_items: int,
) -> int:
    """The exit code of a run that ended in order: 0, 1, 3 or 4, the first of
    1, 4 and 3 that applies."""
    reason = report.finish_reason
    if reason in (
        FinishReason.CRASHED,
        FinishReason.START_ERROR,
        FinishReason.SINK_ERROR,
    ):
        return 1
    if reason is FinishReason.INTERRUPTED:
        return 4
    tried = report.pages + report.failed
    rate = report.failed / tried if tried else 0.0
    if max_error_rate is None:
        is_bad = start_failed > 0 or rate > DEFAULT_ERROR_RATE
    else:
        is_bad = rate > max_error_rate
    return 3 if is_bad or report.item_count < min_items else 0


#: More failures than this among pages and failures make a run a bad one.
DEFAULT_ERROR_RATE = 0.1
