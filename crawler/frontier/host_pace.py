"""Decides for each host how many requests run in parallel and how far apart they are.

A turn is the permission to send one request to a host: a limited number are in use at
the same time, and they are an interval apart. The connection pool only keeps
connections; it does not limit requests.

No I/O, no clock; times are monotonic seconds. A host is remembered while it is in use
or has recent failures, and forgotten afterwards. So memory does not grow with the
number of hosts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush

import msgspec

from crawler.frontier.exchange import (
    NO_CONSEQUENCE,
    Exchange,
    PaceChange,
    Sign,
    Verdict,
)
from crawler.frontier.pace_policy import Backoff, HostHealth, PacePolicy

#: Seconds for which a host's failures are remembered after the last failure.
MEMORY = 3600.0


class Pace(msgspec.Struct, frozen=True):
    """Limits of one host: `per_host` parallel requests, and `rate` requests per second
    (0: no limit)."""

    per_host: int = 4
    rate: float = 8.0


class HostPace:
    """Gives out the turns of each host (the rights to send one request): `ready_at`
    returns the time of the next turn, `take` begins a turn, and `give_back` ends it.

    Two requests to a host are at least one interval apart. The interval is the longest
    of three: from the rate, from robots.txt, and from the host's failures. A late
    request does not shorten later intervals: the k-th request goes at least k intervals
    after the first. Only `observe` adapts the interval to responses and failures;
    `policy` decides how.

    "www.site.example" and "site.example" are two hosts, but usually one server. They
    share one rate and one limit, and a refusal pauses both. If one name does not
    respond, that shows nothing about the other name.

    This class has over 15 methods, because the scheduler, the robots.txt layer, the
    report and the code that visits pages use a few methods each.
    """

    def __init__(
        self,
        pace: Callable[[str], Pace],
        policy: PacePolicy = Backoff,
        tell: Callable[[PaceChange], None] = lambda change: None,
    ) -> None:
        self._pace = pace
        self._policy = policy
        #: A function that receives each change of pace that a response or failure
        #: caused.
        self._tell = tell
        self._states: dict[str, _State] = {}
        self._resting: list[tuple[float, str]] = []
        self._crawl_delays: dict[str, float] = {}
        #: Number of hosts with a request in flight.
        self.busy = 0

    def __len__(self) -> int:
        return len(self._states)

    def ready_at(self, host: str, now: float) -> float | None:
        """Return the time from which a request may be sent to the host; a past time
        means now. Return None if the host's maximum number of parallel requests is in
        flight."""
        state = self._states.get(host)
        if state is None:
            if _other_name(host) not in self._states:
                return 0.0
            state = self._of(host)
            self._remember(host, state)
        return state.ready_at()

    def take(self, host: str, now: float, ticket: int | None = None) -> float | None:
        """Take a turn of the host (the right to send one request). Return the time from
        which the next request may be sent; None if the maximum number is in flight."""
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
        if state.twin is not None and not state.health.is_given_up:
            state.twin.follow(state, now)
        return state.ready_at()

    def give_back(
        self, host: str, now: float, *, asked: bool = True, ticket: int | None = None
    ) -> str | None:
        """End the turn (the right to send) of one request; if the request was not sent,
        cancel the turn.

        A cancelled turn delays no later request. Only the host's last turn can be
        cancelled, so pass its `ticket` if other requests are in flight. Returns the
        host that shares the limits (the same name with or without "www."), because that
        host may wait for this turn; None if there is no such host.
        """
        state = self._states[host]
        is_last = ticket is not None and ticket == state.ticket
        if not asked and (state.alone or is_last):
            state.refund()
        if is_last:
            state.ticket = None
        state.alone = False
        state.out -= 1
        if not state.out:
            self.busy -= 1
            if not state.resting:
                state.resting = True
                heappush(self._resting, (state.rested_at(), host))
        return None if state.twin is None else _other_name(host)

    def crawl_delay(self, host: str, seconds: float, *, longest: float = 60.0) -> None:
        """Set the minimum number of seconds between requests to the host, from the
        Crawl-delay line of its robots.txt; at most `longest`."""
        delay = min(max(seconds, 0.0), longest)
        if delay:
            self._crawl_delays[host] = delay
        else:
            self._crawl_delays.pop(host, None)
        if state := self._states.get(host):
            state.asked_interval = max(self._rate_interval(host), delay)
            state.set_interval()

    def pause(self, host: str, until: float, now: float) -> None:
        """Send this host no request before `until`, for example after a refusal (429 or
        503). A longer pause that is already set is kept."""
        state = self._of(host)
        state.pause(until, now)
        state.refused_until = state.paused_until
        self._remember(host, state)

    def paused_for(self, host: str, now: float) -> float:
        """Return the total seconds of this host's pauses so far. The total is forgotten
        together with the host's failures."""
        state = self._states.get(host)
        if state is None:
            return 0.0
        return state.paused_seconds - max(0.0, state.paused_until - now)

    def observe(self, exchange: Exchange, now: float) -> Verdict:
        """Adapt the host's pace to the result of a request. Return what the result
        means: whether the request counts as an attempt, and whether the host is paused
        or given up."""
        state = self._states.get(exchange.host)
        if state is None:
            if exchange.sign in _WITHOUT_TROUBLE:
                return NO_CONSEQUENCE
            state = self._of(exchange.host)
        health, usual = state.health, state.asked_interval
        verdict, pause = health.observe(exchange, now, usual)
        if pause:
            state.pause(now + pause, now)
            if exchange.sign is Sign.REFUSED:
                verdict = verdict._replace(pause=state.paused_until - now)
                state.refused_until = state.paused_until
                if state.twin is not None:
                    state.twin.pause(now + pause, now)
        if health.troubled_at is not None:
            before = state.interval
            state.set_interval()
            self._remember(exchange.host, state)
            if pause or verdict.is_given_up or state.interval != before:
                host, is_over = exchange.host, verdict.is_given_up
                change = (host, state.interval, pause, is_over, exchange.sign)
                self._tell(PaceChange(*change))
        return verdict

    def charge(self, host: str, now: float) -> bool:
        """Take another turn (the right to send one request) for a page that already has
        a turn, for example to repeat a request after a redirect that set a cookie.
        Return False if the request must wait in the queue, because the interval is over
        a second, or the host is paused."""
        state = self._states[host]
        if state.interval > _SHORT_INTERVAL or state.paused_until > now:
            return False
        state.next_at = max(state.next_at, now) + state.interval
        if state.twin is not None:
            state.twin.next_at = max(state.twin.next_at, state.next_at)
        return True

    def rests(self, now: float) -> dict[str, float]:
        """Return the hosts that may not receive a request now, each with the seconds
        until its next request."""
        ends = {
            host: max(state.next_at, state.paused_until)
            for host, state in self._states.items()
        }
        return {host: end - now for host, end in ends.items() if now < end < math.inf}

    def interval(self, host: str) -> float:
        """Return the minimum number of seconds between two requests to the host."""
        state = self._states.get(host)
        if state is not None:
            return state.interval
        return max(self._rate_interval(host), self._crawl_delays.get(host, 0.0))

    def is_given_up(self, host: str) -> bool:
        """Return whether the host has not responded for so long that it receives no
        more requests."""
        state = self._states.get(host)
        return state is not None and state.health.is_given_up

    def _of(self, host: str) -> _State:
        state = self._states.get(host)
        if state is None:
            delay = self._crawl_delays.get(host, 0.0)
            interval = max(self._rate_interval(host), delay)
            state = _State(self._pace(host).per_host, interval, self._policy())
            self._states[host] = state
            twin = self._states.get(_other_name(host))
            if twin is not None:
                state.join(twin)
        return state

    def _remember(self, host: str, state: _State) -> None:
        """Remember a host that has no request in flight, until its failures are old
        enough to forget the host."""
        if not state.out and not state.resting:
            state.resting = True
            heappush(self._resting, (state.rested_at(), host))

    def _rate_interval(self, host: str) -> float:
        rate = self._pace(host).rate
        return 1 / rate if rate > 0 else 0.0

    def _forget(self, now: float) -> None:
        """Forget up to two hosts without recent requests and failures. This runs for
        each new host, so the memory for hosts does not grow."""
        for _ in range(2):
            if not self._resting or self._resting[0][0] > now:
                return
            _, host = heappop(self._resting)
            state = self._states[host]
            if state.out:
                state.resting = False
            elif state.twin is not None and state.twin.out:
                heappush(self._resting, (now + _SHORT_INTERVAL, host))
            elif (rested_at := state.rested_at()) > now:
                heappush(self._resting, (rested_at, host))
            else:
                del self._states[host]
                if state.twin is not None:
                    state.twin.twin = None


def _other_name(host: str) -> str:
    """Return the host name with "www." added or removed; "" if there is no such
    name."""
    if not host.startswith("www."):
        return f"www.{host}"
    return "" if host.startswith("www.www.") else host[4:]


_WITHOUT_TROUBLE = (Sign.ANSWERED, Sign.NOTHING)
#: Longest interval in seconds between two requests at which `charge` may send one more
#: request at once.
_SHORT_INTERVAL = 1.0


# This class has over 12 attributes, because one object with all facts about a host
# saves memory.
class _State:
    """One host that is in use or has recent failures: its requests in flight, its
    pauses and its failures."""

    __slots__ = (
        "alone",
        "asked_interval",
        "before",
        "ceiling",
        "health",
        "interval",
        "next_at",
        "out",
        "paused_seconds",
        "paused_until",
        "refused_until",
        "resting",
        "taken_at",
        "ticket",
        "twin",
    )

    def __init__(self, ceiling: int, interval: float, health: HostHealth) -> None:
        self.ceiling = ceiling
        self.health = health
        #: Seconds between two requests, from the rate and robots.txt.
        self.asked_interval = interval
        #: Seconds between two requests, from the rate, robots.txt and failures.
        self.interval = interval
        self.out = 0
        self.next_at = self.before = 0.0
        self.taken_at = -math.inf
        #: Whether exactly one request is in flight, and this request was the last to
        #: start.
        self.alone = False
        #: Fingerprint of the request that took the last turn (the right to send one
        #: request).
        self.ticket: int | None = None
        #: Whether the host is in the list of hosts to forget.
        self.resting = False
        self.paused_until = self.paused_seconds = 0.0
        #: End of the pause after a refusal (429 or 503), in monotonic seconds.
        self.refused_until = 0.0
        #: The object for the same host name with or without "www.", if that name is in
        #: use.
        self.twin: _State | None = None

    def ready_at(self) -> float | None:
        out = self.out if self.twin is None else self.out + self.twin.out
        if out >= self.ceiling:
            return None
        if self.paused_until > self.next_at:
            return self.paused_until
        return self.next_at

    def join(self, twin: _State) -> None:
        """Share the limits of `twin`, the same host name with or without "www.", which
        is already in use."""
        self.twin, twin.twin = twin, self
        self.next_at = twin.next_at + max(0.0, self.interval - twin.interval)
        self.paused_until = self.refused_until = twin.refused_until

    def follow(self, twin: _State, now: float) -> None:
        """Delay the next request to this host after a request to `twin`, the same host
        name with or without "www."."""
        if not self.health.is_given_up:
            interval = max(self.interval, twin.interval)
            self.next_at = twin.next_at = now + interval

    def refund(self) -> None:
        """Cancel the last turn (the right to send one request), because no request was
        sent."""
        self.next_at = self.before
        if self.twin is not None:
            interval = max(self.interval, self.twin.interval)
            at = max(self.before, self.twin.taken_at + interval)
            self.next_at = self.twin.next_at = at

    def set_interval(self) -> None:
        # a given-up host has no interval: its remaining entries fail without a request
        if self.health.is_given_up:
            self.interval = self.next_at = self.paused_until = 0.0
            return
        self.interval = max(self.asked_interval, self.health.interval)
        self.next_at = max(self.next_at, self.taken_at + self.interval)

    def pause(self, until: float, now: float) -> None:
        if until > self.paused_until:
            self.paused_seconds += until - max(now, self.paused_until)
            self.paused_until = until

    def rested_at(self) -> float:
        rested = max(self.next_at, self.paused_until)
        troubled_at = self.health.troubled_at
        return rested if troubled_at is None else max(rested, troubled_at + MEMORY)
