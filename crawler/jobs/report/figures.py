"""Computes the figures of a report from the page log: the stored rows about each
attempt to fetch a page. No I/O.

Rule: one pass over the log. Memory holds numbers and a few example rows, not all rows.
"""

from __future__ import annotations

import heapq
import re
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from crawler.errors import Reason
from crawler.store.base import State
from crawler.store.reading import Visit

#: Approximate number of bars in the chart over time.
BARS = 60
#: Seconds without any page that count as a pause, which the chart does not draw.
PAUSE = 120.0
#: Maximum number of rows in each table of the report.
MAX_GROUPS = 20
MAX_HOSTS = 20
MAX_PAGES = 8
MAX_EXAMPLES = 5

#: The upper limits of the bars in the latency chart, in seconds.
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass
class Group:
    """Pages that failed or were skipped for the same reason, with examples."""

    reason: str
    status: int
    #: The exception, and the line of the spider that raised it; "" for other reasons.
    place: str
    examples: list[Visit]
    count: int = 0

    @property
    def is_status(self) -> bool:
        return self.reason == Reason.HTTP_STATUS

    @property
    def name(self) -> str:
        return f"{self.reason} {self.status}" if self.is_status else self.reason


@dataclass
class Bar:
    """One bar of the chart over time: its start (Unix seconds), and how many pages were
    done or failed in its time."""

    start: float
    done: int = 0
    failed: int = 0
    #: Length of the pause just before this bar, in seconds.
    pause: float = 0.0


@dataclass
class Latency:
    """The response time in seconds: percentiles and the maximum."""

    median: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    longest: float = 0.0


@dataclass
class HostFigures:
    """The pages, failures, bytes and latency of one host."""

    name: str
    pages: int = 0
    failed: int = 0
    received: int = 0
    latency: Latency = field(default_factory=Latency)


@dataclass
class Figures:
    """The figures that a report shows from the page log."""

    bars: list[Bar] = field(default_factory=list)
    #: Duration of one bar in seconds.
    width: float = 1.0
    latency: Latency = field(default_factory=Latency)
    #: Number of responses for each step of `STEPS`, and of slower responses.
    histogram: list[int] = field(default_factory=list)
    #: Pairs (HTTP status, number of responses).
    statuses: list[tuple[int, int]] = field(default_factory=list)
    hosts: list[HostFigures] = field(default_factory=list)
    host_count: int = 0
    failed: list[Group] = field(default_factory=list)
    skipped: list[Group] = field(default_factory=list)
    #: Pairs (reason, how many attempts failed for it and were followed by another).
    retried: list[tuple[str, int]] = field(default_factory=list)
    slowest: list[Visit] = field(default_factory=list)
    biggest: list[Visit] = field(default_factory=list)

    @property
    def highest(self) -> int:
        """Return the largest number of pages in one bar, at least 1."""
        return max((bar.done + bar.failed for bar in self.bars), default=0) or 1


def figures(visits: Iterable[Visit]) -> Figures:
    """Return the figures of a page log, whose rows are given in their stored order."""
    collector = _Collector()
    for visit in visits:
        collector.add(visit)
    return collector.figures()


#: The key of a `Group`: state, reason, HTTP status, and the result of `place_of`.
_Key = tuple[State, str, int, str]

_PLACE = re.compile(r"(\w+)\b.*\((.+:\d+ in .+)\)", re.S)


def place_of(visit: Visit) -> str:
    """Return the exception that the user's code raised, with its line.

    Return "" if the page ended for another reason.
    """
    if visit.reason not in (Reason.SPIDER_ERROR, Reason.PIPELINE_ERROR):
        return ""
    match = _PLACE.fullmatch(visit.detail)
    return f"{match[1]}, {match[2]}" if match else ""


class _Collector:
    def __init__(self) -> None:
        self._ends: list[tuple[float, bool]] = []
        self._elapsed = array("d")
        self._elapsed_of: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._hosts: dict[str, HostFigures] = {}
        self._statuses: Counter[int] = Counter()
        self._retried: Counter[str] = Counter()
        self._examples: dict[_Key, list[Visit]] = defaultdict(list)
        #: For each page that has failed or was skipped: the key of its group. If a
        #: later attempt to fetch the page ends well, the page is removed here.
        self._standing: dict[int, _Key] = {}
        self._slowest: list[tuple[float, int, Visit]] = []
        self._biggest: list[tuple[float, int, Visit]] = []

    def add(self, visit: Visit) -> None:
        host = self._hosts.get(visit.host)
        if host is None:
            host = self._hosts[visit.host] = HostFigures(visit.host)
        host.received += visit.received
        if visit.status:
            self._statuses[visit.status] += 1
        if visit.elapsed:
            self._elapsed.append(visit.elapsed)
            self._elapsed_of[visit.host].append(visit.elapsed)
            _keep(self._slowest, visit.elapsed, visit)
        if visit.received:
            _keep(self._biggest, visit.received, visit)
        self._note_state(visit, host)

    def _note_state(self, visit: Visit, host: HostFigures) -> None:
        was = self._standing.pop(visit.page, None)
        if was is not None and was[0] is State.FAILED:
            host.failed -= 1
        if visit.state is State.PENDING:
            self._retried[visit.reason] += 1
        elif visit.state is State.DONE:
            host.pages += 1
            self._ends.append((visit.time, True))
        elif visit.state in (State.FAILED, State.SKIPPED):
            key = (visit.state, visit.reason, visit.status, place_of(visit))
            self._standing[visit.page] = key
            if len(examples := self._examples[key]) < MAX_EXAMPLES:
                examples.append(visit)
            if visit.state is State.FAILED:
                host.failed += 1
                self._ends.append((visit.time, False))

    def figures(self) -> Figures:
        bars, width = timeline(self._ends)
        hosts = sorted(self._hosts.values(), key=lambda h: -h.pages - h.failed)
        for host in hosts[:MAX_HOSTS]:
            host.latency = latency(self._elapsed_of[host.name])
        return Figures(
            bars=bars,
            width=width,
            latency=latency(self._elapsed),
            histogram=histogram(self._elapsed),
            statuses=sorted(self._statuses.items()),
            hosts=hosts[:MAX_HOSTS],
            host_count=len(hosts),
            failed=self._groups(State.FAILED),
            skipped=self._groups(State.SKIPPED),
            retried=self._retried.most_common(MAX_GROUPS),
            slowest=[each[2] for each in sorted(self._slowest, reverse=True)],
            biggest=[each[2] for each in sorted(self._biggest, reverse=True)],
        )

    def _groups(self, state: State) -> list[Group]:
        counted = Counter(key for key in self._standing.values() if key[0] is state)
        return [
            Group(*key[1:], self._examples[key], count)
            for key, count in counted.most_common(MAX_GROUPS)
        ]


def _keep(heap: list[tuple[float, int, Visit]], size: float, visit: Visit) -> None:
    """Keep a page in `heap` if `size` is one of the MAX_PAGES largest sizes so far.

    `visit` is one attempt to fetch the page. A page is kept only once, with the attempt
    that has the largest size.
    """
    if len(heap) == MAX_PAGES and size <= heap[0][0]:
        return
    for place, (known, _, other) in enumerate(heap):
        if other.page == visit.page:
            if size > known:
                heap[place] = (size, visit.page, visit)
                heapq.heapify(heap)
            return
    heapq.heappush(heap, (size, visit.page, visit))
    if len(heap) > MAX_PAGES:
        heapq.heappop(heap)


def timeline(ends: Sequence[tuple[float, bool]]) -> tuple[list[Bar], float]:
    """Return the bars of the chart over time, and the seconds of one bar.

    `ends` are pairs: when a page ended (Unix seconds), and whether it was done rather
    than failed. Pauses longer than PAUSE are removed from the time.
    """
    if not ends:
        return [], 1.0
    moments = sorted(ends)
    pauses: list[tuple[float, float]] = []  # for each pause: its end and its length
    last = moments[0][0]
    for moment, _ in moments:
        if moment - last > PAUSE:
            pauses.append((moment, moment - last))
        last = moment
    first = moments[0][0]
    busy = last - first - sum(length for _, length in pauses)
    width = _round(max(busy, 1.0) / BARS)
    bars = [Bar(0.0) for _ in range(int(busy / width) + 1)]
    begun: set[int] = set()
    passed, waiting = 0.0, list(reversed(pauses))
    for moment, is_done in moments:
        if waiting and moment >= waiting[-1][0]:
            passed += waiting[-1][1]
            place = _place(moment - first - passed, width, len(bars))
            bars[place].pause += waiting.pop()[1]
        place = _place(moment - first - passed, width, len(bars))
        if place not in begun:
            begun.add(place)
            bars[place].start = moment
        bars[place].done += is_done
        bars[place].failed += not is_done
    return bars, width


def _place(seconds: float, width: float, count: int) -> int:
    return max(0, min(int(seconds / width), count - 1))


def _round(seconds: float) -> float:
    """Return the next larger round number of seconds for the width of a bar."""
    for nice in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900):
        if seconds <= nice:
            return float(nice)
    return float(-(-seconds // 1800) * 1800)


def latency(elapsed: Sequence[float]) -> Latency:
    """Return the percentiles of response times in seconds."""
    if not elapsed:
        return Latency()
    ordered = sorted(elapsed)

    def at(share: float) -> float:
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    return Latency(at(0.5), at(0.9), at(0.99), ordered[-1])


def histogram(elapsed: Iterable[float]) -> list[int]:
    """Return the number of responses for each step of `STEPS`, and of slower
    responses."""
    counts = [0] * (len(STEPS) + 1)
    for seconds in elapsed:
        counts[bisect_right(STEPS, seconds)] += 1
    return counts
