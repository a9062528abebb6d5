"""How processes share a run: leases on shards of sites, and news of each other.

A shard is a part of the sites: all hosts of a registrable domain are in one shard. The
worker that owns it, and no other, asks its hosts. A worker that has not renewed its
lease in time may ask nothing; later its shards are another worker's. Between the two
lie a margin and a hold, so that a host's interval holds across the change.

A worker whose page waits for a request to another worker's site asks for the shard. Its
owner gives the shard up once nothing of it is out.

Rule: only durations are compared, never the clocks of two machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

from crawler.stats import Counters
from crawler.store.base import Facts, Place
from crawler.web import urls

SHARDS = 256


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a lease lasts from its renewal, in seconds."""

    seconds: float = 15.0

    @property
    def margin(self) -> float:
        """How long before the end its worker stops to ask."""
        return self.seconds / 5

    @property
    def hold(self) -> float:
        """How long after the end others wait."""
        return self.seconds * 2 / 15

    @property
    def beat(self) -> float:
        """Between two renewals."""
        return min(0.5, self.seconds / 10)


@lru_cache(maxsize=100_000)
def shard_of(host: str) -> int:
    """The shard of a host's site."""
    site = urls.site_of(host)
    digest = blake2b(site.encode(), digest_size=4).digest()
    return int.from_bytes(digest) % SHARDS


@dataclass(slots=True)
class Needs:
    """What a worker tells the run at a beat."""

    #: Permits that it wants, or gives back (negative).
    permits: int = 0
    #: Shards with a request out, or an outcome that has not landed.
    busy: frozenset[int] = frozenset()
    #: Hosts that rest, and for how many seconds yet.
    resting: Mapping[str, float] = field(default_factory=dict)
    #: Shards of other workers that requests of `self.fetch` wait for.
    wanted: frozenset[int] = frozenset()


@dataclass(slots=True)
class News:
    """What a beat brings."""

    #: Hosts that this worker may ask from now on: seconds that they rest, if any.
    gained: dict[str, float] = field(default_factory=dict)
    #: All shards that this worker owns from now on.
    shards: frozenset[int] = frozenset()
    #: Shards of this worker that others wait for.
    called: frozenset[int] = frozenset()
    #: Hosts that got pending entries from other workers: from which place on.
    stirred: dict[str, Place] = field(default_factory=dict)
    #: Facts that other workers have found.
    facts: Facts = field(default_factory=Facts)
    counters: Counters = field(default_factory=Counters)
    #: The last item of the run; how many workers there are; permits that were given.
    item: int = 0
    workers: int = 1
    permits: int = 0
    #: Why the crawl is over; empty: it is not.
    over: str = ""
    #: Why this worker must leave the run, as a line for a person; empty: it may stay.
    refusal: str = ""


class Team(Protocol):
    """The workers of a run, as one of them sees them."""

    lease: Lease
    #: Monotonic time from which on this worker may ask nothing.
    deadline: float
    #: Whether this worker draws `start()`, publishes and ends the run.
    is_leader: bool
    #: Whether a permit is needed for each page.
    is_limited: bool

    def owns(self, host: str) -> bool:
        """Whether this worker may ask the host."""
        ...

    async def beat(self, needs: Needs) -> News:
        """Renew the lease, take a fair share of the shards, and learn what is new.
        LeaseLost: the run has given this worker up."""
        ...

    async def end(self, reason: str) -> None:
        """The crawl is over, for all workers."""
        ...

    async def robots(self, url: str) -> tuple[int, bytes] | None:
        """What a robots.txt was answered within a day: status and body."""
        ...

    async def keep_robots(self, url: str, status: int, body: bytes) -> None:
        """Remember what a robots.txt was answered."""
        ...
