"""The queue of the entries in memory, by host, priority and due time. An entry is a
request of the crawl with its state. No I/O, no clock.

Order within a host: higher priority, then lower depth, then first in, first out. Order
between hosts: first the host whose best entry has the highest priority, then the host
that has been ready for the longest time. So hosts take turns.

A host has one queue ("lane") for each of its origins, and for each kind of requests
with a limit (host_queue.py). With a store, the frontier holds the first entries of each
host, the host's "window"; the store keeps the others (window.py).

No frequent operation scans all hosts. Ready hosts are in a queue, waiting hosts are
ordered by time, and a host that changes is queued again. Kinds of requests with a limit
("ceiling") have their own queues.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
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

#: Outdated records are removed from a queue of hosts when it has more than this number
#: of records, plus two for each host.
CLUTTER = 256
#: Maximum number of entries (queued requests) in memory if a store holds the others; an
#: entry takes about 1 kB.
LIMIT = 50_000
#: Maximum number of entries (queued requests) of one host in memory; loading this many
#: at once causes no noticeable delay.
WINDOW = 1024


# This class has over 15 methods, because all its queues change together at each push
# and pop. A separate object for some of the queues would add two calls for each page.
class Frontier(Generic[E]):
    """The queued requests (entries) by host; `pop` returns the best entry whose host
    may receive a request now.

    An entry from `pop` takes a turn of its host (the right to send one request) until
    `release`. With a store, the frontier holds only the first entries of each host (its
    window), and at most `limit` entries in total. `offer` returns whether the frontier
    takes a new entry. `hungry` returns the hosts that need more entries: the caller
    loads `share` entries of each. `stock` records whether the store has more entries of
    a host.

    `kinds` limits the requests in flight of some kinds, such as "browser". `pop` then
    counts each request, and skips kinds that are at their limit; the caller of `pop`
    counts the end of the request.
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
        self._ready = 0  # number of hosts with an entry that may be requested now
        # value of the change counter `_tick` at the last run of `_make_room`
        self._made_room_at = 0
        # number of records that `lower` made outdated by queuing entries again
        self._outdated = 0

    def __len__(self) -> int:
        return len(self._places)

    def push(self, entry: E) -> None:
        """Queue an entry (a request of the crawl) until its due time. An entry that is
        already queued does not change."""
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
        # `hold` stops the entry's origin, so the entry does not make its host ready
        # yet.
        if lane.held_until:
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
        """Return the best entry (queued request) that may be sent now, and take a turn
        of its host (the right to send one request). Return None if there is no such
        entry; `next_time` returns when to call `pop` again."""
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
        """End the request of an entry (a queued request) that `pop` returned.

        If no request was sent (`asked` is False), the host's turn (the right to send
        one request) is cancelled. `fingerprint` identifies the turn if other requests
        of the host are in flight.
        """
        twin = self._hosts.give_back(host, now, asked=asked, ticket=fingerprint)
        if twin is not None:
            self._freed(twin, now, asked=asked)
        self._freed(host, now, asked=asked)

    def _freed(self, host: str, now: float, *, asked: bool) -> None:
        """Update the state of a host, because a request to it, or to a host that shares
        its limits, is no longer in flight."""
        queue = self._queues.get(host)
        if queue is None:
            return
        # A given-up host need not wait: its remaining entries fail without a request.
        is_over = queue.state is RESTS and self._hosts.is_given_up(host)
        if queue.state is FULL or not asked or is_over:
            self._file(queue, now, self._hosts.ready_at(host, now))

    def next_time(self, now: float) -> float | None:
        """Return the time at which `pop` will return an entry (a queued request):
        `now`, or later.

        Return None if an entry can become ready only by a push, a release, a resume or
        a load from the store. If a kind of requests (such as "browser") is at its
        limit, the time may be too early; `pop` then returns None.
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
            if is_valid:  # the host may not receive a request at that time
                self._strike(host, time)
                self._file(host, now, at)
        return None

    def hold(self, origin: str, now: float, until: float = inf) -> None:
        """Let `pop` return no entry (queued request) of this origin until `resume`, or
        until the given time."""
        name = origin.split("/", 3)[2]
        host = self._queues.get(name)
        if host is None:
            host = self._queues[name] = HostQueue(name, origin[:5])
        host.hold(origin[:5], until)
        self._file(host, now, self._hosts.ready_at(name, now))

    def resume(self, origin: str, now: float) -> None:
        """End the hold of this origin, so that `pop` returns its entries again."""
        name = origin.split("/", 3)[2]
        if host := self._queues.get(name):
            host.hold(origin[:5], 0.0)
            self._file(host, now, self._hosts.ready_at(name, now))

    def lower(self, fingerprint: int, depth: int) -> bool:
        """Lower the depth of a queued entry to `depth`; return whether it changed."""
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
        """Return how many entries (queued requests) of one host the frontier may hold;
        fewer if there are more hosts."""
        return self._stock.share(len(self._queues))

    def offer(self, entry: E) -> bool:
        """Queue a new entry (a request) in memory if it is among the first entries of
        its host. Return False if only the store keeps the entry.

        Only the store keeps the entry if the host has its maximum number of entries in
        memory, if the entry comes after the host's last entry in memory, or if the
        frontier is full.
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
        """Record that, starting at the position `place` in the host's order, the store
        has the entries of this host. These entries leave the frontier."""
        self._stock.begin_at(name, place)
        host = self._queues.get(name)
        if host is not None:
            self._shorten(host, lambda ready: bisect_left(ready, place, key=_place))
        if host is None or self._is_low(host):
            self._want(name)

    def stock(self, host: str, more: bool) -> None:
        """Record, after entries of this host were loaded, whether the store has more of
        them."""
        queue = self._queues.get(host)
        end = queue.last(self._places) if queue else NOTHING
        self._stock.loaded(host, end if more else None)
        if host in self._stock.ends and (queue is None or self._is_low(queue)):
            self._want(host)

    @property
    def is_hungry(self) -> bool:
        """Whether a host has few entries (queued requests) in memory and more in the
        store, and the frontier is not full."""
        return self._stock.is_hungry and len(self._places) < self._stock.limit

    def hungry(self, limit: int) -> list[str]:
        """Return at most `limit` hosts that have few entries in memory, so that the
        caller loads more entries of these hosts; fewer hosts if the frontier is almost
        full.

        A host is returned again only after its next `stock` or `pop`.
        """
        names: list[str] = []
        room = self._stock.limit - len(self._places)
        while self._stock.is_hungry and len(names) < limit and room > 0:
            names.append(self._stock.next_hungry())
            room -= self.share
        return names

    def has_stock(self) -> bool:
        """Whether the store has entries (queued requests) that are not in the
        frontier."""
        return bool(self._stock.ends)

    def hosts(self) -> Iterator[str]:
        """Return the hosts with entries in memory or in the store; a host may be
        returned twice."""
        yield from self._queues
        yield from self._stock.ends

    def held(self, host: str) -> set[int]:
        """Return the fingerprints of this host's entries in the frontier, so that the
        caller does not load these entries again. Call `stock` after the load."""
        self._stock.loading(host)
        queue = self._queues.get(host)
        return queue.fingerprints() & self._places.keys() if queue else set()

    def open_hosts(self) -> int:
        """Return an upper estimate of the number of hosts with a queued request that
        may be sent now. Hosts that are paused, are at their limit of parallel requests,
        or wait for robots.txt do not count."""
        if self._kinds is None:
            return self._ready
        return min(self._ready, self._kinds.count_open(self._lines))

    def _settle(
        self, now: float
    ) -> tuple[HostQueue[E], OriginQueue[E], RankedFifo[HostQueue[E]]] | None:
        """Return three values: the host that receives the next request, the lane (queue
        of one origin) with that request, and the queue of ready hosts whose first
        record is that host."""
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
        """Update the state of each host whose waiting time has ended."""
        while (record := self._clock.first()) is not None and record[0] <= now:
            self._clock.drop(record)
            time, _, host = record
            if time in (host.rest, host.due):
                self._strike(host, time)
                self._file(host, now, self._hosts.ready_at(host.name, now))

    def _file(self, host: HostQueue[E], now: float, at: float | None) -> None:
        """Set a host's state (such as ready or paused) and queue the host accordingly.
        `at` is the time from which the host may receive a request; None if its maximum
        number of requests is in flight."""
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
        if host.is_empty(now):  # the host has no ready and no waiting entry
            self._queues.pop(host.name, None)
            host.due = inf
            return
        self._look_again(host, later)

    def _expect(self, host: HostQueue[E], time: float) -> None:
        """Schedule an update of the host's state for `time`, when an entry becomes due,
        unless an earlier update is already scheduled."""
        if time < host.due and host.state in (IDLE, READY):
            self._look_again(host, time)

    def _look_again(self, host: HostQueue[E], time: float) -> None:
        """Schedule an update of the host's state for `time`, when its next entry is
        due; inf: no entry is waiting."""
        if time != host.due:
            host.due = time
            if time < inf:
                self._clock.push(time, host)

    def _strike(self, host: HostQueue[E], time: float) -> None:
        """Forget that an update of the host's state was scheduled for `time`, because
        the update happens now."""
        if time == host.rest:
            host.rest = inf
        if time == host.due:
            host.due = inf

    def _best(
        self, host: HostQueue[E], now: float
    ) -> tuple[OriginQueue[E] | None, float]:
        """Return the lane (queue of one origin) with the host's best ready entry, and
        the time at which the next waiting entry of the host becomes ready."""
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
        """Move entries that are due now to the ready entries of the lane (queue of one
        origin). Remove outdated records from the front, so that the best valid entry is
        first."""
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
        # Entries with a later due time do not count, because they cannot be requested
        # now.
        return host.count_ready() * 4 <= self.share

    def _want(self, name: str) -> None:
        """Record that this host has few entries left in memory; if the frontier is
        full, remove entries of other hosts from memory."""
        self._stock.want(name)
        if len(self._places) >= self._stock.limit:
            self._make_room()

    def _make_room(self) -> None:
        """Remove half of the ready entries of each host with many entries from memory,
        so that other hosts find space; the store keeps the removed entries. This method
        scans all hosts, so it runs only after many changes: a quarter of the frontier's
        limit."""
        if self._tick - self._made_room_at < self._stock.limit // 4:
            return
        self._made_room_at = self._tick
        most = max(1, self.share // 2)
        for host in self._queues.values():
            if host.count_ready() > most:
                self._trim(host, most)

    def _trim(self, host: HostQueue[E], most: int) -> None:
        """Keep in memory the `most` best ready entries of each lane (queue of one
        origin) of the host; the store keeps the other entries."""
        left = self._shorten(host, lambda ready: most)
        if left:
            self._stock.begin_at(host.name, min(left)[:3])

    def _shorten(
        self, host: HostQueue[E], count: Callable[[list[QueueKey[E]]], int]
    ) -> list[QueueKey[E]]:
        """Keep only the best ready entries in each lane (queue of one origin) of the
        host, and return the removed entries. `count` returns how many entries of a
        sorted lane to keep."""
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
