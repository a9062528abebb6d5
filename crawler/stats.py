"""What a run counts, how it ended, and the report that says so.

The store adds to the counters in the transaction that lands their cause, so that they
survive a crash and add up: found = pages + failed + skipped + redirected + pending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import msgspec

from crawler.errors import Reason
from crawler.version import __version__


# Over 12 attributes: a value, one field for each thing that is counted.
class Counters(msgspec.Struct, omit_defaults=True):
    """What a run has counted so far; each dict counts by a word, such as a reason."""

    #: URLs that entered the store.
    found: int = 0
    #: URLs that are done: a callback had them and ended well.
    pages: int = 0
    #: Items written; `dropped` counts those that were not.
    items: int = 0
    #: URLs that failed for good; start URLs among them.
    failed: int = 0
    start_failed: int = 0
    #: URLs whose answer was a redirect to another one.
    redirected: int = 0
    #: Attempts that are made again.
    retried: int = 0
    #: Requests that `self.fetch` made for pages.
    fetched: int = 0
    #: Bytes of bodies received.
    bytes: int = 0
    #: URLs skipped on purpose, by reason or filter.
    skipped: dict[str, int] = {}
    #: Visited URLs that a callback skipped, by the spider's own reasons.
    own_skips: dict[str, int] = {}
    #: What the spider counts itself, by `count`.
    own: dict[str, int] = {}
    #: Items that were not written, by reason.
    dropped: dict[str, int] = {}
    #: Failed URLs, and attempts that are made again, by reason.
    errors: dict[str, int] = {}
    retries: dict[str, int] = {}
    #: Answers by status, and by version of HTTP.
    statuses: dict[str, int] = {}
    http_versions: dict[str, int] = {}

    def copy(self) -> Counters:
        """The same counts; changing one does not change the other."""
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
    """Add to what is counted by a word; a word that comes to nothing is dropped."""
    total = counts.get(word, 0) + amount
    if total:
        counts[word] = total
    else:
        counts.pop(word, None)


# Words of `Counters.own` that are none of a spider's own, which begin with no space.
_FILLED, _EMPTY = " filled ", " empty "


def fill_words(field: str, filled: int, asked: int) -> dict[str, int]:
    """The words by which the fill of a field is counted among a spider's own."""
    counts = {_FILLED + field: filled, _EMPTY + field: asked - filled}
    return {word: amount for word, amount in counts.items() if amount}


def own_counts(own: Mapping[str, int]) -> dict[str, int]:
    """What a spider counted itself."""
    return {word: amount for word, amount in own.items() if word[0] != " "}


def fill_rates(own: Mapping[str, int]) -> dict[str, float]:
    """The share of items in which each field had a value, by class and field."""
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
    #: Of an unfinished run that is read: a process works on it; its process was killed.
    RUNNING = "running"
    KILLED = "killed"

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
        FinishReason.ERRORS_LIMIT,
        FinishReason.STOPPED,
        FinishReason.START_ERROR,
    }
)


class Shortfall(msgspec.Struct, frozen=True):
    """A bound that a complete run did not keep: the reason for exit code 3."""

    #: "start_urls", "errors", "max_error_rate" or "min_items".
    bound: str
    #: The most, or the least, that the bound asks for; and what the run came to.
    allowed: float
    came: float
    #: The same as a sentence.
    text: str


class WrittenOutput(msgspec.Struct, frozen=True):
    """An output that is in place."""

    #: Its path or URL.
    place: str
    #: The items of the run in it; None: it takes some types of items only.
    items: int | None = None
    #: Its size; None: it is no file of this machine.
    bytes: int | None = None


# Over 12 attributes: a value, one field for each figure of a report.
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
    #: What the spider said by `raise StopCrawl(...)`; else empty.
    stop_reason: str = ""
    exit_code: int = 0
    #: Why the run is a bad one (exit code 3); empty for a good one.
    shortfalls: tuple[Shortfall, ...] = ()
    found: int = 0
    pages: int = 0
    #: The items themselves where the crawl had no other output; else empty.
    items: list[Any] = field(default_factory=list)
    item_count: int = 0
    #: The outputs that are in place.
    written: tuple[WrittenOutput, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    redirected: int = 0
    retried: int = 0
    #: Requests that `self.fetch` made; none of them is a page.
    fetched: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    pending: int = 0
    #: What the spider counted itself, by `count`.
    counts: dict[str, int] = field(default_factory=dict)
    #: The share of typed items in which a field had a value, as `{"Book.price": 0.98}`.
    fields: dict[str, float] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0
    pages_per_second: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    http_versions: dict[str, int] = field(default_factory=dict)
    #: Of each proxy of the list: how often it was asked, failed and was banned, in this
    #: process. Credentials are left out.
    proxies: dict[str, dict[str, int]] = field(default_factory=dict)
    connections: int = 0
    #: Times that an origin was put back to HTTP/1.1 after errors of its HTTP/2.
    http2_fallbacks: int = 0
    #: Requests that found no connection free because of a limit of their own.
    pool_waits: int = 0
    #: Functions of the spider that blocked the crawl often, and for how many seconds.
    blocking: dict[str, float] = field(default_factory=dict)
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
        values["shortfalls"] = [
            msgspec.structs.asdict(each) for each in self.shortfalls
        ]
        values["written"] = [msgspec.structs.asdict(each) for each in self.written]
        del values["advice"]
        return values

    @classmethod
    def of_summary(cls, summary: Mapping[str, Any]) -> Report:
        """The report that `summary()` gave, of this version or of another one."""
        values = dict(summary)
        values["item_count"] = values.pop("items")
        values["finish_reason"] = FinishReason(values["finish_reason"])
        missed = values.get("shortfalls", ())
        values["shortfalls"] = tuple(Shortfall(**each) for each in missed)
        written = values.get("written", ())
        values["written"] = tuple(WrittenOutput(**each) for each in written)
        known = {each.name for each in fields(cls)}
        return cls(**{name: values[name] for name in values if name in known})


def _largest_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def totals(counters: Counters) -> dict[str, Any]:
    """The report's figures that follow from the counters alone."""
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
    """`1 item`, `2 items`: a count that agrees with its noun."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def is_good(report: Report) -> bool:
    """Whether the run's output may replace that of an earlier run: the run is complete,
    ended well, and has items."""
    return report.exit_code == 0 and report.item_count > 0


def shortfalls(
    report: Report,
    *,
    start_failed: int,
    max_error_rate: float | None,
    min_items: int,
    errors: int | None = None,
) -> tuple[Shortfall, ...]:
    """The bounds that a run does not keep; without a `max_error_rate` every start URL
    must become a page, and nine in ten of the others; `errors` ends a run."""
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
    """Two digits at least: 0.1 % is not 0 %."""
    return f"{share * 100:.3g}%"


def exit_code(report: Report) -> int:
    """The exit code of a run that ended in order: 0, 1, 3 or 4, the first of
    1, 4 and 3 that applies."""
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


#: The exit code of a run that is complete, but has a shortfall.
POOR = 3
#: More failures than this among pages and failures make a run a bad one.
DEFAULT_ERROR_RATE = 0.1
