"""Observers: objects that the crawl calls with every committed outcome (the result of
fetching one page) and every change of a host's pace.

    class Slow(Observer):
        def landed(self, outcome: Outcome) -> None:
            if outcome.elapsed > 5:
                print(outcome.entry)

    crawl(Books, observers=[Slow()])

The crawler's own advice and progress display are observers, too.

Rule: an observer only watches. Its first exception is logged, and it is not called
again.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable

from crawler.errors import Reason
from crawler.frontier.exchange import PaceChange
from crawler.request import Entry, Request
from crawler.run.descent import Descent
from crawler.run.resting_hosts import WAY, RestingHosts
from crawler.stats import Counters
from crawler.store.base import Outcome, State
from crawler.web import urls
from crawler.web.redaction import redacted

logger = logging.getLogger(__name__)

#: Maximum number of hosts, and of redirect targets, that are counted separately.
MAX_HOSTS = 1_000


_REASONS = frozenset(map(str, Reason))


class Observer:
    """Watches a run; override the methods for the events that you need."""

    def landed(self, outcome: Outcome) -> None:
        """Called when the outcome of one fetch of a page is committed: a page, a
        failure or a retry."""

    def committed(self, counters: Counters) -> None:
        """Called after a commit; `counters` are the counts of the run after the
        commit."""

    def pace_changed(self, change: PaceChange) -> None:
        """Called when requests to a host become slower, or faster again."""


class Observers:
    """The observers of a run, called one after the other."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)
        #: Observers that override the method `landed`.
        self._of_landings = [
            each for each in self._observers if type(each).landed is not Observer.landed
        ]

    def landed(self, outcome: Outcome) -> None:
        for observer in self._of_landings:
            try:
                observer.landed(outcome)
            except Exception as exc:
                self._give_up(observer, exc)

    def committed(self, counters: Counters) -> None:
        self._tell(lambda observer: observer.committed(counters))

    def pace_changed(self, change: PaceChange) -> None:
        self._tell(lambda observer: observer.pace_changed(change))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        for observer in list(self._observers):
            try:
                tell(observer)
            except Exception as exc:
                self._give_up(observer, exc)

    def _give_up(self, observer: Observer, failure: Exception) -> None:
        self._observers.remove(observer)
        self._of_landings = [o for o in self._of_landings if o is not observer]
        name = type(observer).__name__
        told = "Observer %s raised an exception and is not called again"
        logger.error(told, name, exc_info=failure)


class Progress(Observer):
    """Collects the progress of the crawl (counts, hosts, depth), for a display."""

    def __init__(
        self, counters: Counters, clock: Callable[[], float] = time.time
    ) -> None:
        self.counters = counters
        #: Hosts that this process has sent a request to.
        self.hosts: set[str] = set()
        #: Hosts that are paused.
        self.resting = RestingHosts()
        #: The greatest depth of the crawl.
        self.descent = Descent()
        #: Returns the wall-clock time in seconds.
        self._clock = clock

    def landed(self, outcome: Outcome) -> None:
        """Record the host and the depth of a page, and whether the route to the host (a
        proxy, or the direct connection) is paused."""
        if outcome.entry is None:
            return
        entry = outcome.entry
        self.hosts.add(entry.host)
        if entry.depth > self.descent.depth:
            self.descent.note(entry.depth, entry.url)
        if outcome.state is State.PENDING and not outcome.reason:
            self.rests(entry.host, outcome.due - self._clock(), WAY)

    def pace_changed(self, change: PaceChange) -> None:
        """Record whether the host is paused."""
        self.resting.changed(change, self._clock())

    def rests(self, host: str, seconds: float, why: str) -> None:
        """Record that a host is paused for this many seconds."""
        now = self._clock()
        self.resting.note(host, now + seconds, why, now)

    def committed(self, counters: Counters) -> None:
        """Keep the counters of the run after a commit."""
        self.counters = counters


class Observations(Observer):
    """Collects facts for the advice at the end, such as an example of each error and
    the hosts of skipped links."""

    def __init__(self) -> None:
        #: By reason of failure: the first failed URL, and its one-line detail.
        self.samples: dict[str, tuple[str, str]] = {}
        #: By reason of failure: the request of the URL in `samples`.
        self.requests: dict[str, Request] = {}
        #: By name of a link filter (such as "depth"): the hosts of the links that it
        #: skipped, with their counts.
        self.left_out: dict[str, Counter[str]] = {}
        #: The spider's own reasons for skipping pages.
        self.own_skips: set[str] = set()
        #: By host that the crawl gave up: how many of its URLs failed without a
        #: request, and why.
        self.given_up: dict[str, tuple[int, str]] = {}
        #: The targets of redirects, and how many redirects lead to each.
        self.targets: Counter[str] = Counter()

    def landed(self, outcome: Outcome) -> None:
        """Count a page's failure, its skipped links, or its redirect."""
        for rejected in outcome.rejected:
            hosts = self.left_out.setdefault(rejected.rule, Counter())
            host = urls.host_of(rejected.url)
            if host in hosts or len(hosts) < MAX_HOSTS:
                hosts[host] += 1
        if outcome.reason and outcome.entry is not None:
            self._note_failure(outcome, outcome.entry)
        elif outcome.detail and outcome.state is State.REDIRECTED:
            target = outcome.detail
            if target in self.targets or len(self.targets) < MAX_HOSTS:
                self.targets[target] += 1

    def pace_changed(self, change: PaceChange) -> None:
        """Record a host that the crawl gave up; its remaining URLs are reported
        together."""
        if change.is_given_up and len(self.given_up) < MAX_HOSTS:
            self.given_up.setdefault(change.host, (0, ""))

    def tell_given_up(self) -> None:
        """Log, for each host that the crawl gave up, how many URLs failed without a
        request."""
        for host, (amount, detail) in self.given_up.items():
            if amount:
                what = "1 URL" if amount == 1 else f"{amount:,} URLs"
                told = "Failed %s of %s without a request: %s"
                logger.warning(told, what, host, detail, extra={"host": host})
        self.given_up.clear()

    def _note_failure(self, outcome: Outcome, entry: Entry) -> None:
        reason, detail = outcome.reason, outcome.detail
        if outcome.state is State.PENDING:
            self._log(logging.INFO, "Will retry", outcome, entry)
            return
        if reason not in self.samples:
            self.samples[reason] = (entry.url, detail)
            self.requests[reason] = entry.request
        if outcome.state is State.SKIPPED and reason not in _REASONS:
            self.own_skips.add(reason)
        if outcome.state is State.FAILED:
            if not outcome.is_asked and entry.host in self.given_up:
                known = self.given_up[entry.host]
                self.given_up[entry.host] = (known[0] + 1, known[1] or detail)
            # the engine has already logged an internal error with its traceback
            elif reason != Reason.INTERNAL_ERROR:
                self._log(logging.WARNING, "Failed", outcome, entry)
        elif reason == Reason.ROBOTS_DENIED:
            self._log(logging.INFO, "Skipped", outcome, entry)

    def _log(self, level: int, what: str, outcome: Outcome, entry: Entry) -> None:
        if not logger.isEnabledFor(level):
            return
        fields = {
            "url": redacted(entry.url),
            "host": entry.host,
            "reason": outcome.reason,
            "status": outcome.status or None,
        }
        is_told = outcome.detail and outcome.state is not State.SKIPPED
        detail = f": {outcome.detail}" if is_told else ""
        logger.log(
            level, "%s %s: %s%s", what, fields["url"], outcome.reason, detail,
            extra=fields,
        )  # fmt: skip
