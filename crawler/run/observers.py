"""Observers: told of every outcome that has landed and of every change of pace.

    class Slow(Observer):
        def landed(self, outcome: Outcome) -> None:
            if outcome.elapsed > 5:
                print(outcome.entry)

    crawl(Books, observers=[Slow()])

The advice at the end and the progress of a run are the first observers.

Rule: an observer looks on. What it raises is logged once, and it is not told again.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable

from crawler.errors import Reason
from crawler.frontier.exchange import PaceChange
from crawler.request import Request
from crawler.run.resting_hosts import WAY, RestingHosts
from crawler.stats import Counters
from crawler.store.base import Outcome, State
from crawler.web import urls

logger = logging.getLogger(__name__)

#: Hosts, and targets of redirects, that are told apart.
MAX_HOSTS = 1_000


_REASONS = frozenset(map(str, Reason))


class Observer:
    """Looks on while a run goes on; override what you want to be told of."""

    def landed(self, outcome: Outcome) -> None:
        """The outcome of a visit was committed: a page, a failure, a later try."""

    def committed(self, counters: Counters) -> None:
        """A commit is done; these are the run's counts with it."""

    def pace_changed(self, change: PaceChange) -> None:
        """A host is asked more slowly, or faster again."""


class Observers:
    """The observers of a run, told one after the other."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)
        #: Those that look at single outcomes.
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
        told = "Observer %s failed and is not told again"
        logger.error(told, name, exc_info=failure)


class Progress(Observer):
    """Where the crawl stands, for a display."""

    def __init__(
        self, counters: Counters, clock: Callable[[], float] = time.time
    ) -> None:
        self.counters = counters
        #: Hosts that were asked in this process.
        self.hosts: set[str] = set()
        #: Hosts that are not asked for a while.
        self.resting = RestingHosts()
        #: The wall clock.
        self._clock = clock

    def landed(self, outcome: Outcome) -> None:
        """Note the host, and whether the way to it rests."""
        if outcome.entry is None:
            return
        self.hosts.add(outcome.entry.host)
        if outcome.state is State.PENDING and not outcome.reason:
            self.rests(outcome.entry.host, outcome.due - self._clock(), WAY)

    def pace_changed(self, change: PaceChange) -> None:
        """Note a pause."""
        self.resting.changed(change, self._clock())

    def rests(self, host: str, seconds: float, why: str) -> None:
        """A host is not asked for so long."""
        now = self._clock()
        self.resting.note(host, now + seconds, why, now)

    def committed(self, counters: Counters) -> None:
        """Take the counts."""
        self.counters = counters


class Observations(Observer):
    """Notes what the advice at the end needs: a sample of each error, skipped hosts."""

    def __init__(self) -> None:
        #: By reason: the first URL that failed so, and its one-line detail.
        self.samples: dict[str, tuple[str, str]] = {}
        #: The requests of the samples.
        self.requests: dict[str, Request] = {}
        #: By filter: hosts of the links it left out, with how many.
        self.left_out: dict[str, Counter[str]] = {}
        #: Reasons of the spider's own for which it skipped pages.
        self.own_skips: set[str] = set()
        #: Where redirects led, with how many.
        self.targets: Counter[str] = Counter()

    def landed(self, outcome: Outcome) -> None:
        """Note its failure, its skipped links, or where it redirects."""
        for rejected in outcome.rejected:
            hosts = self.left_out.setdefault(rejected.rule, Counter())
            host = urls.host_of(rejected.url)
            if host in hosts or len(hosts) < MAX_HOSTS:
                hosts[host] += 1
        if outcome.reason and outcome.entry is not None:
            self._note_failure(outcome, outcome.entry.url)
        elif outcome.detail and outcome.state is State.REDIRECTED:
            target = outcome.detail
            if target in self.targets or len(self.targets) < MAX_HOSTS:
                self.targets[target] += 1

    def _note_failure(self, outcome: Outcome, url: str) -> None:
        if outcome.state is State.PENDING:
            logger.info("Again %s: %s: %s", url, outcome.reason, outcome.detail)
            return
        if outcome.reason not in self.samples and outcome.entry is not None:
            self.samples[outcome.reason] = (url, outcome.detail)
            self.requests[outcome.reason] = outcome.entry.request
        if outcome.state is State.SKIPPED and outcome.reason not in _REASONS:
            self.own_skips.add(outcome.reason)
        if outcome.state is State.FAILED:
            logger.warning("Failed %s: %s: %s", url, outcome.reason, outcome.detail)
        elif outcome.reason == Reason.ROBOTS_DENIED:
            logger.info("Left out %s: %s", url, outcome.reason)
