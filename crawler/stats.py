"""The counters of a run, the reason why it ended, and its report.

The store changes a counter in the same transaction as the event that it counts. So the
counters survive a crash, and they add up: found = pages + failed + skipped + redirected
+ pending.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from crawler.errors import Reason
from crawler.version import __version__


# This class has over 12 attributes, because it is a plain value with one field for each
# counter.
class Counters(msgspec.Struct, omit_defaults=True):
    """The counters of a run so far. Each dict maps a word, such as the reason of a
    failure, to a count."""

    #: URLs that were added to the store.
    found: int = 0
    #: URLs whose page was processed by a callback without an error.
    pages: int = 0
    #: Items that were accepted; `dropped` counts the others.
    items: int = 0
    #: URLs that failed for good.
    failed: int = 0
    #: Start URLs that failed for good; `failed` counts them, too.
    start_failed: int = 0
    #: URLs whose response was a redirect to another URL.
    redirected: int = 0
    #: Failed tries after which the request was queued again.
    retried: int = 0
    #: Requests that the spider's code sent itself, with `Spider.fetch`.
    fetched: int = 0
    #: Bytes of response bodies received.
    bytes: int = 0
    #: URLs that were skipped on purpose, by reason or filter; they did not fail.
    skipped: dict[str, int] = {}
    #: Fetched URLs whose callback raised Skip, by the reason of the Skip.
    own_skips: dict[str, int] = {}
    #: The spider's own counters, made with `Spider.count`.
    own: dict[str, int] = {}
    #: Items that were dropped, by reason.
    dropped: dict[str, int] = {}
    #: URLs that failed for good, by reason.
    errors: dict[str, int] = {}
    #: Failed tries after which the request was queued again, by reason.
    retries: dict[str, int] = {}
    #: Responses by status.
    statuses: dict[str, int] = {}
    #: Responses by HTTP version.
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
    """Add `amount` to the count of a word; if the count becomes 0, remove the word."""
    total = counts.get(word, 0) + amount
    if total:
        counts[word] = total
    else:
        counts.pop(word, None)


# Prefix of a word in `Counters.own` that counts the items with a value for a field. A
# spider's own words never begin with a space.
_FILLED = " filled "
# Prefix of a word in `Counters.own` that counts the items without a value for a field.
_EMPTY = " empty "


def fill_words(field: str, filled: int, asked: int) -> dict[str, int]:
    """Return the counts to add to `Counters.own` for items with a field "Class.field".

    `asked` is the number of items that have the field, `filled` the number of these
    items that have a value for it.
    """
    counts = {_FILLED + field: filled, _EMPTY + field: asked - filled}
    return {word: amount for word, amount in counts.items() if amount}


def own_counts(own: Mapping[str, int]) -> dict[str, int]:
    """Return those counters of `Counters.own` that the spider made."""
    return {word: amount for word, amount in own.items() if word[0] != " "}


def fill_rates(own: Mapping[str, int]) -> dict[str, float]:
    """Return for each field of typed items the share of items that have a value for it,
    such as {"Class.field": 0.98}."""
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
    #: The run is unfinished, and a process works on it now.
    RUNNING = "running"
    #: The run is unfinished, and its last process was killed.
    KILLED = "killed"

    @property
    def is_complete(self) -> bool:
        """Whether the run is over, so that the next `crawl run` starts a new one and
        does not resume this one."""
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
    """A quality limit that a run did not meet; the run is bad, with exit code 3."""

    #: The name of the limit: "start_urls", "errors", "max_error_rate" or "min_items".
    bound: str
    #: The value that the limit allows.
    allowed: float
    #: The actual value in the run.
    came: float
    #: The shortfall as a sentence.
    text: str


class WrittenOutput(msgspec.Struct, frozen=True):
    """An output that is complete, and has its final path or URL."""

    #: The path or URL of the output.
    place: str
    #: The number of the run's items in the output; None if the output takes only some
    #: item types.
    items: int | None = None
    #: The size in bytes; None if the output is not a local file.
    bytes: int | None = None


# This class has over 12 attributes, because it is a plain value with one field for each
# figure of a report.
class Report(msgspec.Struct):
    """The result of a run; `summary()` returns it as `--summary` writes it."""

    spider: str
    #: The name under which the run's state is stored.
    job: str
    #: The number of the run in its job.
    run: int
    #: The start of the run: ISO 8601, UTC.
    started: str
    #: The end of the run: ISO 8601, UTC.
    finished: str
    finish_reason: FinishReason
    #: The reason of the StopCrawl that the spider raised; "" if it raised none.
    stop_reason: str = ""
    exit_code: int = 0
    #: Why the run is bad (exit code 3); empty for a good run.
    shortfalls: tuple[Shortfall, ...] = ()
    #: URLs found; they are equal to pages + failed + redirected + skipped + pending.
    found: int = 0
    #: URLs whose page was processed by a callback without an error.
    pages: int = 0
    #: The items themselves if the crawl had no other output; else empty.
    items: list[Any] = msgspec.field(default_factory=list)
    item_count: int = 0
    #: The published outputs.
    written: tuple[WrittenOutput, ...] = ()
    #: Items that were dropped, by reason.
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    #: URLs that failed for good.
    failed: int = 0
    #: URLs whose response was a redirect to another URL.
    redirected: int = 0
    #: Failed tries after which the request was queued again.
    retried: int = 0
    #: Requests that the spider's code sent itself, with `Spider.fetch`; they are not
    #: counted as pages.
    fetched: int = 0
    #: URLs that were skipped, by reason or filter.
    skipped: dict[str, int] = msgspec.field(default_factory=dict)
    #: URLs that are still waiting in the queue.
    pending: int = 0
    #: The spider's own counters, made with `Spider.count`.
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    #: For each field of typed items: the share of items that have a value for it, as
    #: `{"Book.price": 0.98}`.
    fields: dict[str, float] = msgspec.field(default_factory=dict)
    #: Bytes of response bodies received.
    bytes: int = 0
    #: The duration of the run, including earlier processes of a resumed run.
    seconds: float = 0.0
    pages_per_second: float = 0.0
    #: Responses by status.
    statuses: dict[str, int] = msgspec.field(default_factory=dict)
    #: URLs that failed for good, by reason.
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    #: Responses by HTTP version.
    http_versions: dict[str, int] = msgspec.field(default_factory=dict)
    #: For each proxy in [proxies]: the requests, failures and bans of this process. The
    #: names of the proxies contain no passwords.
    proxies: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    #: Connections that were opened.
    connections: int = 0
    #: How often the crawler changed an origin to HTTP/1.1 after errors with HTTP/2.
    http2_fallbacks: int = 0
    #: How often a request waited for a free connection because of a connection limit.
    pool_waits: int = 0
    #: Functions of the spider that blocked the event loop often, with the seconds that
    #: they blocked it.
    blocking: dict[str, float] = msgspec.field(default_factory=dict)
    #: Number of hosts that received requests.
    hosts: int = 0
    #: The largest memory use of the process.
    peak_rss_mb: float = 0.0
    #: Whether this process resumed a run that an earlier process began.
    resumed: bool = False
    version: str = __version__
    #: Problems of the run, and what to do about them: lines of text.
    advice: list[str] = msgspec.field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Return the report as JSON values; `items` is the number of items, and
        `advice` is not included."""
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
        """Return the report whose `summary()` is given; unknown keys are ignored."""
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
    """Return the fields of a Report that can be computed from the counters alone."""
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
    """Return a count with its noun, such as `1 item` or `2 items`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def is_good(report: Report) -> bool:
    """Return whether a run is good, so that its output may replace an earlier one.

    A good run ended with exit code 0 and has items.
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

    `start_failed` is the number of start URLs that failed, `max_error_rate` the share
    of pages that may fail, `min_items` the number of items that the run must have, and
    `errors` the number of failed pages that ends a run. If `max_error_rate` is None, no
    start URL and at most one page in ten may fail.
    """
    found = []
    if errors is not None and report.finish_reason is FinishReason.ERRORS_LIMIT:
        text = f"{counted(report.failed, 'page')} failed; --errors stops at {errors:,}"
        found.append(Shortfall("errors", errors, report.failed, text))
    if start_failed and max_error_rate is None:
        urls = "1 start URL" if start_failed == 1 else f"{start_failed:,} start URLs"
        text = f"{urls} failed; without --max-error-rate none may fail"
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
        text = (
            f"the run has {counted(items, 'item')}; --min-items requires {min_items:,}"
        )
        found.append(Shortfall("min_items", min_items, items, text))
    return tuple(found)


def _percent(share: float) -> str:
    """Return a share as a percentage with three digits, so that 0.1 % does not become
    0 %."""
    return f"{share * 100:.3g}%"


def exit_code(report: Report) -> int:
    """Return the exit code of a run: 0, 1, 3 or 4.

    0: the run is complete. 1: an error ended the run. 3: the run is complete, but did
    not meet a quality limit, such as `max_error_rate`. 4: the run was interrupted.
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


#: The exit code of a bad run: it is complete, but did not meet a limit.
POOR = 3
#: The share of pages that may fail, if the user has not set one.
DEFAULT_ERROR_RATE = 0.1
