"""The part of the committed state of a run that a worker keeps in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from crawler.stats import Counters, add
from crawler.store.recent import SeenCache
from crawler.store.sharing import shard_of


def summed(parts: list[Counters]) -> Counters:
    """Return the sum of several workers' counters."""
    total = Counters()
    for part in parts:
        for name in Counters.__struct_fields__:
            so_far, more = getattr(total, name), getattr(part, name)
            if isinstance(more, dict):
                for word, amount in more.items():
                    add(so_far, word, amount)
            else:
                setattr(total, name, so_far + more)
    return total


def decoded(counters: str) -> Counters:
    """Decode the counters that a row contains as JSON."""
    return msgspec.json.decode(counters, type=Counters)


def encoded(counters: Counters) -> str:
    """Encode counters as JSON for a row."""
    return msgspec.json.encode(counters).decode()


@dataclass(slots=True)
class StagedParts:
    """What a page has written aside before its end: the number of items, and whether
    there are links."""

    items: int = 0
    has_links: bool = False


@dataclass(slots=True)
class WorkerState:
    """The state of a run as this worker knows it; the values change only after a
    commit.

    This class has over 12 attributes, because a commit changes most of them together.
    """

    #: The worker's number in the run.
    worker: int
    #: How many groups of outcomes (results of pages) the worker has committed.
    commits: int
    #: When the worker joined, by the server's clock. If the worker's row has another
    #: time, the row belongs to another worker.
    joined: datetime
    #: When the worker's lease ends, by the server's clock.
    expires: datetime
    #: The sum of the counters of all other workers.
    others: Counters
    #: The number of the run's last item.
    item: int
    #: How many items `start()` has yielded.
    start_items: int
    #: The number of the next group of outcomes (results of pages) that this worker
    #: commits.
    group: int
    #: Number of values that `start()` has yielded: requests, items and bad URLs.
    start_values: int = 0
    #: Upper bound of the number of URLs whose repeated requests are stored.
    duplicates: int = 0
    #: The spider's own counts made in `start()`, by name.
    start_counts: Mapping[str, int] = field(default_factory=dict)
    #: The counters of this worker.
    own: Counters = field(default_factory=Counters)
    #: The numbers of hosts, by name.
    hosts: dict[str, int] = field(default_factory=dict)
    recent: SeenCache = field(default_factory=SeenCache)
    #: By fingerprint of a link that a filter skipped: the filter's name.
    rejected: dict[int, str] = field(default_factory=dict)
    #: By page that has not ended: what the page has written aside.
    staged: dict[int, StagedParts] = field(default_factory=dict)
    #: By page: number of items that the page yielded before `crawl retry` put it back.
    earlier_items: dict[int, int] = field(default_factory=dict)
    #: The shards (groups of sites) to whose hosts this worker may send requests.
    shards: set[int] = field(default_factory=set)
    #: The number of the last news from other workers that this worker has read.
    batch: int = 0
    #: The run's limit on items; None: no limit.
    items_limit: int | None = None
    is_leader: bool = True
    is_limited: bool = False
    #: Seconds that the run took before this worker joined.
    earlier: float = 0.0

    def owns(self, host: str) -> bool:
        """Return whether this worker may send requests to the host."""
        return shard_of(host) in self.shards
