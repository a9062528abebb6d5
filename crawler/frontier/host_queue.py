"""The ordered entries of one host. No I/O, no clock.

A host has one queue ("lane") for each of its origins (http and https), because each
origin has its own robots.txt and can be held back by itself. Each kind of requests with
a limit has its own lanes.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from math import inf
from typing import Generic, Protocol, TypeVar


class Queued(Protocol):
    """The fields of an entry (a queued request) that the frontier reads. The frontier
    changes only `depth`."""

    @property
    def fingerprint(self) -> int: ...
    @property
    def host(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def sequence(self) -> int: ...
    @property
    def due(self) -> float: ...
    @property
    def kind(self) -> str: ...

    depth: int


E = TypeVar("E", bound=Queued)

#: The sort key of an entry (negative priority, depth, the order in which its URL was
#: found, and a number that makes the key unique), then the entry.
QueueKey = tuple[int, int, int, int, E]
#: A position before all entries of a host: the store has all of the host's entries, and
#: the frontier has none.
NOTHING = (-inf, 0, 0)


class HostState(Enum):
    """The state of a host in the frontier: it has no ready entry, is queued, is paused,
    or is at its limit of parallel requests."""

    IDLE = "no entry is ready"
    READY = "is queued for a request"
    RESTS = "waits until it may receive a request"
    FULL = "waits until one of its requests ends"


# Short names for the states: before Python 3.12 access to an Enum member costs a call.
IDLE, READY, RESTS, FULL = HostState


class OriginQueue(Generic[E]):
    """The queued requests (entries) of one origin: ready entries, and entries that are
    due later."""

    __slots__ = ("held_until", "kind", "later", "ready", "scheme", "sibling")

    def __init__(self, scheme: str, kind: str | None = None) -> None:
        #: The first five characters of the origin's URLs: "http:" or "https".
        self.scheme = scheme
        #: The kind of the requests in this queue (`Request.kind`, such as "browser") if
        #: a limit applies to that kind; else None.
        self.kind = kind
        self.ready: list[QueueKey[E]] = []
        self.later: list[tuple[float, int, int]] = []
        self.held_until = 0.0
        self.sibling: OriginQueue[E] | None = None

    def next_time(self) -> float:
        """The time from which this queue has an entry that is due and not held back;
        inf if the queue is empty."""
        if self.ready:
            return self.held_until
        return max(self.held_until, self.later[0][0]) if self.later else inf


class HostQueue(OriginQueue[E]):
    """The queues of one host. The object itself is the lane (queue) of the host's first
    origin; `sibling` links to the next lane."""

    __slots__ = ("due", "name", "rank", "rest", "stamp", "state")

    def __init__(self, name: str, scheme: str) -> None:
        super().__init__(scheme)
        self.name = name
        self.state = IDLE
        #: For a host that may receive a request: the negative priority of its best
        #: entry; inf if all its entries are of kinds with a limit (such as "browser"),
        #: which have their own queues.
        self.rank: float = 0
        #: A number that changes with each change of the host. A record of the host in a
        #: queue is outdated if it has another number.
        self.stamp = 0
        #: Time from which the paused host may receive a request; inf: not paused.
        self.rest = inf
        #: Time at which the host's next waiting entry becomes due; inf: no entry waits.
        self.due = inf

    def lane(self, scheme: str, kind: str | None = None) -> OriginQueue[E]:
        """Return the queue ("lane") for this origin and kind of requests (such as
        "browser"). If the origin is held back, a new queue is held back, too."""
        lane: OriginQueue[E] = self
        held_until = 0.0
        while lane.scheme != scheme or lane.kind != kind:
            if lane.scheme == scheme:
                held_until = lane.held_until
            if lane.sibling is None:
                lane.sibling = OriginQueue(scheme, kind)
                lane.sibling.held_until = held_until
            lane = lane.sibling
        return lane

    def hold(self, scheme: str, until: float) -> None:
        """Hold back the queued requests of this origin until the given time, whatever
        their kind (such as "browser")."""
        self.lane(scheme)
        for lane in self.lanes():
            if lane.scheme == scheme:
                lane.held_until = until

    def lanes(self) -> Iterator[OriginQueue[E]]:
        lane: OriginQueue[E] | None = self
        while lane is not None:
            yield lane
            lane = lane.sibling

    def is_empty(self, now: float) -> bool:
        return not any(
            lane.ready or lane.later or lane.held_until > now for lane in self.lanes()
        )

    def count_ready(self) -> int:
        return sum(len(lane.ready) for lane in self.lanes())

    def fingerprints(self) -> set[int]:
        found: set[int] = set()
        for lane in self.lanes():
            found.update(place[4].fingerprint for place in lane.ready)
            found.update(fingerprint for _, _, fingerprint in lane.later)
        return found

    def last(self, places: dict[int, QueueKey[E]]) -> tuple[float, int, int]:
        """Return the position of the host's last entry in memory; only the store has
        the entries after this position. `places` has the sort keys by fingerprint."""
        ends: list[tuple[float, int, int]] = [NOTHING]
        for lane in self.lanes():
            ends += [place[:3] for place in lane.ready]
            ends += [places[fingerprint][:3] for _, _, fingerprint in lane.later]
        return max(ends)
