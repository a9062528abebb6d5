"""The health of the ways to hosts, such as proxies: one circuit breaker each.

Rule: a way that fails says nothing about the hosts behind it. No I/O, no clock.
"""

from __future__ import annotations

from collections import OrderedDict

from crawler.frontier.circuit_breaker import CircuitBreaker

#: Ways in trouble that are remembered; of more, the oldest trouble is forgotten.
MAX_WAYS = 10_000


class WayHealth:
    """Which ways are usable; the direct way, "", is never in trouble."""

    def __init__(self) -> None:
        self._breakers: OrderedDict[str, CircuitBreaker] = OrderedDict()

    def usable_at(self, way: str) -> float:
        """From when the way may be used (monotonic seconds); 0: at any time."""
        breaker = self._breakers.get(way)
        return 0.0 if breaker is None else breaker.open_until

    def is_given_up(self, way: str) -> bool:
        """Whether the way is not to be used any more."""
        breaker = self._breakers.get(way)
        return breaker is not None and breaker.is_given_up

    def succeeded(self, way: str) -> None:
        """An exchange came through: the way works."""
        if self._breakers:
            self._breakers.pop(way, None)

    def failed(self, way: str, now: float) -> None:
        """The way itself failed, before a host was reached."""
        breaker = self._breakers.get(way)
        if breaker is None:
            breaker = self._breakers[way] = CircuitBreaker()
            while len(self._breakers) > MAX_WAYS:
                self._breakers.popitem(last=False)
        breaker.fail(now)
