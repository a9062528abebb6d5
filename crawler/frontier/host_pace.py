"""How many requests at a time, and how soon, for each host. No I/O, no clock.

It decides; the pool only holds sockets. Times are monotonic seconds. A host is known
while it is in use or in trouble; one that has rested is forgotten, so that memory does
not grow with the hosts of a crawl.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

#: The first interval of a troubled host that has no rate, and the longest of any.
FIRST_INTERVAL, LONGEST_INTERVAL = 0.25, 60.0
#: What a troubled host's interval keeps at each clean fetch; when it has halved.
KEPT, HALF_LIFE = 0.9, 15.0
#: Connection failures in a row that park a host; the first pause, and the longest.
STRAIGHT_FAILURES, FIRST_PARK, LONGEST_PARK = 10, 60.0, 3600.0
#: How long a series of refusals uses up no attempts; how many clean fetches end one.
PARDON, CLEAN_FETCHES = 900.0, 3
#: How long a host's troubles are remembered after the last of them.
MEMORY = 3600.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What a host may be asked: this many at a time, this many a second (0 = any)."""

    per_host: int = 4
    rate: float = 8.0


class HostPace:
    """Each host's turns: `ready_at` tells, `take` charges, `give_back` frees.

    Between two requests to a host lies at least its interval, the longest of what its
    rate, its robots.txt and its troubles ask for. A late start never makes up for it:
    the k-th request goes at least k intervals after the first.
    """

    def __init__(self, pace: Callable[[str], Pace]) -> None:
        self._pace = pace
        self._states: dict[str, _State] = {}
        self._resting: list[tuple[float, str]] = []
        self._crawl_delays: dict[str, float] = {}
        #: Hosts with a request out.
        self.busy = 0

    def __len__(self) -> int:
        return len(self._states)

    def ready_at(self, host: str, now: float) -> float | None:
        """From when a request may go (past: at once); None: its ceiling is reached."""
        state = self._states.get(host)
        return 0.0 if state is None else state.ready_at()

    def take(self, host: str, now: float, ticket: int | None = None) -> float | None:
        """Charge one request; returns what `ready_at` says after it."""
        state = self._states.get(host)
        if state is None:
            self._forget(now)
            state = self._of(host)
        state.out += 1
        state.alone = state.out == 1
        if state.alone:
            self.busy += 1
        state.ticket = ticket
        state.before = state.next_at
        state.taken_at = now
        state.next_at = now + state.interval
        return state.ready_at()

    def give_back(
        self, host: str, now: float, *, asked: bool = True, ticket: int | None = None
    ) -> None:
        """End one request; if nothing was `asked`, its turn is free again.

        That is where it surely was the last turn: its `ticket` says so, or it was the
        only one out. Elsewhere the interval counts from a turn that may have asked.
        """
        state = self._states[host]
        is_last = ticket is not None and ticket == state.ticket
        if not asked and (state.alone or is_last):
            state.next_at = state.before
        if is_last:
            state.ticket = None
        state.alone = False
        state.out -= 1
        if not state.out:
            self.busy -= 1
            if not state.resting:
                state.resting = True
                heappush(self._resting, (state.rested_at(), host))

    def crawl_delay(self, host: str, seconds: float, *, longest: float = 60.0) -> None:
        """Keep at least this many seconds between requests, as robots.txt asks."""
        delay = min(max(seconds, 0.0), longest)
        if delay:
            self._crawl_delays[host] = delay
        else:
            self._crawl_delays.pop(host, None)
        if state := self._states.get(host):
            state.asked_interval = max(self._rate_interval(host), delay)
            state.set_interval()

    def pause(self, host: str, until: float, now: float) -> None:
        """Give this host no request before `until`; never shortens a longer pause."""
        self._troubled(host, now).pause(until, now)

    def is_paused(self, host: str, now: float) -> bool:
        state = self._states.get(host)
        return state is not None and now < state.paused_until

    def paused_for(self, host: str, now: float) -> float:
        """Seconds this host has been paused by now; forgotten with its troubles."""
        state = self._states.get(host)
        if state is None:
            return 0.0
        return state.paused_seconds - max(0.0, state.paused_until - now)

    def slow_down(self, host: str, now: float, *, unreachable: bool = False) -> None:
        """After a refusal, a timeout or a failed connection: ask more seldom.

        `unreachable` counts towards parking the host. Failures that come together
        double the interval once.
        """
        state = self._troubled(host, now)
        if state.slowed_at + state.backoff <= now:
            step = max(2 * state.interval, FIRST_INTERVAL)
            state.backoff = min(step, LONGEST_INTERVAL)
            state.slowed_at = state.faded_at = now
            state.set_interval()
        if unreachable:
            state.failures += 1
            if state.failures >= STRAIGHT_FAILURES and now >= state.paused_until:
                pause = min(FIRST_PARK * 2**state.parks, LONGEST_PARK)
                state.pause(now + pause, now)
                state.parks += 1

    def succeeded(self, host: str, now: float) -> None:
        """After an answer that was no refusal: troubles fade."""
        state = self._states.get(host)
        if state is None:
            return
        state.answered = True
        if state.troubled_at is None:
            return
        state.failures = state.parks = 0
        state.clean += 1
        if state.backoff:
            state.backoff *= KEPT * 0.5 ** ((now - state.faded_at) / HALF_LIFE)
            state.faded_at = now
            if state.backoff <= max(state.asked_interval, FIRST_INTERVAL / 2):
                state.backoff = 0.0
            state.set_interval()

    def parks(self, host: str) -> int:
        """How often in a row this host was parked, with no answer in between."""
        state = self._states.get(host)
        return 0 if state is None else state.parks

    def pardons(self, host: str, now: float, page: int | None = None) -> bool:
        """Note a refusal (429, 503); does it use up none of its request's attempts?

        None for 15 minutes from the first of a series, where the host refuses as a
        whole. Where it has answered and refuses one `page` (its fingerprint) alone, or
        one among clean fetches, the trouble is the page's: those refusals count.
        """
        state = self._troubled(host, now)
        is_healthy, state.clean = state.clean >= CLEAN_FETCHES, 0
        is_new = state.refused_at is None
        if state.refused_at is None or is_healthy:
            state.refused_at, state.refused_page = now, page
            state.refuses_many = False
        elif page != state.refused_page:
            state.refuses_many = True
        is_alone = page is not None or (is_healthy and not is_new)
        if state.answered and is_alone and not state.refuses_many:
            return False
        return now - state.refused_at < PARDON

    def _of(self, host: str) -> _State:
        state = self._states.get(host)
        if state is None:
            delay = self._crawl_delays.get(host, 0.0)
            interval = max(self._rate_interval(host), delay)
            state = _State(self._pace(host).per_host, interval)
            self._states[host] = state
        return state

    def _troubled(self, host: str, now: float) -> _State:
        state = self._of(host)
        state.troubled_at = now
        if not state.out and not state.resting:
            state.resting = True
            heappush(self._resting, (state.rested_at(), host))
        return state

    def _rate_interval(self, host: str) -> float:
        rate = self._pace(host).rate
        return 1 / rate if rate > 0 else 0.0

    def _forget(self, now: float) -> None:
        """Forget up to two hosts that have rested: more than new ones come in."""
        for _ in range(2):
            if not self._resting or self._resting[0][0] > now:
                return
            _, host = heappop(self._resting)
            state = self._states[host]
            if state.out:
                state.resting = False
            elif (rested_at := state.rested_at()) > now:
                heappush(self._resting, (rested_at, host))
            else:
                del self._states[host]


class _State:
    """One host in use or in trouble."""

    __slots__ = (
        "alone",
        "answered",
        "asked_interval",
        "backoff",
        "before",
        "ceiling",
        "clean",
        "faded_at",
        "failures",
        "interval",
        "next_at",
        "out",
        "parks",
        "paused_seconds",
        "paused_until",
        "refused_at",
        "refused_page",
        "refuses_many",
        "resting",
        "slowed_at",
        "taken_at",
        "ticket",
        "troubled_at",
    )

    def __init__(self, ceiling: int, interval: float) -> None:
        self.ceiling = ceiling
        #: What rate and robots.txt ask for; with the backoff, what holds.
        self.asked_interval = self.interval = interval
        self.out = 0
        self.next_at = self.before = 0.0
        self.taken_at = -math.inf
        #: Only one is out, and it had the last turn.
        self.alone = False
        #: Whose the last turn was.
        self.ticket: int | None = None
        #: It stands in the heap of those to be forgotten.
        self.resting = False
        self.paused_until = self.paused_seconds = 0.0
        #: The interval that troubles ask for; when it last grew, and last shrank.
        self.backoff = self.slowed_at = self.faded_at = 0.0
        self.failures = self.parks = self.clean = 0
        self.answered = False
        #: The series of refusals: its begin, its first page, were there others.
        self.refused_at: float | None = None
        self.refused_page: int | None = None
        self.refuses_many = False
        self.troubled_at: float | None = None

    def ready_at(self) -> float | None:
        if self.out >= self.ceiling:
            return None
        if self.paused_until > self.next_at:
            return self.paused_until
        return self.next_at

    def set_interval(self) -> None:
        self.interval = max(self.asked_interval, self.backoff)
        self.next_at = max(self.next_at, self.taken_at + self.interval)

    def pause(self, until: float, now: float) -> None:
        if until > self.paused_until:
            self.paused_seconds += until - max(now, self.paused_until)
            self.paused_until = until

    def rested_at(self) -> float:
        rested = max(self.next_at, self.paused_until)
        if self.troubled_at is None:
            return rested
        return max(rested, self.troubled_at + MEMORY)
