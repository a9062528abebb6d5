"""The awaitable supply of requests that may go now.

Workers pull: `async for turn in scheduler`. A turn goes straight to one waiting
worker, so that nobody polls and nobody is woken for nothing. The loop ends by itself
when nothing waits, nothing is out, and `start()` has no more to give.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

import msgspec

from crawler.frontier.frontier import Frontier
from crawler.frontier.host_pace import HostPace
from crawler.frontier.kind_lines import KindLines
from crawler.layers import rates
from crawler.layers.name_table import NameTable
from crawler.request import START, Entry
from crawler.run.own_turns import OwnTurns
from crawler.store.base import Committed
from crawler.web import urls


class Gate(Protocol):
    """What knows the origins whose robots.txt was answered, `proxy` being the way to
    it (none: directly)."""

    def knows(self, origin: str, proxy: str) -> bool: ...


class RobotsTurn(msgspec.Struct, frozen=True):
    """The turn of an origin's robots.txt: until it is answered no other URL goes.

    It is asked by the `proxy` of the request that needs it.
    """

    origin: str
    host: str
    proxy: str = ""


Turn = Entry | RobotsTurn

#: Hosts whose names are not known: with more, `start()` rests. And so many of them are
#: passed over at a time, so that the loop is not held.
MAX_NAMES, NAMES_AT_ONCE = 1_000, 256
#: Requests of `start()` that wait at most: with more, `start()` rests, whoever waits.
MAX_STARTS = 250_000


class Scheduler:
    """Hands each free worker the best request of a host that may be asked now.

    Times are the event loop's. `permits` is how many pages may still be handed out
    (None: any number); one is taken with each entry and given back by `done`. With
    `stocked` the store has more entries than are here, and is asked for them.
    `ceilings` gives how many entries may be out, by the kind of their fetch. At most
    `most_starts` requests of `start()` wait here and in the store. Hosts wait for their
    `names`; without such a table the exchanges look them up.

    Over 15 methods and 12 attributes: workers, commits, robots.txt, refills and
    `start()` all change what may go next, and one object must see every change.
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
        # A store that keeps the entries itself needs only a window of them here.
        self._admit = self.frontier.offer if stocked else self.frontier.push
        self._gate = gate
        self._permits = permits
        self._rate = rates.TotalRate(total_rate, self.wake) if total_rate else None
        self._hosts = hosts
        #: Turns of `self.fetch`, once there is one; entries whose turn is free already.
        self._own: OwnTurns | None = None
        self._freed: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._waiters: deque[asyncio.Future[Turn | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._out = 0
        self._sources = 0
        self._starts = 0  # requests of `start()` that wait, or are out
        self._most_starts = most_starts
        self._is_closed = False
        self._hungry = asyncio.Event()
        self._wanted = asyncio.Event()
        #: Called when somebody has to wait for a turn.
        self.on_idle: Callable[[], None] = lambda: None
        #: Entries that are out, by fingerprint: taken, and not committed yet.
        self.in_flight: dict[int, Entry] = {}

    def _frontier(
        self, hosts: HostPace, kinds: KindLines[Entry] | None
    ) -> Frontier[Entry]:
        """What the scheduler draws from."""
        return Frontier(hosts, kinds=kinds)

    def __aiter__(self) -> Scheduler:
        return self

    async def __anext__(self) -> Turn:
        # Who asks is running: it need not stand behind those who would have to wake.
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
                self._take_back(turn)  # handed over and cancelled in one loop turn
            raise
        if turn is None:
            raise StopAsyncIteration
        return turn

    # -- what the engine tells it

    def landed(
        self,
        committed: Committed,
        settled: Iterable[tuple[Entry, float | None]],
        sources: int,
    ) -> None:
        """What a commit changed: new entries, better places, and the entries that are
        out no more, each with when it is to be tried again (loop time), if it is. So
        many `sources` are closed with it."""
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
        """The visit is over: its host is free; without a page its permit is back.

        Nobody is woken: the worker that says so asks for the next turn itself.
        """
        if self._own is not None and entry.fingerprint in self._freed:
            self._freed.remove(entry.fingerprint)
        else:
            now = self._loop.time()
            self.frontier.release(
                entry.host, now, asked=asked, fingerprint=entry.fingerprint
            )
            if self._own is not None:
                self._own.wake(entry.host)
        if self._kinds is not None:
            self._kinds.give_back(entry.kind)
        if self._permits is not None and not is_page:
            self._permits += 1

    @property
    def own_turns(self) -> OwnTurns:
        """Turns for requests that do not wait in the frontier."""
        if self._own is None:
            self._own = OwnTurns(self._hosts, self._rate)
        return self._own

    def own_turn_over(self, host: str, *, asked: bool) -> None:
        """A turn of `own_turns`, or one that was lent to them, is over."""
        self.frontier.release(host, self._loop.time(), asked=asked)
        self.own_turns.wake(host)
        self.wake()

    def free(self, entry: Entry, *, asked: bool) -> None:
        """The visit goes on, and its host is free: the body has been read."""
        if entry.fingerprint in self._freed:
            return
        self._freed.add(entry.fingerprint)
        now = self._loop.time()
        fingerprint = entry.fingerprint
        self.frontier.release(entry.host, now, asked=asked, fingerprint=fingerprint)
        self.own_turns.wake(entry.host)
        self.wake()

    def answered(self, turn: RobotsTurn, retry_at: float | None) -> None:
        """robots.txt is known, or to be asked again at `retry_at` (loop time)."""
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
        """Whether somebody waits for a turn."""
        return bool(self._waiters)

    @property
    def has_sources(self) -> bool:
        """Whether more may come from outside."""
        return bool(self._sources)

    def open_source(self) -> None:
        """More may come from outside, such as from `start()`: do not end yet."""
        self._sources += 1

    def close(self) -> None:
        """Give nothing out any more; waiting workers end."""
        self._end()

    @property
    def is_exhausted(self) -> bool:
        """Whether the permits are what ended it: all were used for pages."""
        return self._permits == 0 and not self._out

    async def hungry(self, least: int) -> bool:
        """True when fewer than `least` entries may go now; False: none will.

        Each host that may be asked now counts as one entry. A host that rests counts
        as none, whatever it has: others must not wait for it.
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
        """A host of which the store has more, when one runs low."""
        while not (names := self.frontier.hungry(1)):
            self._wanted.clear()
            await self._wanted.wait()
        return names[0]

    @property
    def share(self) -> int:
        """How many entries of one host to load at once."""
        return self.frontier.share

    def held(self, host: str) -> set[int]:
        """Fingerprints of the host's entries that the store need not give again."""
        flying = {e.fingerprint for e in self.in_flight.values() if e.host == host}
        return flying | self.frontier.held(host)

    def refill(self, host: str, entries: Iterable[Entry], *, more: bool) -> None:
        """Entries of a host that ran low, out of the store; is there still more?"""
        for entry in entries:
            if entry.fingerprint not in self.in_flight:
                self.frontier.push(entry)
        self.frontier.stock(host, more)
        self.wake()

    def share_rate(self, workers: int) -> None:
        """The crawl-wide rate is shared with other processes."""
        if self._rate is not None:
            self._rate.share(workers)

    async def keep_rate(self) -> None:
        """Run beside the workers: lets turns go at the crawl-wide rate, spaced."""
        if self._rate is not None:
            await self._rate.supply()

    # -- handing over

    def wake(self) -> None:
        """Something has changed: serve who waits, set the clock for what is next."""
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
            proxy = entry.request.options.proxy
            if not self._gate.knows(origin, proxy):
                return self._robots_first(entry, origin, now)
        self.in_flight[entry.fingerprint] = entry
        if self._permits is not None:
            self._permits -= 1
        return entry

    def _asks(self, rate: rates.TotalRate) -> bool:
        """Whether the rate allows a turn; if not, ask for one if there is an entry."""
        if not rate.allows and len(self.frontier):
            rate.ask()
        return rate.allows

    def _named(self, entry: Entry, names: NameTable, now: float) -> Entry | None:
        """This entry or the next one whose host's name is known; others wait."""
        popped: Entry | None = entry
        for _ in range(NAMES_AT_ONCE):
            if popped is None or popped.host in names.ready:
                return popped
            if popped.request.options.proxy or popped.kind:
                return popped  # another one looks the name up
            self._await_name(popped, names, now)
            popped = self.frontier.pop(now)
        if popped is not None:
            self._put_back(popped, now)
            self._loop.call_soon(self.wake)
        return None

    def _await_name(self, entry: Entry, names: NameTable, now: float) -> None:
        """Its origin waits for the name of its host."""
        origin = urls.origin_of(entry.url)
        self._put_back(entry, now)
        self.frontier.hold(origin, now)
        names.wait_for(entry.host, entry.priority, partial(self._name_known, origin))

    def _name_known(self, origin: str) -> None:
        self.frontier.resume(origin, self._loop.time())
        self.wake()

    def _put_back(self, entry: Entry, now: float) -> None:
        """What `pop` gave goes back, with its turn."""
        self.frontier.release(
            entry.host, now, asked=False, fingerprint=entry.fingerprint
        )
        if self._kinds is not None:
            self._kinds.give_back(entry.kind)
        self.frontier.push(entry)

    async def keep_names(self) -> None:
        """Run beside the workers: looks up the names that hosts wait for."""
        if self._names is not None:
            await self._names.run()

    def _robots_first(self, entry: Entry, origin: str, now: float) -> RobotsTurn:
        """The entry's turn goes to its origin's robots.txt, which is of no kind."""
        if self._kinds is not None:
            self._kinds.give_back(entry.kind)
        self.frontier.push(entry)
        self.frontier.hold(origin, now)
        return RobotsTurn(origin, entry.host, entry.request.options.proxy)

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
            # It may be due by now, a moment after `_next` had nothing.
            # Kept here: uvloop gives a handle without `when` for a time that is near.
            self._timer_at = max(due, now)
            self._timer = self._loop.call_at(self._timer_at, self._ring)

    @property
    def _is_stinted(self) -> bool:
        """Whether no time, but a permit or the crawl-wide rate is waited for."""
        return self._permits == 0 or (self._rate is not None and not self._rate.allows)

    def _ring(self) -> None:
        self._timer = None
        self.wake()
