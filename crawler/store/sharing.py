"""How processes share a run: leases on shards (groups of sites), and news between the
processes.

A shard is a group of sites; all hosts of a registrable domain are in one shard. Only
the worker that owns a shard sends requests to its hosts. A worker that has not renewed
its lease in time may send no requests; later another worker takes its shards. `margin`
and `hold` of the lease keep these two times apart, so that the new owner does not send
a request to a host too soon after the last request of the old owner.

If a page waits for a request to another worker's site, its worker asks for that shard.
The owner releases the shard once it has no request in flight there. If the run has a
limit on pages, a worker needs a permit to fetch a page, and takes permits from the run.

Rule: only durations are compared, never the clocks of two machines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

from crawler.stats import Counters
from crawler.store.base import Facts, Place
from crawler.web import urls

SHARDS = 256


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a lease lasts after each renewal, in seconds."""

    seconds: float = 15.0

    @property
    def margin(self) -> float:
        """Seconds before the end of the lease in which the worker sends no requests."""
        return self.seconds / 5

    @property
    def hold(self) -> float:
        """Seconds that other workers wait after the end of the lease, before they take
        over the worker's sites."""
        return self.seconds * 2 / 15

    @property
    def silence(self) -> float:
        """Seconds that a database session may send nothing in the middle of a
        transaction, while others wait for its locks; then they end the session."""
        return self.seconds / 3

    @property
    def beat(self) -> float:
        """Seconds between two renewals of the lease ("beats")."""
        return min(0.5, self.seconds / 10)


@lru_cache(maxsize=100_000)
def shard_of(host: str) -> int:
    """Return the number of the shard (a group of sites) with the host's site."""
    site = urls.site_of(host)
    digest = blake2b(site.encode(), digest_size=4).digest()
    return int.from_bytes(digest) % SHARDS


@dataclass(slots=True)
class Needs:
    """What a worker reports at each renewal of its lease."""

    #: Number of permits to fetch a page that the worker asks for; negative: that the
    #: worker returns.
    permits: int = 0
    #: Shards (groups of sites) with a request in flight, or with the result of a page
    #: that is not committed yet.
    busy: frozenset[int] = frozenset()
    #: Paused hosts, with the seconds left.
    resting: Mapping[str, float] = field(default_factory=dict)
    #: Shards (groups of sites) of other workers for which requests of a spider's
    #: `fetch` wait.
    wanted: frozenset[int] = frozenset()
    #: Whether the worker has nothing to do, so that other workers give it some of their
    #: sites.
    is_idle: bool = False
    #: Returns the worker's shards (groups of sites) with pending pages; called only if
    #: shards may change their owner.
    working: Callable[[], AbstractSet[int]] = frozenset


@dataclass(slots=True)
class News:
    """What a worker learns about the run at a renewal of its lease.

    This class has over 12 attributes, because all news come in one answer.
    """

    #: Hosts that this worker owns from now on, with the seconds of their pause (0:
    #: none).
    gained: dict[str, float] = field(default_factory=dict)
    #: All shards (groups of sites) that this worker owns from now on.
    shards: frozenset[int] = frozenset()
    #: Shards (groups of sites) of this worker for which pages of other workers wait.
    called: frozenset[int] = frozenset()
    #: By host of this worker: the lowest position of the pending entries that other
    #: workers have found.
    stirred: dict[str, Place] = field(default_factory=dict)
    #: Facts that other workers have found, such as cookies and hosts in scope.
    facts: Facts = field(default_factory=Facts)
    counters: Counters = field(default_factory=Counters)
    #: The number of the run's last item.
    item: int = 0
    #: How many workers the run has.
    workers: int = 1
    #: How many permits to fetch a page this renewal of the lease has granted.
    permits: int = 0
    #: Whether the run has so few permits to fetch pages left that no worker should keep
    #: unused ones.
    is_scarce: bool = False
    #: Whether shards (groups of sites) are about to change their owner, so that the
    #: next renewal of the lease comes soon.
    is_moving: bool = False
    #: Why the crawl is over; "" while it is not.
    over: str = ""
    #: Why this worker must leave the run, as a line for a person; empty: the worker may
    #: stay.
    refusal: str = ""

    def after(self, earlier: News) -> News:
        """Return these news together with those of an earlier renewal of the lease."""
        facts = Facts()
        facts.add(earlier.facts)
        facts.add(self.facts)
        stirred = {
            host: min(place, earlier.stirred.get(host, place))
            for host, place in (earlier.stirred | self.stirred).items()
        }
        return replace(
            self,
            gained=earlier.gained | self.gained,
            shards=earlier.shards | self.shards,
            stirred=stirred,
            facts=facts,
            permits=earlier.permits + self.permits,
        )


class Team(Protocol):
    """One worker's link to the other workers of its run: renews the worker's lease, and
    exchanges shards (groups of sites) and news with the other workers."""

    lease: Lease
    #: Whether this worker runs `start()`, publishes the outputs and ends the run.
    is_leader: bool
    #: Whether the run has a limit on pages, so that a worker needs a permit from the
    #: run for each page.
    is_limited: bool

    @property
    def own(self) -> Counters:
        """The counters of this worker since it joined the run."""
        ...

    def is_held(self) -> bool:
        """Return whether this worker's lease has not ended yet. After its end the
        worker may send no requests."""
        ...

    def owns(self, host: str) -> bool:
        """Return whether this worker may send requests to the host."""
        ...

    async def beat(self, needs: Needs) -> News:
        """Renew the lease, take a fair share of the shards (groups of sites), and
        return the news.

        Raise LeaseLost if other workers have taken over this worker's sites.
        """
        ...

    async def end(self, reason: str) -> None:
        """End the crawl for all workers."""
        ...

    async def robots(self, url: str) -> tuple[int, bytes] | None:
        """Return status and body of a robots.txt response of the last day; None if
        there is none."""
        ...

    async def keep_robots(self, url: str, status: int, body: bytes) -> None:
        """Store the response to a robots.txt request."""
        ...
