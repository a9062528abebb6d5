"""The order of what the store gave out: hosts, priorities, due times. No I/O, no clock.

Within a host: higher priority, then lower depth, then first come. Between hosts: the
one whose best entry has the highest priority, then the one that has been ready for the
longest, so that they take turns. Nothing here looks at all hosts: those that may go
stand in line, those that wait for a time on a clock, and a host that has changed is
filed anew. Kinds of fetches that have ceilings have lines of their own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Generic

from crawler.frontier.host_pace import HostPace
from crawler.frontier.host_queue import (
    FULL,
    IDLE,
    NOTHING,
    READY,
    RESTS,
    E,
    HostQueue,
    OriginQueue,
    QueueKey,
)
from crawler.frontier.kind_lines import KindLines
from crawler.frontier.ready_queue import DueQueue, RankedFifo
from crawler.frontier.window import End, RefillWindow

#: Outdated records are cleared out beyond this many, and as many as there are hosts.
CLUTTER = 256
#: Entries that are here at most where the store has the others; about a kB each.
LIMIT = 50_000
#: Entries of one host: as many as one load brings in without being felt.
WINDOW = 1024


# Over 15 methods: queues, lines, clock and window of a host change together at each
# push and pop, and an object for a part of them would cost each page two calls.
class Frontier(Generic[E]):
    """Entries by host; `pop` gives the best one of a host that may be asked now.

    What `pop` gave is charged to its host until `release`. With a store behind it the
    frontier holds only a window of each host, and `limit` entries in all: `offer` tells
    whether a new entry belongs here, `hungry` names the hosts to load `share` more of,
    `stock` says whether anything was left there. With `kinds`, `pop` also charges the
    entry's kind and passes over kinds that are full; whoever popped gives it back.
    """

    def __init__(
        self,
        hosts: HostPace,
        *,
        window: int = WINDOW,
        limit: int = LIMIT,
        kinds: KindLines[E] | None = None,
    ) -> None:
        self._hosts = hosts
        self._kinds = kinds
        self._queues: dict[str, HostQueue[E]] = {}
        self._places: dict[int, QueueKey[E]] = {}
        self._waiting: set[int] = set()
        self._lines: RankedFifo[HostQueue[E]] = RankedFifo()
        self._clock: DueQueue[HostQueue[E]] = DueQueue()
        self._stock = RefillWindow(window, limit)
        self._tick = 0
        self._ready = 0  # hosts in the state READY
        self._made_room_at = 0  # the tick of the last `_make_room`
        self._outdated = 0  # places that `lower` left in a heap

    def __len__(self) -> int:
        return len(self._places)

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
            host = self._queues[entry.host] = HostQueue(entry.host, scheme)
        is_first = host.scheme == scheme and self._kinds is None
        lane = host if is_first else self._lane_of(host, entry)
        if entry.due > 0:
            self._waiting.add(fingerprint)
            heappush(lane.later, (entry.due, tick, fingerprint))
            self._expect(host, max(entry.due, lane.held_until))
            return
        if lane.held_until:  # it gives its host no place in line before the hold ends
            heappush(lane.ready, place)
            self._expect(host, lane.held_until)
            return
        if host.state is IDLE:
            host.state, host.stamp, host.rank = READY, tick, inf
            self._ready += 1
        if lane.kind is not None and self._kinds is not None:
            self._kinds.push(host, lane, lane.kind, place)
            return
        heappush(lane.ready, place)
        if host.state is READY and place[0] < host.rank:
            host.rank = place[0]
            self._lines.push(place[0], host.stamp, host)

    def pop(self, now: float) -> E | None:
        """The best entry that may go now, its host charged; None: see `next_time`."""
        found = self._settle(now)
        if found is None:
            return None
        host, lane, line = found
        line.drop_first()
        entry = heappop(lane.ready)[4]
        del self._places[entry.fingerprint]
        if self._kinds is not None:
            self._kinds.take(entry.kind)
        self._file(host, now, self._hosts.take(host.name, now, entry.fingerprint))
        if host.name in self._stock.ends and self._is_low(host):
            self._want(host.name)
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
        twin = self._hosts.give_back(host, now, asked=asked, ticket=fingerprint)
        if twin is not None:
            self._freed(twin, now, asked=asked)
        self._freed(host, now, asked=asked)

    def _freed(self, host: str, now: float, *, asked: bool) -> None:
        """One request less is out at this host, or at one that shares its pace."""
        queue = self._queues.get(host)
        if queue is None:
            return
        # A host that is given up rests no longer: what is left of it fails unasked.
        is_over = queue.state is RESTS and self._hosts.is_given_up(host)
        if queue.state is FULL or not asked or is_over:
            self._file(queue, now, self._hosts.ready_at(host, now))

    def next_time(self, now: float) -> float | None:
        """When `pop` gives something by time alone: `now`, or later.

        None: only a push, a release, a resume or more from the store can change it.
        While a kind is full, the time may be too early: `pop` gives nothing then.
        """
        if self._settle(now) is not None:
            return now
        while (record := self._clock.first()) is not None:
            time, _, host = record
            is_valid = time in (host.rest, host.due)
            at = self._hosts.ready_at(host.name, now) if is_valid else None
            if at is not None and at <= time:
                return time
            self._clock.drop(record)
            if is_valid:  # paused meanwhile, or all its turns are out
                self._strike(host, time)
                self._file(host, now, at)
        return None

    def hold(self, origin: str, now: float, until: float = inf) -> None:
        """Give out nothing of this origin until `resume`, or until that time."""
        name = origin.split("/", 3)[2]
        host = self._queues.get(name)
        if host is None:
            host = self._queues[name] = HostQueue(name, origin[:5])
        host.hold(origin[:5], until)
        self._file(host, now, self._hosts.ready_at(name, now))

    def resume(self, origin: str, now: float) -> None:
        """Give this origin's entries out again."""
        name = origin.split("/", 3)[2]
        if host := self._queues.get(name):
            host.hold(origin[:5], 0.0)
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
            lane = self._lane_of(self._queues[entry.host], entry)
            heappush(lane.ready, place)
        return True

    @property
    def share(self) -> int:
        """How many entries of one host belong here: fewer, the more hosts there are."""
        return self._stock.share(len(self._queues))

    def offer(self, entry: E) -> bool:
        """Push a new entry if its place is here; else it is the store's to keep.

        It is not where the host's window is full, or ends before this entry's place,
        or where there is no room at all.
        """
        name, ends = entry.host, self._stock.ends
        place = (-entry.priority, entry.depth, entry.sequence)
        host = self._queues.get(name)
        if name not in ends and host and host.count_ready() >= self.share:
            self._stock.begin_at(name, host.last(self._places))
        if name in ends and place >= ends[name]:
            return False
        if len(self._places) >= self._stock.limit:
            self._stock.begin_at(name, place)
            if host is None or self._is_low(host):
                self._want(name)
            return False
        self.push(entry)
        if host and name in ends and host.count_ready() > 2 * self.share:
            self._trim(host, self.share)
        return True

    def leave(self, name: str, place: End) -> None:
        """The store has entries of this host from `place` on that are not here; what
        is here behind that place is left to the store, too."""
        self._stock.begin_at(name, place)
        host = self._queues.get(name)
        if host is not None:
            self._shorten(host, lambda ready: bisect_left(ready, place, key=_place))
        if host is None or self._is_low(host):
            self._want(name)

    def stock(self, host: str, more: bool) -> None:
        """After loading a window of this host: has the store more that is not here?"""
        queue = self._queues.get(host)
        end = queue.last(self._places) if queue else NOTHING
        self._stock.loaded(host, end if more else None)
        if host in self._stock.ends and (queue is None or self._is_low(queue)):
            self._want(host)

    @property
    def is_hungry(self) -> bool:
        """Whether `hungry` has a host to name."""
        return self._stock.is_hungry and len(self._places) < self._stock.limit

    def hungry(self, limit: int) -> list[str]:
        """Hosts to load more of, as far as there is room; each is named once until the
        next `stock` or `pop`."""
        names: list[str] = []
        room = self._stock.limit - len(self._places)
        while self._stock.is_hungry and len(names) < limit and room > 0:
            names.append(self._stock.next_hungry())
            room -= self.share
        return names

    def has_stock(self) -> bool:
        """Has the store entries that are not here?"""
        return bool(self._stock.ends)

    def held(self, host: str) -> set[int]:
        """The fingerprints of this host's entries that are here, for the store to give
        others; then comes `stock`."""
        self._stock.loading(host)
        queue = self._queues.get(host)
        return queue.fingerprints() & self._places.keys() if queue else set()

    def open_hosts(self) -> int:
        """About how many hosts have an entry that may go now: at least so many as do.

        A host that rests, is full, or waits for its robots.txt is none of them.
        """
        if self._kinds is None:
            return self._ready
        return min(self._ready, self._kinds.count_open(self._lines))

    def _settle(
        self, now: float
    ) -> tuple[HostQueue[E], OriginQueue[E], RankedFifo[HostQueue[E]]] | None:
        """The host whose turn it is, its lane, and the line in which it is first."""
        record, kinds = self._clock.first(), self._kinds
        if record is not None and record[0] <= now:
            self._ring(now)
        while True:
            line = self._lines if kinds is None else kinds.next_line(self._lines)
            front = line.first()
            if front is None:
                return None
            stamp, host = front
            if stamp != host.stamp:
                line.drop_first()
                continue
            at = self._hosts.ready_at(host.name, now)
            if at is not None and at <= now:
                lane, _ = self._best(host, now)
                if lane is not None and kinds is not None:
                    lane = kinds.open_lane(host, now)
                if lane is not None:
                    return host, lane, line
            line.drop_first()
            self._file(host, now, at)

    def _ring(self, now: float) -> None:
        """File anew the hosts whose time has come."""
        while (record := self._clock.first()) is not None and record[0] <= now:
            self._clock.drop(record)
            time, _, host = record
            if time in (host.rest, host.due):
                self._strike(host, time)
                self._file(host, now, self._hosts.ready_at(host.name, now))

    def _file(self, host: HostQueue[E], now: float, at: float | None) -> None:
        """Put a host where it belongs: it may be asked from `at`, or is full (None)."""
        self._tick = host.stamp = self._tick + 1
        if host.state is READY:
            self._ready -= 1
        if at is None:
            host.state, host.rest = FULL, inf
            return
        lane, later = self._best(host, now)
        if lane is not None and at > now:
            host.state = RESTS
            if at != host.rest:
                host.rest = at
                self._clock.push(at, host, at - now)
            return
        host.rest = inf
        if lane is None:
            self._file_idle(host, now, max(at, later))
        else:
            host.state, host.rank = READY, lane.ready[0][0]
            self._ready += 1
            most = CLUTTER + 2 * len(self._queues)
            if self._kinds is None:
                self._lines.push(host.rank, host.stamp, host)
            else:
                self._kinds.line_up(host, now, self._lines, most)
            if len(self._lines) > most:
                self._lines.tidy(lambda stamp, host: stamp == host.stamp)
            self._look_again(host, later)

    def _file_idle(self, host: HostQueue[E], now: float, later: float) -> None:
        host.state = IDLE
        if host.is_empty(now):  # nobody wants it
            self._queues.pop(host.name, None)
            host.due = inf
            return
        self._look_again(host, later)

    def _expect(self, host: HostQueue[E], time: float) -> None:
        """An entry of the host may go from this time on, as far as its lane goes."""
        if time < host.due and host.state in (IDLE, READY):
            self._look_again(host, time)

    def _look_again(self, host: HostQueue[E], time: float) -> None:
        """File the host anew when an entry of it is due (inf: none will be)."""
        if time != host.due:
            host.due = time
            if time < inf:
                self._clock.push(time, host)

    def _strike(self, host: HostQueue[E], time: float) -> None:
        """Its record of this time is off the clock."""
        if time == host.rest:
            host.rest = inf
        if time == host.due:
            host.due = inf

    def _best(
        self, host: HostQueue[E], now: float
    ) -> tuple[OriginQueue[E] | None, float]:
        """The lane whose entry is next; when time alone will bring in another one."""
        best: OriginQueue[E] | None = None
        later = inf
        lane: OriginQueue[E] | None = host
        while lane is not None:
            if lane.later or self._outdated:
                self._ripen(lane, now)
            if lane.held_until > now:
                later = min(later, lane.next_time())
            else:
                lane.held_until = 0.0
                if lane.later:
                    later = min(later, lane.later[0][0])
                if lane.ready and (best is None or lane.ready[0] < best.ready[0]):
                    best = lane
            lane = lane.sibling
        return best, later

    def _lane_of(self, host: HostQueue[E], entry: E) -> OriginQueue[E]:
        kind = None if self._kinds is None else self._kinds.bounded(entry.kind)
        return host.lane(entry.url[:5], kind)

    def _ripen(self, lane: OriginQueue[E], now: float) -> None:
        """Bring what is due to what is ready, and its best valid place to the top."""
        while lane.later and lane.later[0][0] <= now:
            fingerprint = heappop(lane.later)[2]
            self._waiting.discard(fingerprint)
            heappush(lane.ready, self._places[fingerprint])
        while self._outdated and lane.ready and self._is_outdated(lane.ready[0]):
            heappop(lane.ready)
            self._outdated -= 1

    def _is_outdated(self, place: QueueKey[E]) -> bool:
        return self._places.get(place[4].fingerprint) is not place

    def _is_low(self, host: HostQueue[E]) -> bool:
        # What waits for its time is no supply.
        return host.count_ready() * 4 <= self.share

    def _want(self, name: str) -> None:
        """This host runs low: let there be room for more of it."""
        self._stock.want(name)
        if len(self._places) >= self._stock.limit:
            self._make_room()

    def _make_room(self) -> None:
        """Leave half of the full windows to the store: hosts that have many entries
        here, and rest, must not keep out hosts that have none here.

        It looks at all hosts, so it lets a quarter of the frontier change in between.
        """
        if self._tick - self._made_room_at < self._stock.limit // 4:
            return
        self._made_room_at = self._tick
        most = max(1, self.share // 2)
        for host in self._queues.values():
            if host.count_ready() > most:
                self._trim(host, most)

    def _trim(self, host: HostQueue[E], most: int) -> None:
        """Leave all but the best entries of a host, `most` of each lane, to the store.

        Better entries have pushed them out of the window, or others need the room.
        """
        left = self._shorten(host, lambda ready: most)
        if left:
            self._stock.begin_at(host.name, min(left)[:3])

    def _shorten(
        self, host: HostQueue[E], count: Callable[[list[QueueKey[E]]], int]
    ) -> list[QueueKey[E]]:
        """Keep the best entries of each lane, as many as `count` says of all that may
        go, in order; the others are dropped, and returned."""
        left: list[QueueKey[E]] = []
        for lane in host.lanes():
            valid = sorted(it for it in lane.ready if not self._is_outdated(it))
            self._outdated -= len(lane.ready) - len(valid)
            kept = count(valid)
            lane.ready = valid[:kept]
            left += valid[kept:]
        for place in left:
            del self._places[place[4].fingerprint]
        return left


def _place(key: QueueKey[E]) -> End:
    return key[:3]
