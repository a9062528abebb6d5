"""The order of what the store gave out: hosts, priorities, due times. No I/O, no clock.

Within a host: higher priority, then lower depth, then first come. Between hosts: the
one whose best entry has the highest priority, then the one least recently served.
Nothing here looks at all hosts: what waits for a time stands in a heap of times, what
may go in a heap of hosts, and a host that has changed is filed anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf
from typing import Generic, Protocol, TypeVar

from crawler.hosts import Hosts

#: What a host that may not be asked for longer than this holds is not ready.
LONG_REST = 5.0
#: Outdated records are cleared out beyond this many, and as many as there are hosts.
CLUTTER = 256


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

    depth: int


E = TypeVar("E", bound=Queued)

#: Minus priority, depth, sequence, a number that makes it unique; the entry.
_Place = tuple[int, int, int, int, E]


@dataclass(frozen=True, slots=True)
class Load:
    """What a frontier holds: entries, those that wait for a due time, their hosts, and
    the hosts that have a request out."""

    entries: int
    waiting: int
    hosts: int
    busy: int


class Frontier(Generic[E]):
    """Entries by host; `pop` gives the best one of a host that may be asked now.

    What `pop` gave is charged to its host until `release`. With a store behind it the
    frontier holds only a window of each host: `offer` tells whether a new entry belongs
    here, `hungry` names the hosts to load more of, `stock` says what was left there.
    """

    def __init__(self, hosts: Hosts, *, window: int = 64) -> None:
        self._hosts = hosts
        self._window = window
        self._queues: dict[str, _Host[E]] = {}
        self._places: dict[int, _Place[E]] = {}
        self._waiting: set[int] = set()
        self._ready: list[tuple[int, int, int, _Host[E]]] = []
        self._timers: list[tuple[float, int, _Host[E]]] = []
        self._stocked: dict[str, tuple[float, int, int]] = {}
        self._hungry: dict[str, None] = {}
        self._tick = 0
        self._asleep = 0
        self._outdated = 0  # places that `lower` left in a heap

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, fingerprint: int) -> bool:
        return fingerprint in self._places

    def push(self, entry: E) -> None:
        """Queue an entry for its due time; one that is here already stays as it is."""
        fingerprint = entry.fingerprint
        if fingerprint in self._places:
            return
        self._tick = tick = self._tick + 1
        place = (-entry.priority, entry.depth, entry.sequence, tick, entry)
        self._places[fingerprint] = place
        scheme = entry.url[:5]
        host = self._queues.get(entry.host)
        if host is None:
            host = self._queues[entry.host] = _Host(entry.host, scheme, tick)
        lane = host if host.scheme == scheme else host.lane(scheme)
        if entry.due > 0:
            self._waiting.add(fingerprint)
            heappush(lane.later, (entry.due, tick, fingerprint))
            time = max(entry.due, lane.held_until)
            if time < host.wake and host.state in (_IDLE, _READY):
                self._wake(host, time)
            return
        heappush(lane.ready, place)
        if host.state is _IDLE or (host.state is _READY and place[0] < host.filed):
            host.state, host.filed = _READY, place[0]
            heappush(self._ready, (place[0], host.served, host.stamp, host))

    def pop(self, now: float) -> E | None:
        """The best entry that may go now, its host charged; None: see `next_time`."""
        found = self._settle(now)
        if found is None:
            return None
        host, lane = found
        heappop(self._ready)
        entry = heappop(lane.ready)[4]
        del self._places[entry.fingerprint]
        self._tick += 1
        host.served = self._tick
        self._file(host, now, self._hosts.take(host.name, now, entry.fingerprint))
        if self._stocked and host.name in self._stocked and self._is_low(host):
            self._hungry[host.name] = None
        return entry

    def release(
        self,
        host: str,
        now: float,
        *,
        asked: bool = True,
        fingerprint: int | None = None,
    ) -> None:
        """What `pop` charged is over; if nothing was `asked`, the turn is refunded.

        The entry's `fingerprint` makes that sure where others of the host are out.
        """
        self._hosts.give_back(host, now, asked=asked, ticket=fingerprint)
        queue = self._queues.get(host)
        if queue is not None and (queue.state is _FULL or not asked):
            self._file(queue, now, self._hosts.ready_at(host, now))

    def next_time(self, now: float) -> float | None:
        """When `pop` gives something by time alone: `now`, or later.

        None: only a push, a release, a resume or more from the store can change it.
        """
        if self._settle(now) is not None:
            return now
        while self._timers:
            time, _, host = self._timers[0]
            if time == host.wake:
                at = self._hosts.ready_at(host.name, now)
                if at is not None and at <= time:
                    return time
            heappop(self._timers)
            if time == host.wake:  # paused meanwhile, or all its turns are out
                host.wake = inf
                self._file(host, now, at)
        return None

    def hold(self, origin: str, now: float, until: float = inf) -> None:
        """Give out nothing of this origin until `resume`, or until that time."""
        name = origin.split("/", 3)[2]
        self._tick += 1
        host = self._queues.get(name)
        if host is None:
            host = self._queues[name] = _Host(name, origin[:5], self._tick)
        host.lane(origin[:5]).held_until = until
        self._file(host, now, self._hosts.ready_at(name, now))

    def resume(self, origin: str, now: float) -> None:
        """Give this origin's entries out again."""
        name = origin.split("/", 3)[2]
        if host := self._queues.get(name):
            host.lane(origin[:5]).held_until = 0.0
            self._file(host, now, self._hosts.ready_at(name, now))

    def lower(self, fingerprint: int, depth: int) -> bool:
        """Let a queued entry have this depth if it is less than its own."""
        place = self._places.get(fingerprint)
        if place is None or place[1] <= depth:
            return False
        entry = place[4]
        entry.depth = depth
        place = self._places[fingerprint] = (place[0], depth, *place[2:])
        if fingerprint not in self._waiting:
            self._outdated += 1
            heappush(self._queues[entry.host].lane(entry.url[:5]).ready, place)
        return True

    def drain(self) -> list[E]:
        """Every entry, in no order; the frontier is empty after it."""
        entries = [place[4] for place in self._places.values()]
        for part in (self._queues, self._places, self._waiting, self._ready):
            part.clear()
        for rest in (self._timers, self._stocked, self._hungry):
            rest.clear()
        self._asleep = self._outdated = 0
        return entries

    def offer(self, entry: E) -> bool:
        """Push a new entry if its place is here; else it is the store's to keep.

        It is not where the host's window is full, or ends before this entry's place.
        """
        name = entry.host
        end = self._stocked.get(name)
        if end is not None:
            if (-entry.priority, entry.depth, entry.sequence) >= end:
                return False
        elif (host := self._queues.get(name)) and host.size() >= self._window:
            self.stock(name, True)
            return self.offer(entry)
        self.push(entry)
        return True

    def stock(self, host: str, more: bool) -> None:
        """After loading a window of this host: has the store more that is not here?"""
        if not more:
            self._stocked.pop(host, None)
            self._hungry.pop(host, None)
            return
        queue = self._queues.get(host)
        self._stocked[host] = queue.last(self._places) if queue else _NOTHING
        if queue is None or self._is_low(queue):
            self._hungry[host] = None

    def hungry(self, limit: int) -> list[str]:
        """Hosts to load more of, each named once until the next `stock` or `pop`."""
        names = [name for name, _ in zip(self._hungry, range(limit), strict=False)]
        for name in names:
            del self._hungry[name]
        return names

    def has_stock(self) -> bool:
        """Has the store entries that are not here?"""
        return bool(self._stocked)

    def held(self, host: str) -> set[int]:
        """The fingerprints of this host's entries that are here."""
        queue = self._queues.get(host)
        return queue.fingerprints() & self._places.keys() if queue else set()

    def ready(self) -> int:
        """About how many entries have no due time and no long rest before them."""
        return max(0, len(self._places) - len(self._waiting) - self._asleep)

    def waiting(self) -> int:
        """How many entries have a due time to wait for."""
        return len(self._waiting)

    def load(self) -> Load:
        return Load(
            entries=len(self._places),
            waiting=len(self._waiting),
            hosts=len(self._queues),
            busy=self._hosts.busy,
        )

    def _settle(self, now: float) -> tuple[_Host[E], _Lane[E]] | None:
        """The host whose turn it is, and its lane; its record is `_ready[0]`."""
        timers, ready = self._timers, self._ready
        while timers and timers[0][0] <= now:
            time, _, host = heappop(timers)
            if time == host.wake:
                self._file(host, now, self._hosts.ready_at(host.name, now))
        while ready:
            _, _, stamp, host = ready[0]
            if stamp != host.stamp:
                heappop(ready)
                continue
            at = self._hosts.ready_at(host.name, now)
            if at is not None and at <= now:
                lane, _ = self._best(host, now)
                if lane is not None:
                    return host, lane
            heappop(ready)
            self._file(host, now, at)
        return None

    def _file(self, host: _Host[E], now: float, at: float | None) -> None:
        """Put a host where it belongs: it may be asked from `at`, or is full (None)."""
        self._tick = host.stamp = self._tick + 1
        if host.asleep:
            self._asleep -= host.asleep
            host.asleep = 0
        if at is None:
            host.state = _FULL
            self._wake(host, inf)
        else:
            self._file_in_time(host, now, at)
        if len(self._ready) + len(self._timers) > CLUTTER + 4 * len(self._queues):
            self._tidy()

    def _file_in_time(self, host: _Host[E], now: float, at: float) -> None:
        lane, later = self._best(host, now)
        if lane is not None and at <= now:
            host.state, host.filed = _READY, lane.ready[0][0]
            heappush(self._ready, (host.filed, host.served, host.stamp, host))
            self._wake(host, later)
            return
        if lane is not None:
            host.state = _RESTS
            self._wake(host, at)
        else:
            host.state = _IDLE
            self._wake(host, max(at, later))
            if host.is_empty(now):  # nobody wants it
                self._queues.pop(host.name, None)
        if LONG_REST < host.wake - now < inf:
            host.asleep = host.count_ready()
            self._asleep += host.asleep

    def _best(self, host: _Host[E], now: float) -> tuple[_Lane[E] | None, float]:
        """The lane whose entry is next; when time alone will bring in another one."""
        best: _Lane[E] | None = None
        later = inf
        lane: _Lane[E] | None = host
        while lane is not None:
            if lane.later or self._outdated:
                self._ripen(lane, now)
            if lane.held_until > now:
                later = min(later, lane.next_time())
            else:
                if lane.later:
                    later = min(later, lane.later[0][0])
                if lane.ready and (best is None or lane.ready[0] < best.ready[0]):
                    best = lane
            lane = lane.sibling
        return best, later

    def _ripen(self, lane: _Lane[E], now: float) -> None:
        """Bring what is due to what is ready, and its best valid place to the top."""
        while lane.later and lane.later[0][0] <= now:
            fingerprint = heappop(lane.later)[2]
            self._waiting.discard(fingerprint)
            heappush(lane.ready, self._places[fingerprint])
        while self._outdated and lane.ready and self._is_outdated(lane.ready[0]):
            heappop(lane.ready)
            self._outdated -= 1

    def _is_outdated(self, place: _Place[E]) -> bool:
        return self._places.get(place[4].fingerprint) is not place

    def _is_low(self, host: _Host[E]) -> bool:
        return host.size() * 4 <= self._window

    def _wake(self, host: _Host[E], time: float) -> None:
        """File the host anew at this time (inf: not by time)."""
        if time != host.wake:
            host.wake = time
            if time < inf:
                self._tick += 1
                heappush(self._timers, (time, self._tick, host))

    def _tidy(self) -> None:
        """Leave one record of each host in each heap that it belongs to."""
        hosts = self._queues.values()
        self._ready[:] = [
            (host.filed, host.served, host.stamp, host)
            for host in hosts
            if host.state is _READY
        ]
        self._timers[:] = [
            (host.wake, tick, host)
            for tick, host in enumerate(hosts)
            if host.wake < inf
        ]
        heapify(self._ready)
        heapify(self._timers)


#: A host has nothing that may go; is in the heap; waits for its time; for a release.
_IDLE, _READY, _RESTS, _FULL = "idle", "ready", "rests", "full"
#: Before every place: all that a host has is in the store.
_NOTHING = (-inf, 0, 0)


class _Lane(Generic[E]):
    """The entries of one origin."""

    __slots__ = ("held_until", "later", "ready", "scheme", "sibling")

    def __init__(self, scheme: str) -> None:
        #: The first five characters of its URLs; the host's name says the rest.
        self.scheme = scheme
        self.ready: list[_Place[E]] = []
        self.later: list[tuple[float, int, int]] = []
        self.held_until = 0.0
        self.sibling: _Lane[E] | None = None

    def next_time(self) -> float:
        """When it has something to give, being held."""
        if self.ready:
            return self.held_until
        return max(self.held_until, self.later[0][0]) if self.later else inf


class _Host(_Lane[E]):
    """A host: its first origin, and by `sibling` the other."""

    __slots__ = ("asleep", "filed", "name", "served", "stamp", "state", "wake")

    def __init__(self, name: str, scheme: str, tick: int) -> None:
        super().__init__(scheme)
        self.name = name
        #: When it was last served, or came in: the order between hosts.
        self.served = tick
        #: What its record in the heap of hosts must carry to be valid.
        self.stamp = tick
        self.state = _IDLE
        self.filed = 0
        #: The time at which it is filed anew.
        self.wake = inf
        self.asleep = 0

    def lane(self, scheme: str) -> _Lane[E]:
        lane: _Lane[E] = self
        while lane.scheme != scheme:
            if lane.sibling is None:
                lane.sibling = _Lane(scheme)
            lane = lane.sibling
        return lane

    def lanes(self) -> Iterator[_Lane[E]]:
        lane: _Lane[E] | None = self
        while lane is not None:
            yield lane
            lane = lane.sibling

    def is_empty(self, now: float) -> bool:
        return not any(
            lane.ready or lane.later or lane.held_until > now for lane in self.lanes()
        )

    def count_ready(self) -> int:
        return sum(len(lane.ready) for lane in self.lanes())

    def size(self) -> int:
        return sum(len(lane.ready) + len(lane.later) for lane in self.lanes())

    def fingerprints(self) -> set[int]:
        found: set[int] = set()
        for lane in self.lanes():
            found.update(place[4].fingerprint for place in lane.ready)
            found.update(fingerprint for _, _, fingerprint in lane.later)
        return found

    def last(self, places: dict[int, _Place[E]]) -> tuple[float, int, int]:
        """The place behind which an entry is the store's to keep."""
        ends: list[tuple[float, int, int]] = [_NOTHING]
        for lane in self.lanes():
            ends += [place[:3] for place in lane.ready]
            ends += [places[fingerprint][:3] for _, _, fingerprint in lane.later]
        return max(ends)
