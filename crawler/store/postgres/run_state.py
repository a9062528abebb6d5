"""What a worker holds in memory of a run, as it is committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from crawler.stats import Counters, add
from crawler.store.recent import SeenCache
from crawler.store.sharing import shard_of


def summed(parts: list[Counters]) -> Counters:
    """The counts of several workers together."""
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
    """Counters as a row holds them."""
    return msgspec.json.decode(counters, type=Counters)


def encoded(counters: Counters) -> str:
    """Counters as a row holds them."""
    return msgspec.json.encode(counters).decode()


@dataclass(slots=True)
class StagedParts:
    """What a page has staged: how many items, and whether there are links."""

    items: int = 0
    has_links: bool = False


@dataclass(slots=True)
class WorkerState:
    """A run as this worker knows it; it changes only after a commit.

    Over 12 attributes: every commit gives most of them a new value.
    """

    #: The worker's number; how many groups it has landed.
    worker: int
    commits: int
    #: What all other workers have counted, and what this one has.
    others: Counters
    #: The last item, and how many items `start()` has given.
    item: int
    start_items: int
    #: The number of the next group.
    group: int
    #: Values that `start()` has yielded: requests, items and bad URLs.
    start_values: int = 0
    #: URLs of which equal requests are stored, at most.
    duplicates: int = 0
    #: What `start()` has counted.
    start_counts: Mapping[str, int] = field(default_factory=dict)
    own: Counters = field(default_factory=Counters)
    #: The numbers of hosts.
    hosts: dict[str, int] = field(default_factory=dict)
    recent: SeenCache = field(default_factory=SeenCache)
    #: Links that a filter skipped.
    rejected: dict[int, str] = field(default_factory=dict)
    #: What pages have staged that have not ended.
    staged: dict[int, StagedParts] = field(default_factory=dict)
    #: Items that pages gave before they were put back to be tried again.
    earlier_items: dict[int, int] = field(default_factory=dict)
    #: The shards whose hosts this worker may ask.
    shards: set[int] = field(default_factory=set)
    #: The last news that were read; the run's limit on items.
    batch: int = 0
    items_limit: int | None = None
    is_leader: bool = True
    is_limited: bool = False
    #: Seconds that the run took before this worker joined.
    earlier: float = 0.0

    def owns(self, host: str) -> bool:
        """Whether this worker may ask the host."""
        return shard_of(host) in self.shards
