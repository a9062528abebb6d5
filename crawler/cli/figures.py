"""Where a running crawl stands, as figures: taken for a terminal, or for lines.

Rule: what is dropped where there is no room is a whole column, never a digit.
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

#: Pages in a row without a new URL, after which what was found is the total.
SETTLED = 100
#: A queue that is longer in each of so many looks, this many seconds apart, only grows.
LOOKS, BETWEEN = 4, 30.0
#: A shorter queue is no trouble.
LONG_QUEUE = 1_000
#: Hosts that are named beside the figures.
MAX_RESTING = 2


class Shown(Protocol):
    """What is looked at; a CrawlRun's engine is one."""

    progress: Progress

    @property
    def has_started(self) -> bool: ...

    @property
    def pages_limit(self) -> int | None: ...


class RunFigures(msgspec.Struct, frozen=True):
    """Where a crawl stands."""

    pages: int
    items: int
    #: Pages and bytes a second, of late.
    rate: float
    failed: int
    busy_hosts: int
    queue: int
    seconds: float
    byte_rate: float = 0.0
    retried: int = 0
    #: How many pages there will be, if that is known.
    total: int | None = None
    #: What a person should know: why nothing goes on, what grows without end.
    remarks: tuple[str, ...] = ()


class RunGauge:
    """Makes figures of a crawl's statuses, which come in order."""

    def __init__(self, running: Shown) -> None:
        self._running = running
        self._found = self._pages_then = 0
        self._queues: deque[tuple[float, int]] = deque(maxlen=LOOKS)

    def figures(self, status: Status) -> RunFigures:
        """The figures of this moment."""
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
        """The limit, or all that was found once no page gives a new URL any more."""
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
            lines.append(f"{alarm}: a trap? See crawl.depth, and deny in the spider")
        if self._is_growing():
            lines.append(
                f"the queue only grows, by {self._growth():,} in the last "
                f"{clock(BETWEEN * (LOOKS - 1))}: see crawl.depth, the spider's scope"
            )
        return lines

    def _is_growing(self) -> bool:
        sizes = [size for _, size in self._queues]
        is_full = len(sizes) == LOOKS and sizes[-1] >= LONG_QUEUE
        return is_full and all(a < b for a, b in pairwise(sizes))

    def _growth(self) -> int:
        return self._queues[-1][1] - self._queues[0][1]


def progress_line(figures: RunFigures) -> str:
    """One line that says where a crawl stands."""
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


#: The columns of a terminal in their order, and in the order in which they are dropped.
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
    """The columns that fit into so many characters, with two between them."""
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
    """Why a host is not asked, and until when."""
    until = datetime.fromtimestamp(rest.until, UTC).strftime("%H:%M:%S UTC")
    why = f": {rest.why}" if rest.why else ""
    return f"{rest.host} is not asked before {until}{why}"


def clock(seconds: float) -> str:
    """A duration as people read it: 12.3 s, 5:02, 1:05:02."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
