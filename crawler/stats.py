"""The counters of a run, how it ended, and its report.

The store changes the counters in the same transaction as the event that they count. So
they survive a crash and add up: found = pages + failed + skipped + redirected +
pending.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from crawler.errors import Reason
from crawler.version import __version__


# Over 12 attributes: a plain value with one field for each counter.
class Counters(msgspec.Struct, omit_defaults=True):
    """The counters of a run so far. Each dict maps a word, such as a reason, to a
    count."""

    #: URLs that entered the store.
    found: int = 0
    #: URLs whose page was processed by a callback without an error.
    pages: int = 0
    #: Items written; `dropped` counts the items that were not.
    items: int = 0
    #: URLs that failed for good, and how many of them were start URLs.
    failed: int = 0
    start_failed: int = 0
    #: URLs whose response was a redirect to another URL.
    redirected: int = 0
    #: Failed attempts that were scheduled again.
    retried: int = 0
    #: Requests made by `self.fetch` for pages.
    fetched: int = 0
    #: Bytes of response bodies received.
    bytes: int = 0
    #: URLs skipped on purpose, by reason or filter.
    skipped: dict[str, int] = {}
    #: Fetched URLs that a callback skipped, by the spider's own reasons.
    own_skips: dict[str, int] = {}
    #: The spider's own counters, from `count`.
    own: dict[str, int] = {}
    #: Items that were not written, by reason.
    dropped: dict[str, int] = {}
    #: Failed URLs and failed attempts that were scheduled again, by reason.
    errors: dict[str, int] = {}
    retries: dict[str, int] = {}
    #: Responses by status, and by HTTP version.
    statuses: dict[str, int] = {}
    http_versions: dict[str, int] = {}

    def copy(self) -> Counters:
        """Return an independent copy."""
        return msgspec.structs.replace(
            self,
            skipped=dict(self.skipped),
            own_skips=dict(self.own_skips),
            own=dict(self.own),
            dropped=dict(self.dropped),
            errors=dict(self.errors),
            retries=dict(self.retries),
            statuses=dict(self.statuses),
            http_versions=dict(self.http_versions),
        )


def add(counts: dict[str, int], word: str, amount: int = 1) -> None:
    """Add to the count of a word; a word whose count becomes 0 is removed."""
    total = counts.get(word, 0) + amount
    if total:
        counts[word] = total
    else:
        counts.pop(word, None)


# Prefixes of internal words in `Counters.own`. A spider's own words never begin with a
# space.
_FILLED, _EMPTY = " filled ", " empty "


def fill_words(field: str, filled: int, asked: int) -> dict[str, int]:
    """Return counts of how many items had a value in `field`, for `Counters.own`."""
    counts = {_FILLED + field: filled, _EMPTY + field: asked - filled}
    return {word: amount for word, amount in counts.items() if amount}


def own_counts(own: Mapping[str, int]) -> dict[str, int]:
    """Return only the counters that the spider itself made."""
    return {word: amount for word, amount in own.items() if word[0] != " "}


def fill_rates(own: Mapping[str, int]) -> dict[str, float]:
    """Return the share of items with a value in each field: {"Class.field": 0.98}."""
    rates = {}
    for word in sorted(own):
        if word[0] == " ":
            field = word.removeprefix(_FILLED).removeprefix(_EMPTY)
            filled, empty = own.get(_FILLED + field, 0), own.get(_EMPTY + field, 0)
            rates[field] = round(filled / (filled + empty), 4)
    return dict(sorted(rates.items()))


class FinishReason(StrEnum):
    """Why a run ended."""

    FINISHED = "finished"
    PAGES_LIMIT = "pages_limit"
    ITEMS_LIMIT = "items_limit"
    TIME_LIMIT = "time_limit"
    ERRORS_LIMIT = "errors_limit"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    START_ERROR = "start_error"
    CLOSING_ERROR = "closing_error"
    SINK_ERROR = "sink_error"
    CRASHED = "crashed"
    #: Only for an unfinished run: a process works on it, or its process was killed.
    RUNNING = "running"
    KILLED = "killed"

    @property
    def is_complete(self) -> bool:
        """Whether the run is over, so that the next `crawl run` starts a new one."""
        return self in _COMPLETE


_COMPLETE = frozenset(
    {
        FinishReason.FINISHED,
        FinishReason.PAGES_LIMIT,
        FinishReason.ITEMS_LIMIT,
        FinishReason.TIME_LIMIT,
        FinishReason.ERRORS_LIMIT,
        FinishReason.STOPPED,
        FinishReason.START_ERROR,
    }
)


class Shortfall(msgspec.Struct, frozen=True):
    """A limit that a complete run did not meet: the reason for exit code 3."""

    #: The name of the limit: "start_urls", "errors", "max_error_rate" or "min_items".
    bound: str
    #: The allowed value of the limit, and the actual value of the run.
    allowed: float
    came: float
    #: The shortfall as a sentence.
    text: str


class WrittenOutput(msgspec.Struct, frozen=True):
    """An output that is published."""

    #: The path or URL of the output.
    place: str
    #: The number of the run's items in it; None if it takes only some item types.
    items: int | None = None
    #: Its size in bytes; None if it is not a local file.
    bytes: int | None = None


# Over 12 attributes: a plain value with one field for each figure of a report.
class Report(msgspec.Struct):
    """The result of a run; `summary()` returns the keys of `--summary`."""

    spider: str
    job: str
    run: int
    #: The start of the run: ISO 8601, UTC.
    started: str
    finished: str
    finish_reason: FinishReason
    #: The text of the spider's `raise StopCrawl(...)`; "" without one.
    stop_reason: str = ""
    exit_code: int = 0
    #: Why the run is bad (exit code 3); empty for a good run.
    shortfalls: tuple[Shortfall, ...] = ()
    found: int = 0
    pages: int = 0
    #: The items themselves if the crawl had no other output; else empty.
    items: list[Any] = msgspec.field(default_factory=list)
    item_count: int = 0
    #: The published outputs.
    written: tuple[WrittenOutput, ...] = ()
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    failed: int = 0
    redirected: int = 0
    retried: int = 0
    #: Requests made by `self.fetch`; they are not counted as pages.
    fetched: int = 0
    skipped: dict[str, int] = msgspec.field(default_factory=dict)
    pending: int = 0
    #: The spider's own counters, from `count`.
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    #: The share of typed items with a value in each field, as `{"Book.price": 0.98}`.
    fields: dict[str, float] = msgspec.field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0
    pages_per_second: float = 0.0
    statuses: dict[str, int] = msgspec.field(default_factory=dict)
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    http_versions: dict[str, int] = msgspec.field(default_factory=dict)
    #: For each proxy of the list: its requests, failures and bans, in this process
    #: only. The names contain no credentials.
    proxies: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    connections: int = 0
    #: How often an origin was changed back to HTTP/1.1 after HTTP/2 errors.
    http2_fallbacks: int = 0
    #: How often a request waited for a free connection because of a connection limit.
    pool_waits: int = 0
    #: Functions of the spider that blocked the event loop often, and for how many
    #: seconds.
    blocking: dict[str, float] = msgspec.field(default_factory=dict)
    hosts: int = 0
    peak_rss_mb: float = 0.0
    resumed: bool = False
    version: str = __version__
    #: Problems and what to do about them: lines for a person.
    advice: list[str] = msgspec.field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Return the report as JSON values; `items` is the number of items."""
        values = msgspec.structs.asdict(self)
        values["items"] = values.pop("item_count")
        values["finish_reason"] = str(self.finish_reason)
        values["shortfalls"] = [
            msgspec.structs.asdict(each) for each in self.shortfalls
        ]
        values["written"] = [msgspec.structs.asdict(each) for each in self.written]
        del values["advice"]
        return values

    @classmethod
    def of_summary(cls, summary: Mapping[str, Any]) -> Report:
        """Return the report whose `summary()` is given, also one of another version."""
        values = dict(summary)
        values["item_count"] = values.pop("items")
        values["finish_reason"] = FinishReason(values["finish_reason"])
        missed = values.get("shortfalls", ())
        values["shortfalls"] = tuple(Shortfall(**each) for each in missed)
        written = values.get("written", ())
        values["written"] = tuple(WrittenOutput(**each) for each in written)
        known = set(cls.__struct_fields__)
        return cls(**{name: values[name] for name in values if name in known})


def _largest_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def totals(counters: Counters) -> dict[str, Any]:
    """Return the figures of a report that follow from the counters alone."""
    skipped = dict(counters.skipped)
    rows = sum(skipped.get(reason, 0) for reason in Reason if reason.is_skip)
    for reason, amount in counters.own_skips.items():
        add(skipped, reason, amount)
        rows += amount
    visited = counters.pages + counters.failed + counters.redirected + rows
    return {
        "found": counters.found - rows + sum(skipped.values()),
        "pages": counters.pages,
        "item_count": counters.items,
        "dropped": _largest_first(counters.dropped),
        "failed": counters.failed,
        "redirected": counters.redirected,
        "retried": counters.retried,
        "fetched": counters.fetched,
        "skipped": _largest_first(skipped),
        "pending": counters.found - visited,
        "counts": dict(sorted(own_counts(counters.own).items())),
        "fields": fill_rates(counters.own),
        "bytes": counters.bytes,
        "statuses": _largest_first(counters.statuses),
        "errors": _largest_first(counters.errors),
        "http_versions": _largest_first(counters.http_versions),
    }


def counted(number: int, what: str) -> str:
    """Return a count with its noun: `1 item`, `2 items`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def is_good(report: Report) -> bool:
    """Return whether the run's output may replace that of an earlier run.

    It may if the run is complete, ended well, and has items.
    """
    return report.exit_code == 0 and report.item_count > 0


def shortfalls(
    report: Report,
    *,
    start_failed: int,
    max_error_rate: float | None,
    min_items: int,
    errors: int | None = None,
) -> tuple[Shortfall, ...]:
    """Return the limits that a run did not meet.

    Without a `max_error_rate`, every start URL and nine in ten of the other URLs must
    succeed. `errors` is the number of failures that ends a run.
    """
    found = []
    if errors is not None and report.finish_reason is FinishReason.ERRORS_LIMIT:
        text = f"{counted(report.failed, 'page')} failed; the run ends at {errors:,}"
        found.append(Shortfall("errors", errors, report.failed, text))
    if start_failed and max_error_rate is None:
        urls = "1 start URL" if start_failed == 1 else f"{start_failed:,} start URLs"
        text = f"{urls} failed, and none may, unless --max-error-rate allows it"
        found.append(Shortfall("start_urls", 0, start_failed, text))
    allowed = DEFAULT_ERROR_RATE if max_error_rate is None else max_error_rate
    tried = report.pages + report.failed
    rate = report.failed / tried if tried else 0.0
    if rate > allowed:
        pages = "page" if tried == 1 else "pages"
        text = (
            f"{report.failed:,} of {tried:,} {pages} failed, {_percent(rate)}; "
            f"--max-error-rate allows {_percent(allowed)}"
        )
        found.append(Shortfall("max_error_rate", allowed, round(rate, 6), text))
    items = report.item_count
    if items < min_items:
        text = f"{items:,} of the {min_items:,} items that --min-items asks for"
        found.append(Shortfall("min_items", min_items, items, text))
    return tuple(found)


def _percent(share: float) -> str:
    """Return a share as a percentage with two digits, so that 0.1 % does not
    become 0 %."""
    return f"{share * 100:.3g}%"


def exit_code(report: Report) -> int:
    """Return the exit code of a run that ended in order: 0, 1, 3 or 4.

    If several apply, the first of 1, 4 and 3 is used.
    """
    reason = report.finish_reason
    if reason in (
        FinishReason.CRASHED,
        FinishReason.START_ERROR,
        FinishReason.CLOSING_ERROR,
        FinishReason.SINK_ERROR,
    ):
        return 1
    if reason is FinishReason.INTERRUPTED:
        return 4
    return POOR if report.shortfalls else 0


#: The exit code of a run that is complete but missed a limit.
POOR = 3
#: A run is bad if a larger share of its pages failed.
DEFAULT_ERROR_RATE = 0.1
