"""How failures slow down a host's requests. No I/O, no clock; times are monotonic
seconds.

`PacePolicy` makes one `HostHealth` for each host. `Backoff`, the policy of every crawl,
is a table. It says how each sign (the result of a request) changes the host's interval,
circuit breaker and series of refusals.

    sign        interval     breaker     refusals
    ANSWERED    shrinks      closes      a clean response
    REFUSED     doubles      -           counted; the host may be paused
    BROKEN      doubles      -           -
    SILENT      doubles      a failure   -
    NOTHING     -            -           -
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

from crawler.frontier.circuit_breaker import CircuitBreaker
from crawler.frontier.exchange import NO_CONSEQUENCE, Exchange, Sign, Verdict

#: Seconds between two requests after the first failure, if no rate is set for the host.
FIRST_INTERVAL = 0.25
#: Maximum number of seconds between two requests because of failures.
LONGEST_INTERVAL = 60.0
#: Each clean response multiplies the interval because of failures by this factor.
KEPT = 0.9
#: Seconds without a failure after which the interval because of failures has halved.
HALF_LIFE = 15.0
#: Seconds for which a host's refusals (429, 503) do not count as attempts.
EXCUSED_SECONDS = 900.0
#: Number of clean responses that end a series of refusals (429, 503).
CLEAN_ANSWERS = 3


class HostHealth(Protocol):
    """A record of the failures of one host, for a `PacePolicy`; only `HostPace` reads
    and changes the record."""

    @property
    def interval(self) -> float:
        """Seconds between two requests because of failures; 0 without failures."""
        ...

    @property
    def troubled_at(self) -> float | None:
        """The time of the last failure in monotonic seconds; None without failures."""
        ...

    @property
    def is_given_up(self) -> bool:
        """Whether the host receives no more requests."""
        ...

    def observe(
        self, exchange: Exchange, now: float, usual: float
    ) -> tuple[Verdict, float]:
        """Count a request's result. Return what the result means for the request (such
        as whether the request counts as an attempt), and the seconds for which the host
        is paused. `usual` is the interval between requests without failures."""
        ...


PacePolicy = Callable[[], HostHealth]


class Slowdown:
    """The interval between a host's requests because of failures: each failure doubles
    the interval; clean responses and time shorten it."""

    __slots__ = ("_changed_at", "_grown_at", "interval")

    def __init__(self) -> None:
        self.interval = self._grown_at = self._changed_at = 0.0

    def grow(self, now: float, usual: float) -> None:
        """Double the interval between requests. A failure within one interval of the
        last doubling has no effect."""
        if self._grown_at + self.interval > now:
            return
        step = max(2 * max(self.interval, usual), FIRST_INTERVAL)
        self.interval = min(step, LONGEST_INTERVAL)
        self._grown_at = self._changed_at = now

    def shrink(self, now: float, usual: float) -> None:
        """Shorten the interval after a response that is not a failure. If the interval
        has shrunk to `usual`, set the interval to 0."""
        if not self.interval:
            return
        self.interval *= KEPT * 0.5 ** ((now - self._changed_at) / HALF_LIFE)
        self._changed_at = now
        if self.interval <= max(usual, FIRST_INTERVAL / 2):
            self.interval = 0.0


class RefusalSeries:
    """A series of refusals (429, 503): decides whether the host or only one page
    refuses.

    If the whole host refuses, the refusals do not count as attempts for 15 minutes from
    the first refusal. If the host has responded before and refuses only one page, or
    refuses between clean responses, the page is the cause. Then the refusal counts as
    an attempt.
    """

    __slots__ = ("_clean", "_has_answered", "_is_of_many", "_page", "_since")

    def __init__(self) -> None:
        self._since: float | None = None
        self._page: int | None = None
        self._is_of_many = False
        self._has_answered = False
        self._clean = 0

    def answered(self) -> None:
        """Count a response that was not a refusal (429 or 503)."""
        self._has_answered = True
        self._clean += 1

    def refused(self, page: int | None, now: float) -> bool:
        """Count a refusal (429 or 503); return whether the refusal does not count as an
        attempt of the request."""
        since, is_healthy = self._since, self._clean >= CLEAN_ANSWERS
        self._clean = 0
        if since is None or is_healthy:
            self._since, self._page, self._is_of_many = now, page, False
        elif page != self._page:
            self._is_of_many = True
        is_alone = page is not None or (is_healthy and since is not None)
        if self._has_answered and is_alone and not self._is_of_many:
            return False
        return self._since is not None and now - self._since < EXCUSED_SECONDS


class Backoff:
    """The `PacePolicy` of every crawl; the table at the top of this module shows its
    rules."""

    __slots__ = ("_breaker", "_first_pause", "_refusals", "_slowdown", "troubled_at")

    def __init__(self, first_pause: Callable[[], float] = lambda: 1.0) -> None:
        #: A function that returns the seconds of the pause after a refusal (429 or 503)
        #: without Retry-After.
        self._first_pause = first_pause
        self._slowdown = Slowdown()
        self._breaker = CircuitBreaker()
        self._refusals = RefusalSeries()
        #: Time of the host's last failure, in monotonic seconds; None without failures.
        self.troubled_at: float | None = None

    @property
    def interval(self) -> float:
        """Seconds between two requests because of failures; 0 without failures."""
        return 0.0 if self._breaker.is_given_up else self._slowdown.interval

    @property
    def is_given_up(self) -> bool:
        """Whether the host receives no more requests."""
        return self._breaker.is_given_up

    def observe(
        self, exchange: Exchange, now: float, usual: float
    ) -> tuple[Verdict, float]:
        """Count a request's result, by the rule for its sign in the table at the top of
        this module."""
        return self._rules[exchange.sign](self, exchange, now, usual)

    def _answered(
        self, exchange: Exchange, now: float, usual: float
    ) -> tuple[Verdict, float]:
        self._refusals.answered()
        if self.troubled_at is not None:
            self._breaker.succeed()
            self._slowdown.shrink(now, usual)
        return NO_CONSEQUENCE, 0.0

    def _refused(
        self, exchange: Exchange, now: float, usual: float
    ) -> tuple[Verdict, float]:
        self.troubled_at = now
        is_excused = self._refusals.refused(exchange.page, now)
        self._slowdown.grow(now, usual)
        pause = exchange.retry_after
        if pause is None:
            pause = self._first_pause() if is_excused else 0.0
        return Verdict(is_excused), pause

    def _broken(
        self, exchange: Exchange, now: float, usual: float
    ) -> tuple[Verdict, float]:
        self.troubled_at = now
        self._slowdown.grow(now, usual)
        return NO_CONSEQUENCE, 0.0

    def _silent(
        self, exchange: Exchange, now: float, usual: float
    ) -> tuple[Verdict, float]:
        self.troubled_at = now
        self._slowdown.grow(now, usual)
        pause = self._breaker.fail(now)
        return Verdict(is_given_up=self._breaker.is_given_up), pause

    def _nothing(
        self, exchange: Exchange, now: float, usual: float
    ) -> tuple[Verdict, float]:
        return NO_CONSEQUENCE, 0.0

    _rules: ClassVar[Mapping[Sign, _Rule]] = {
        Sign.ANSWERED: _answered,
        Sign.REFUSED: _refused,
        Sign.BROKEN: _broken,
        Sign.SILENT: _silent,
        Sign.NOTHING: _nothing,
    }


_Rule = Callable[[Backoff, Exchange, float, float], tuple[Verdict, float]]
