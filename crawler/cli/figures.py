"""The progress figures of a running crawl, as columns of a terminal or as one line.

Rule: if the terminal is too narrow, drop a whole column; never cut a number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Protocol

import msgspec

from crawler.cli.streams import of_bytes
from crawler.run.observers import Progress
from crawler.stats import counted, totals
from crawler.store.status import RestingHost, Status

#: After this number of pages in a row without a new URL, the known URLs are shown as
#: the total.
SETTLED = 100
#: Number of measurements of the queue's length. The queue counts as growing if the last
#: LOOKS measurements rise.
LOOKS = 4
#: Minimum number of seconds between two measurements of the queue's length.
BETWEEN = 30.0
#: Number of URLs in the queue. A shorter queue is never reported as growing.
LONG_QUEUE = 1_000
#: Maximum number of paused hosts that are named below the figures.
MAX_RESTING = 2


class Shown(Protocol):
    """The attributes of a running crawl that RunGauge reads; the crawl's engine has
    these attributes."""

    progress: Progress

    @property
    def has_started(self) -> bool: ...

    @property
    def pages_limit(self) -> int | None: ...


class RunFigures(msgspec.Struct, frozen=True):
    """The progress of a crawl at one moment."""

    pages: int
    items: int
    #: Pages a second, over the last few seconds.
    rate: float
    failed: int
    busy_hosts: int
    queue: int
    seconds: float
    byte_rate: float = 0.0
    retried: int = 0
    #: The expected number of pages; None if that is not known yet.
    total: int | None = None
    #: Lines for a person, such as why a host is paused, or that the queue grows.
    remarks: tuple[str, ...] = ()


class RunGauge:
    """Makes progress figures from the states of a crawl at several moments, given in
    time order."""

    def __init__(self, running: Shown) -> None:
        self._running = running
        self._found = self._pages_then = 0
        self._queues: deque[tuple[float, int]] = deque(maxlen=LOOKS)

    def figures(self, status: Status) -> RunFigures:
        """Return the figures at the moment of `status`."""
        counters = self._running.progress.counters
        found = totals(counters)
        pages, queue = found["pages"], found["pending"]
        if counters.found != self._found:
            self._found, self._pages_then = counters.found, pages
        if not self._queues or status.seconds - self._queues[-1][0] >= BETWEEN:
            self._queues.append((status.seconds, queue))
        return RunFigures(
            pages=pages,
            items=found["item_count"],
            rate=status.rate,
            failed=found["failed"],
            busy_hosts=status.busy_hosts,
            queue=queue,
            seconds=status.seconds,
            byte_rate=status.byte_rate,
            retried=found["retried"],
            total=self._total(pages, queue),
            remarks=tuple(self._remarks(status)),
        )

    def _total(self, pages: int, queue: int) -> int | None:
        """Return how many pages are expected: the limit on pages, else all known pages.

        None if there is no limit, and the latest pages still gave new URLs.
        """
        limit = self._running.pages_limit
        if limit is not None:
            return limit
        is_settled = pages - self._pages_then >= SETTLED
        if queue and self._running.has_started and is_settled:
            return pages + queue
        return None

    def _remarks(self, status: Status) -> list[str]:
        lines = [rest_line(rest) for rest in status.resting[:MAX_RESTING]]
        more = len(status.resting) - MAX_RESTING
        if more > 0:
            lines[-1] += f"; and {counted(more, 'more host')}"
        alarm = self._running.progress.descent.alarm
        if alarm:
            lines.append(
                f"{alarm}: is this a spider trap? If so, set crawl.depth, or `deny` in "
                "the spider"
            )
        if self._is_growing():
            lines.append(
                f"the queue only grows, by {self._growth():,} URLs in the last "
                f"{clock(BETWEEN * (LOOKS - 1))}: set crawl.depth, or a smaller "
                "`scope` in the spider"
            )
        return lines

    def _is_growing(self) -> bool:
        sizes = [size for _, size in self._queues]
        is_full = len(sizes) == LOOKS and sizes[-1] >= LONG_QUEUE
        return is_full and all(a < b for a, b in pairwise(sizes))

    def _growth(self) -> int:
        return self._queues[-1][1] - self._queues[0][1]


def progress_line(figures: RunFigures) -> str:
    """Return the figures as one line of text."""
    pages = f"{figures.pages:,} of {figures.total:,}" if figures.total else ""
    parts = [
        f"{pages} pages" if pages else counted(figures.pages, "page"),
        counted(figures.items, "item"),
        f"{figures.rate:,.1f} pages/s",
        f"{of_bytes(figures.byte_rate)}/s" if figures.byte_rate >= 1 else "",
        f"{figures.failed:,} failed",
        f"{figures.retried:,} retried" if figures.retried else "",
        f"{counted(figures.busy_hosts, 'host')} busy",
        f"{figures.queue:,} queued",
    ]
    return f"{clock(figures.seconds)}  {', '.join(filter(None, parts))}"


#: The columns of a terminal, in the order in which they are dropped.
_DROPPED = (
    "retried",
    "hosts busy",
    "received/s",
    "failed",
    "elapsed",
    "pages/s",
    "items",
)


def columns(figures: RunFigures, width: int) -> Mapping[str, str]:
    """Return the columns, by heading, that fit into `width` characters.

    The width includes two spaces between two columns.
    """
    total = f" of {figures.total:,}" if figures.total else ""
    cells = {
        "pages": f"{figures.pages:,}{total}",
        "items": f"{figures.items:,}",
        "pages/s": f"{figures.rate:,.1f}",
        "received/s": of_bytes(figures.byte_rate) or "0 B",
        "failed": f"{figures.failed:,}",
        "retried": f"{figures.retried:,}",
        "hosts busy": f"{figures.busy_hosts:,}",
        "queued": f"{figures.queue:,}",
        "elapsed": clock(figures.seconds),
    }
    for name in _DROPPED:
        if sum(max(len(n), len(cell)) + 2 for n, cell in cells.items()) - 2 <= width:
            break
        del cells[name]
    return cells


def rest_line(rest: RestingHost) -> str:
    """Return a line that says why a host is paused, and until when."""
    until = datetime.fromtimestamp(rest.until, UTC).strftime("%H:%M:%S UTC")
    why = f": {rest.why}" if rest.why else ""
    return f"{rest.host} gets no request before {until}{why}"


def clock(seconds: float) -> str:
    """Return a duration as text: 12.3 s, 5:02 (minutes), 1:05:02 (hours)."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
