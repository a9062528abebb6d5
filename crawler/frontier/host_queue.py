"""The entries of one host in their order. No I/O, no clock.

A host has a lane for each of its origins (http and https), since each of them answers
for itself by its robots.txt and may be held back alone. Where kinds of fetches have
ceilings, each of those kinds has lanes of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from math import inf
from typing import Generic, Protocol, TypeVar


class Queued(Protocol):
    """What the frontier reads of an entry; it changes nothing but the depth."""

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

#: Minus priority, depth, sequence, a number that makes it unique; the entry.
QueueKey = tuple[int, int, int, int, E]
#: Before every place: all that a host has is in the store.
NOTHING = (-inf, 0, 0)


class HostState(Enum):
    """Where a host is filed."""

    IDLE = "has nothing that may go"
    READY = "stands in line"
    RESTS = "waits until it may be asked"
    FULL = "waits for a release"


# By these names for each page: before Python 3.12 an Enum's member costs a call.
IDLE, READY, RESTS, FULL = HostState


class OriginQueue(Generic[E]):
    """The entries of one origin: those that may go, those that are due later."""

    __slots__ = ("held_until", "kind", "later", "ready", "scheme", "sibling")

    def __init__(self, scheme: str, kind: str | None = None) -> None:
        #: The first five characters of its URLs; the host's name says the rest.
        self.scheme = scheme
        #: The kind of its fetches, if that has a ceiling.
        self.kind = kind
        self.ready: list[QueueKey[E]] = []
        self.later: list[tuple[float, int, int]] = []
        self.held_until = 0.0
        self.sibling: OriginQueue[E] | None = None

    def next_time(self) -> float:
        """When it has something to give, being held."""
        if self.ready:
            return self.held_until
        return max(self.held_until, self.later[0][0]) if self.later else inf


class HostQueue(OriginQueue[E]):
    """A host: the lane of its first origin, and by `sibling` the others."""

    __slots__ = ("due", "name", "rank", "rest", "stamp", "state")

    def __init__(self, name: str, scheme: str) -> None:
        super().__init__(scheme)
        self.name = name
        self.state = IDLE
        #: While ready: minus the priority of its best entry; inf: all its entries
        #: stand in the lines of kinds.
        self.rank: float = 0
        #: What its record in a line must carry to be valid.
        self.stamp = 0
        #: The times at which it is looked at again: as it may be asked, as it has more.
        self.rest = self.due = inf

    def lane(self, scheme: str, kind: str | None = None) -> OriginQueue[E]:
        """The lane of this origin and kind; a new one is held as its origin is."""
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
        """Hold all lanes of this origin, whatever their kind."""
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
        """The place behind which an entry is the store's to keep."""
        ends: list[tuple[float, int, int]] = [NOTHING]
        for lane in self.lanes():
            ends += [place[:3] for place in lane.ready]
            ends += [places[fingerprint][:3] for _, _, fingerprint in lane.later]
        return max(ends)
