"""What a person should be told at the end that counters do not say."""

from __future__ import annotations

import logging
from collections import Counter

from crawler.errors import Reason
from crawler.store.base import Outcome, State
from crawler.web import urls

logger = logging.getLogger(__name__)

#: Hosts, and targets of redirects, that are told apart.
MAX_HOSTS = 1_000


class Observations:
    """Notes what landed: one sample of each error, hosts of what was left out."""

    def __init__(self) -> None:
        #: By reason: the first URL that failed so, and its one-line detail.
        self.samples: dict[str, tuple[str, str]] = {}
        #: By filter: hosts of the links it left out, with how many.
        self.left_out: dict[str, Counter[str]] = {}
        #: Where redirects led, with how many.
        self.targets: Counter[str] = Counter()

    def note(self, outcome: Outcome) -> None:
        """Look at an outcome that has landed."""
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
        self.samples.setdefault(outcome.reason, (url, outcome.detail))
        if outcome.state is State.FAILED:
            logger.warning("Failed %s: %s: %s", url, outcome.reason, outcome.detail)
        elif outcome.reason == Reason.ROBOTS_DENIED:
            logger.info("Left out %s: %s", url, outcome.reason)
