"""The scheduler of a process that shares its run with others.

Rule: the scheduler gives out only requests to hosts that its process owns, and none
after the end of the lease. (The lease is the time until which other processes may not
take over the process's work.) It does not end by itself, because other processes may
find links to its hosts. A request that a spider's `fetch` sends to another process's
host waits until that process releases the host's shard (a fixed group of hosts).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from crawler.frontier.frontier import Frontier
from crawler.frontier.host_pace import HostPace
from crawler.frontier.kind_lines import KindLines
from crawler.request import Entry
from crawler.run.hand_over import HandOver
from crawler.run.permit_demand import PermitDemand
from crawler.run.scheduler import RobotsTurn, Scheduler, Turn
from crawler.store.base import Committed, Place
from crawler.store.sharing import Team, shard_of


class OwnedFrontier(Frontier[Entry]):
    """A frontier (queue of the crawl) that drops requests to hosts that another process
    owns now."""

    def __init__(
        self, hosts: HostPace, team: Team, kinds: KindLines[Entry] | None
    ) -> None:
        super().__init__(hosts, kinds=kinds)
        self._team = team
        self._kind_lines = kinds

    def pop(self, now: float) -> Entry | None:
        """Return the best entry (queued request) of a host that this process owns; None
        if none may be sent now."""
        while (entry := super().pop(now)) is not None:
            if self._team.owns(entry.host):
                return entry
            fingerprint = entry.fingerprint
            self.release(entry.host, now, asked=False, fingerprint=fingerprint)
            if self._kind_lines is not None:
                self._kind_lines.give_back(entry.kind)
        return None


class SharedScheduler(Scheduler):
    """Gives requests to workers while the lease of the process lasts (the time for
    which it owns its hosts). If the run has a limit on pages, the store grants each
    process a number of pages that it may fetch.

    This class has over 15 methods, because half of them are steps of `Scheduler` with
    the rules of a shared run.
    """

    def __init__(self, hosts: HostPace, *, team: Team, **options: Any) -> None:
        self._team = team
        super().__init__(hosts, permits=0 if team.is_limited else None, **options)
        #: Number of robots.txt requests in flight, by host.
        self._robots: Counter[str] = Counter()
        #: Number of requests of the spider's `fetch` in flight, by shard (a group of
        #: hosts).
        self._fetching: Counter[int] = Counter()
        self.hand_over = HandOver(team)
        self.permits = PermitDemand(team.lease.beat, self._loop.time())
        self._is_scarce = False
        self.open_source()

    def _frontier(
        self, hosts: HostPace, kinds: KindLines[Entry] | None
    ) -> Frontier[Entry]:
        return OwnedFrontier(hosts, self._team, kinds)

    # -- methods that are called at each renewal of the lease

    def gain(self, hosts: Mapping[str, float]) -> None:
        """Begin to send requests to these hosts, which the process owns now; each value
        is the number of seconds for which the host is still paused."""
        now = self._loop.time()
        for host, known in hosts.items():
            # The process that owned the host before may have died without reporting its
            # last request, so wait one interval between requests.
            seconds = max(known, self._hosts.interval(host))
            if seconds:
                self._hosts.pause(host, now + seconds, now)
            self.frontier.stock(host, True)
        self.wake()

    def stir(self, hosts: Mapping[str, Place]) -> None:
        """Load requests that other processes have found for these hosts. Each value is
        the position in the host's queue from which on requests must be loaded."""
        for host, place in hosts.items():
            self.frontier.leave(host, place)
        self.wake()

    def wanted_permits(self) -> int:
        """Return the number of page permits (rights to fetch one page) to take from the
        run. A negative number: the permits that this process returns to the run."""
        if self._permits is None:
            return 0
        wanted = self.permits.wanted(self._permits, self._has_work(), self._loop.time())
        self._permits += min(0, wanted)
        return wanted

    def _has_work(self) -> bool:
        """Return whether this process needs page permits (rights to fetch one page). If
        the run has few left, only a process that can soon send a request needs them,
        because other processes may be faster."""
        frontier = self.frontier
        if not self._is_scarce or frontier.is_hungry:
            return len(frontier) > 0 or frontier.has_stock()
        now = self._loop.time()
        due = frontier.next_time(now)
        return due is not None and due <= now + 2 * self._team.lease.beat

    def permit(self, amount: int, *, is_scarce: bool = False) -> None:
        """Allow `amount` more pages to this process. `is_scarce`: the run has few pages
        left before its limit."""
        self._is_scarce = is_scarce
        if self._permits is not None and amount > 0:
            self._permits += amount
            self.permits.granted(amount)
            self.wake()

    def busy_shards(self) -> frozenset[int]:
        """Return the shards (groups of hosts that one process owns) with a request in
        flight, or with a page whose results are not committed yet."""
        hosts = {entry.host for entry in self.in_flight.values()}
        shards = map(shard_of, hosts | self._robots.keys())
        return frozenset(shards) | self._fetching.keys()

    def is_idle(self) -> bool:
        """Return whether the hosts of this process have no waiting request and no
        request in flight."""
        if self.in_flight or self._robots or self._fetching:
            return False
        return not any(map(self._team.owns, self.frontier.hosts()))

    def working_shards(self) -> frozenset[int]:
        """Return the shards (groups of hosts that one process owns) with requests that
        wait, or with a request that has just begun."""
        return frozenset(map(shard_of, self.frontier.hosts()))

    def end(self) -> None:
        """Let the workers end once no request is in flight. Called when the run is
        over, because then no process will find more requests."""
        self.landed(Committed(), (), 1)

    # -- methods for requests that a spider sends with `fetch`

    async def take_own_turn(self, host: str, kind: str, home: str) -> None:
        """Wait until a request of a spider's `fetch` may be sent to the host.

        Raise FetchError if another process owns the host and does not release it.
        """
        sites = self.hand_over
        while True:
            if not sites.may_ask(host, home):
                await sites.wait(host, home)
            now = self._loop.time()
            # Another process may have sent the last request to the host, so wait one
            # interval between requests.
            rested_at = sites.gained_at(host) + self._hosts.interval(host)
            if rested_at > now:
                self._hosts.pause(host, rested_at, now)
            await super().take_own_turn(host, kind, home)
            if sites.may_ask(host, home):
                self._fetching[shard_of(host)] += 1
                return
            super().own_turn_over(host, kind, asked=False)

    def own_turn_over(self, host: str, kind: str, *, asked: bool) -> None:
        """Give back a turn (the right to send one request) from `take_own_turn`."""
        self._fetching -= Counter([shard_of(host)])
        super().own_turn_over(host, kind, asked=asked)

    # -- methods that differ from the scheduler of a run with one process

    @property
    def is_exhausted(self) -> bool:
        """Always False: only the store of the run knows whether the limit on pages is
        reached, because the processes share that limit."""
        return False

    def answered(self, turn: RobotsTurn, retry_at: float | None) -> None:
        """Continue after a request for robots.txt: allow requests to the origin if
        `retry_at` is None; else hold them back until `retry_at` (on the event loop's
        clock), when robots.txt is requested again."""
        self._robots -= Counter({turn.host: 1})
        super().answered(turn, retry_at)

    def _next(self) -> Turn | None:
        if not self._team.is_held():
            return None
        turn = super()._next()
        if isinstance(turn, RobotsTurn):
            self._robots[turn.host] += 1
        return turn

    def _take_back(self, turn: Turn) -> None:
        if isinstance(turn, RobotsTurn):
            self._robots -= Counter({turn.host: 1})
        super()._take_back(turn)

    def _is_over(self) -> bool:
        return self._is_closed or not (self._out or self._sources)

    @property
    def _is_stinted(self) -> bool:
        return not self._team.is_held() or super()._is_stinted
