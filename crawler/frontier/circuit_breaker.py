"""A circuit breaker: stops requests to a failing target (a host or a proxy), and tries
again after a pause.

    CLOSED ──10 failures──► OPEN ──its pause ends──► PROBING ──failure──► OPEN, longer
       ▲                                                │    └─after 3 pauses─► GIVEN_UP
       └──────────────── any success ◄──────────────────┘

Rule: no I/O, no clock; times are monotonic seconds. A failure that arrives while the
breaker is open belongs to an earlier request, so the breaker ignores the failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, ClassVar

_Rule = Callable[[Any, float], float]

#: Number of failures in a row after which the target is paused.
STRAIGHT_FAILURES = 10
#: Number of pauses in a row after which one more failure gives the target up.
MAX_PAUSES = 3
#: Seconds of the first pause; each pause is twice the previous pause.
FIRST_PAUSE = 60.0


class BreakerState(IntEnum):
    """CLOSED: all requests are allowed. OPEN: no request until the pause ends. PROBING:
    one test request. GIVEN_UP: no more requests."""

    CLOSED = 0
    OPEN = 1
    PROBING = 2
    GIVEN_UP = 3


class CircuitBreaker:
    """Counts the failures in a row of one target (a host, or a proxy), pauses its
    requests after too many failures, and finally gives the target up."""

    __slots__ = ("_failures", "open_until", "pauses", "state")

    def __init__(self) -> None:
        self.state = BreakerState.CLOSED
        #: End of the current or last pause (monotonic seconds).
        self.open_until = 0.0
        #: Number of pauses since the last success.
        self.pauses = 0
        self._failures = 0

    @property
    def is_given_up(self) -> bool:
        """Whether the target receives no more requests."""
        return self.state is BreakerState.GIVEN_UP

    def succeed(self) -> None:
        """Close the breaker after a response: all requests to the target are allowed
        again."""
        self.state = BreakerState.CLOSED
        self._failures = self.pauses = 0

    def fail(self, now: float) -> float:
        """Count a failure. Return the seconds of the pause that begins, or 0."""
        if self.state is BreakerState.OPEN and now >= self.open_until:
            self.state = BreakerState.PROBING
        return self._on_failure[self.state](self, now)

    def _count(self, now: float) -> float:
        self._failures += 1
        return self._open(now) if self._failures >= STRAIGHT_FAILURES else 0.0

    def _probe_failed(self, now: float) -> float:
        if self.pauses < MAX_PAUSES:
            return self._open(now)
        self.state = BreakerState.GIVEN_UP
        return 0.0

    def _open(self, now: float) -> float:
        pause = FIRST_PAUSE * 2.0**self.pauses
        self.state = BreakerState.OPEN
        self.open_until = now + pause
        self.pauses += 1
        return pause

    def _ignore(self, now: float) -> float:
        return 0.0

    #: In each state: the method that handles a failure.
    _on_failure: ClassVar[Mapping[BreakerState, _Rule]] = {
        BreakerState.CLOSED: _count,
        BreakerState.OPEN: _ignore,
        BreakerState.PROBING: _probe_failed,
        BreakerState.GIVEN_UP: _ignore,
    }
