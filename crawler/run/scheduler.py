"""Supplies workers with requests that may be sent now.

A turn is the permission to send one request to a host now. Workers ask for turns with
`async for turn in scheduler`. Each turn goes directly to one waiting worker, without
polling. The loop ends when no request waits, no request is in flight, and `start()` has
ended.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

import msgspec

from crawler.frontier.frontier import Frontier
from crawler.frontier.host_pace import HostPace
from crawler.frontier.kind_lines import KindLines
from crawler.layers import rates
from crawler.layers.name_table import NameTable
from crawler.request import START, Entry, Request
from crawler.run.own_turns import OwnTurns
from crawler.store.base import Committed
from crawler.web import urls


class Gate(Protocol):
    """Knows for which origins robots.txt has been fetched. `proxy` is the proxy through
    which the origin is reached ("": directly)."""

    def knows(self, origin: str, proxy: str) -> bool: ...

    def way_of(self, request: Request) -> str:
        """Return the proxy of the request: the one it names, or that of its session."""
        ...


class RobotsTurn(msgspec.Struct, frozen=True):
    """The permission to request an origin's robots.txt now; other requests to the
    origin wait until robots.txt is known.

    robots.txt is requested through the `proxy` of the request that needs it.
    """

    origin: str
    host: str
    proxy: str = ""


Turn = Entry | RobotsTurn

#: Maximum number of hosts that wait for a DNS lookup; with more, `start()` pauses.
MAX_NAMES = 1_000
#: Maximum number of hosts without a finished DNS lookup that one search for the next
#: request skips, so that the event loop is not blocked.
NAMES_AT_ONCE = 256
#: Maximum number of waiting requests of `start()`; with more, `start()` pauses.
MAX_STARTS = 250_000


class Scheduler:
    """Gives each free worker the best request of a host that may receive one now.

    Times are those of the event loop's clock.

    - `permits` is the number of pages still allowed (None: no limit). Each request
      counts as one page; `done` corrects this if the request did not become a page.
    - `stocked`: the store has further requests, and the scheduler loads them.
    - `ceilings` is the maximum number of requests in flight by `Request.kind`, such as
      "browser".
    - `most_starts` limits the requests of `start()` that wait, in memory and in the
      store.
    - `names` holds hosts back until their names are looked up. Without it each request
      looks up the name itself.

    This class has over 15 methods and 12 attributes, because workers, commits,
    robots.txt, loads from the store and `start()` all change which request is next, and
    one object must see every change.
    """

    def __init__(
        self,
        hosts: HostPace,
        *,
        gate: Gate | None = None,
        permits: int | None = None,
        total_rate: float = 0.0,
        stocked: bool = False,
        ceilings: Mapping[str, int] | None = None,
        most_starts: int = MAX_STARTS,
        names: NameTable | None = None,
    ) -> None:
        self._names = names
        self._kinds = KindLines[Entry](ceilings) if ceilings else None
        self.frontier: Frontier[Entry] = self._frontier(hosts, self._kinds)
        # If the store keeps all queued requests, the frontier holds only the first ones
        # of each host in memory.
        self._admit = self.frontier.offer if stocked else self.frontier.push
        self._gate = gate
        self._permits = permits
        self._rate = rates.TotalRate(total_rate, self.wake) if total_rate else None
        self._hosts = hosts
        #: Decides when requests of the spider's `fetch` are sent; None until the first.
        self._own: OwnTurns | None = None
        #: Fingerprints of requests in flight whose turn (the right to send one request)
        #: was already given back.
        self._freed: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._waiters: deque[asyncio.Future[Turn | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._out = 0
        self._sources = 0
        self._starts = 0  # number of requests of `start()`, waiting or in flight
        self._most_starts = most_starts
        self._is_closed = False
        self._hungry = asyncio.Event()
        self._wanted = asyncio.Event()
        #: Called when a worker has to wait, because no request may be sent now.
        self.on_idle: Callable[[], None] = lambda: None
        #: By fingerprint: the entries (requests) that workers have taken, and whose
        #: results are not committed yet.
        self.in_flight: dict[int, Entry] = {}

    def _frontier(
        self, hosts: HostPace, kinds: KindLines[Entry] | None
    ) -> Frontier[Entry]:
        """Return the frontier (the queue of the crawl) that the scheduler takes
        requests from."""
        return Frontier(hosts, kinds=kinds)

    def __aiter__(self) -> Scheduler:
        return self

    async def __anext__(self) -> Turn:
        # The calling worker is already running, so it gets a request before a waiting
        # worker is woken.
        turn = self._next()
        if turn is not None:
            return turn
        if self._is_over():
            self._end()
            raise StopAsyncIteration
        waiter: asyncio.Future[Turn | None] = self._loop.create_future()
        self._waiters.append(waiter)
        self.wake()
        self.on_idle()
        try:
            turn = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and (turn := waiter.result()):
                # the worker was given a request, but was cancelled before it could use
                # it
                self._take_back(turn)
            raise
        if turn is None:
            raise StopAsyncIteration
        return turn

    # -- methods that the engine calls

    def landed(
        self,
        committed: Committed,
        settled: Iterable[tuple[Entry, float | None]],
        sources: int,
    ) -> None:
        """Update the queue after a commit: add new requests, lower the depth of known
        requests, and remove requests that have ended.

        Each ended request comes with the time of its next try (on the event loop's
        clock), or None if it is not tried again. `sources` is the number of sources
        that have ended; a source, such as `start()`, may add requests.
        """
        for entry in committed.added:
            self._admit(entry)
        if sources:
            self._starts += sum(entry.found_as == START for entry in committed.added)
        for host, place in committed.stocked.items():
            self.frontier.leave(host, place)
        for fingerprint, _, depth in committed.lowered:
            self.frontier.lower(fingerprint, depth)
        for entry, due in settled:
            del self.in_flight[entry.fingerprint]
            self._out -= 1
            if due is not None:
                entry.due = due
                self.frontier.push(entry)
            elif entry.found_as == START and self._starts:
                self._starts -= 1
        self._sources -= sources
        self.wake()

    def done(self, entry: Entry, *, asked: bool, is_page: bool) -> None:
        """End the fetch of a page: give back its turn (the right to send one request to
        its host). If `is_page` is False, the request does not count towards the limit
        on pages.

        No worker is woken, because the calling worker asks for the next request itself.
        """
        if self._own is not None and entry.fingerprint in self._freed:
            self._freed.remove(entry.fingerprint)
        else:
            now = self._loop.time()
            self.frontier.release(
                entry.host, now, asked=asked, fingerprint=entry.fingerprint
            )
            if self._kinds is not None:
                self._kinds.give_back(entry.kind)
            if self._own is not None:
                self._wake_own(entry.host, self._own)
        if self._permits is not None and not is_page:
            self._permits += 1

    @property
    def own_turns(self) -> OwnTurns:
        """Decides when requests of a spider's `fetch`, which are not in the frontier
        (the queue of the crawl), may be sent."""
        if self._own is None:
            self._own = OwnTurns(self._hosts, self._rate, self._kinds)
        return self._own

    async def take_own_turn(self, host: str, kind: str, home: str) -> None:
        """Wait until a request of a spider's `fetch` may be sent to the host. `kind` is
        its `Request.kind`, such as "browser".

        `home` is the host of the page that waits for the response; empty: no page
        waits.
        """
        await self.own_turns.take(host, kind)

    def own_turn_over(self, host: str, kind: str, *, asked: bool) -> None:
        """Give back a turn (the right to send one request) from `take_own_turn`."""
        self._lend(host, kind, asked=asked)

    @asynccontextmanager
    async def lent(self, entry: Entry) -> AsyncIterator[None]:
        """While the `async with` block runs, let other requests to the host use the
        turn of `entry` (its right to be sent now). The request of `entry` has not been
        sent yet."""
        self._lend(entry.host, entry.kind, asked=False)
        try:
            yield
        finally:
            await self.own_turns.take(entry.host, entry.kind)

    def free(self, entry: Entry, *, asked: bool) -> None:
        """After the body of a page was read, give back its turn (the right to send one
        request to its host), before its callback has ended. The page also stops
        counting against the limit on requests of its kind (such as "browser")."""
        if entry.fingerprint in self._freed:
            return
        self._freed.add(entry.fingerprint)
        self._lend(entry.host, entry.kind, asked=asked, fingerprint=entry.fingerprint)

    def _lend(
        self, host: str, kind: str, *, asked: bool, fingerprint: int | None = None
    ) -> None:
        now = self._loop.time()
        self.frontier.release(host, now, asked=asked, fingerprint=fingerprint)
        if self._kinds is not None:
            self._kinds.give_back(kind)
        self._wake_own(host, self.own_turns)
        self.wake()

    def _wake_own(self, host: str, own: OwnTurns) -> None:
        """Let a waiting request of a spider's `fetch` be sent, because a request to the
        host has ended."""
        if self._kinds is None:
            own.wake(host)
        else:
            # a waiting request to another host may be of the kind (such as "browser")
            # that may start now
            own.wake_all()

    def answered(self, turn: RobotsTurn, retry_at: float | None) -> None:
        """Continue after a request for robots.txt: allow requests to the origin if
        `retry_at` is None; else hold them back until `retry_at` (on the event loop's
        clock), when robots.txt is requested again."""
        now = self._loop.time()
        if retry_at is None:
            self.frontier.resume(turn.origin, now)
        else:
            self.frontier.hold(turn.origin, now, retry_at)
        self.frontier.release(turn.host, now)
        self._out -= 1
        self.wake()

    @property
    def has_idle(self) -> bool:
        """Whether a worker is idle, because no request may be sent now."""
        return bool(self._waiters)

    @property
    def has_sources(self) -> bool:
        """Whether a source of new requests, such as `start()`, has not ended."""
        return bool(self._sources)

    def open_source(self) -> None:
        """Keep the workers waiting for requests: a source, such as `start()`, may still
        add some."""
        self._sources += 1

    def close(self) -> None:
        """Give out no more requests; the waiting workers end."""
        self._end()

    @property
    def is_exhausted(self) -> bool:
        """Whether the workers have ended because the limit on pages was reached."""
        return self._permits == 0 and not self._out

    async def hungry(self, least: int) -> bool:
        """Wait until fewer than `least` hosts may receive a request now. Return False
        if the scheduler has been closed.

        A paused host does not count, so that `start()` continues with other hosts.
        """
        while not self._is_closed and not self._may_draw(least):
            self._hungry.clear()
            await self._hungry.wait()
        return not self._is_closed

    def _may_draw(self, least: int) -> bool:
        if self._starts >= self._most_starts:
            return False
        if self._names is not None and len(self._names) >= MAX_NAMES:
            return False
        return self.frontier.open_hosts() + self._sources <= least

    async def wanted_host(self) -> str:
        """Wait for a host that has nearly no requests in memory, but has more in the
        store; return the host."""
        while not (names := self.frontier.hungry(1)):
            self._wanted.clear()
            await self._wanted.wait()
        return names[0]

    @property
    def share(self) -> int:
        """Return how many entries (queued requests) of one host to load from the store
        at once."""
        return self.frontier.share

    def held(self, host: str) -> set[int]:
        """Return the fingerprints of the host's entries (queued requests) in memory, so
        that the caller does not load them again."""
        flying = {e.fingerprint for e in self.in_flight.values() if e.host == host}
        return flying | self.frontier.held(host)

    def refill(self, host: str, entries: Iterable[Entry], *, more: bool) -> None:
        """Add entries (queued requests) of a host that were loaded from the store.
        `more`: the store has further entries of the host."""
        for entry in entries:
            if entry.fingerprint not in self.in_flight:
                self.frontier.push(entry)
        self.frontier.stock(host, more)
        self.wake()

    def share_rate(self, workers: int) -> None:
        """Limit this process to its share of the crawl-wide rate: one part of `workers`
        (the number of processes)."""
        if self._rate is not None:
            self._rate.share(workers)

    async def keep_rate(self) -> None:
        """Allow requests evenly in time, at the crawl-wide rate; runs in parallel with
        the workers."""
        if self._rate is not None:
            await self._rate.supply()

    # -- methods that give requests to workers

    def wake(self) -> None:
        """Give requests to waiting workers after a change, and set a timer for the next
        request that becomes due."""
        if self._own is not None and self._own.has_waiting:
            self._own.wake_all()
        waiters = self._waiters
        while waiters:
            if waiters[0].done():
                waiters.popleft()
                continue
            turn = self._next()
            if turn is None:
                break
            waiters.popleft().set_result(turn)
        self._hungry.set()
        if self.frontier.is_hungry:
            self._wanted.set()
        if waiters:
            if self._is_over():
                self._end()
            else:
                self._set_timer()

    def _next(self) -> Turn | None:
        rate = self._rate
        if self._is_closed or self._permits == 0 or (rate and not self._asks(rate)):
            return None
        now = self._loop.time()
        entry = self.frontier.pop(now)
        names = self._names
        if names is not None and entry is not None and entry.host not in names.ready:
            entry = self._named(entry, names, now)
        if entry is None:
            return None
        if rate is not None:
            rate.allows = False
        self._out += 1
        if self._gate is not None:
            origin = urls.origin_of(entry.url)
            proxy = self._gate.way_of(entry.request)
            if not self._gate.knows(origin, proxy):
                return self._robots_first(entry, origin, proxy, now)
        self.in_flight[entry.fingerprint] = entry
        if self._permits is not None:
            self._permits -= 1
        return entry

    def _asks(self, rate: rates.TotalRate) -> bool:
        """Return whether the crawl-wide rate allows a request now. If not, `wake` is
        called when the rate allows one."""
        if not rate.allows and len(self.frontier):
            rate.ask()
        return rate.allows

    def _named(self, entry: Entry, names: NameTable, now: float) -> Entry | None:
        """Return this entry (a queued request), or the next entry whose host name is
        already looked up; None if there is none."""
        popped: Entry | None = entry
        for _ in range(NAMES_AT_ONCE):
            if popped is None or popped.host in names.ready:
                return popped
            if popped.request.options.proxy or popped.kind:
                # needs no lookup here: its proxy or browser looks the name up
                return popped
            self._await_name(popped, names, now)
            popped = self.frontier.pop(now)
        if popped is not None:
            self._put_back(popped, now)
            self._loop.call_soon(self.wake)
        return None

    def _await_name(self, entry: Entry, names: NameTable, now: float) -> None:
        """Hold back the queued requests of the origin until the DNS lookup of its host
        is done."""
        origin = urls.origin_of(entry.url)
        self._put_back(entry, now)
        self.frontier.hold(origin, now)
        names.wait_for(entry.host, entry.priority, partial(self._name_known, origin))

    def _name_known(self, origin: str) -> None:
        self.frontier.resume(origin, self._loop.time())
        self.wake()

    def _put_back(self, entry: Entry, now: float) -> None:
        """Put an entry (a request) back into the queue, and cancel its turn (the right
        to send one request), because it was not sent."""
        self.frontier.release(
            entry.host, now, asked=False, fingerprint=entry.fingerprint
        )
        if self._kinds is not None:
            self._kinds.give_back(entry.kind)
        self.frontier.push(entry)

    async def keep_names(self) -> None:
        """Look up the host names of waiting requests in the DNS; runs in parallel with
        the workers."""
        if self._names is not None:
            await self._names.run()

    def _robots_first(
        self, entry: Entry, origin: str, proxy: str, now: float
    ) -> RobotsTurn:
        """Request the robots.txt of the origin instead of `entry`, with the right of
        `entry` to send one request. The request for robots.txt does not count against
        the limit on the kind of `entry` (such as "browser")."""
        if self._kinds is not None:
            self._kinds.give_back(entry.kind)
        self.frontier.push(entry)
        self.frontier.hold(origin, now)
        return RobotsTurn(origin, entry.host, proxy)

    def _take_back(self, turn: Turn) -> None:
        now = self._loop.time()
        self._out -= 1
        if isinstance(turn, RobotsTurn):
            self.frontier.release(turn.host, now, asked=False)
            self.frontier.resume(turn.origin, now)
            return
        del self.in_flight[turn.fingerprint]
        if self._permits is not None:
            self._permits += 1
        self._put_back(turn, now)

    def _is_over(self) -> bool:
        if self._is_closed:
            return True
        if self._out:
            return False
        if self._permits == 0:
            return True
        return (
            not self._sources
            and not len(self.frontier)
            and not self.frontier.has_stock()
        )

    def _end(self) -> None:
        self._is_closed = True
        self._hungry.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _set_timer(self) -> None:
        now = self._loop.time()
        due = self.frontier.next_time(now)
        if self._timer is not None:
            if due is not None and self._timer_at <= due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None and not self._is_stinted:
            # The due time may have passed already. It is kept in an attribute, because
            # the timer handle of uvloop has no `when` for a time that is very near.
            self._timer_at = max(due, now)
            self._timer = self._loop.call_at(self._timer_at, self._ring)

    @property
    def _is_stinted(self) -> bool:
        """Return whether workers wait for the limit on pages or for the crawl-wide
        rate. These do not allow a request at a known time, so no timer is set."""
        return self._permits == 0 or (self._rate is not None and not self._rate.allows)

    def _ring(self) -> None:
        self._timer = None
        self.wake()
