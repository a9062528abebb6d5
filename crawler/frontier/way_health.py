"""The health of routes to hosts, such as proxies: one circuit breaker for each route.

Rule: a failing route shows nothing about the hosts behind it. No I/O, no clock.
"""

from __future__ import annotations

from collections import OrderedDict

from crawler.frontier.circuit_breaker import CircuitBreaker

#: Maximum number of failing routes that are remembered; above this number the oldest
#: route is forgotten.
MAX_WAYS = 10_000


class WayHealth:
    """Decides which routes are usable. A route is a proxy's URL, or "" for the direct
    connection."""

    def __init__(self) -> None:
        self._breakers: OrderedDict[str, CircuitBreaker] = OrderedDict()

    def usable_at(self, way: str) -> float:
        """Return the time from which the route (a proxy, or "": direct) may be used, in
        monotonic seconds; 0: any time."""
        breaker = self._breakers.get(way)
        return 0.0 if breaker is None else breaker.open_until

    def is_given_up(self, way: str) -> bool:
        """Return whether the route (a proxy, or "": direct) receives no more requests
        for the rest of the crawl."""
        breaker = self._breakers.get(way)
        return breaker is not None and breaker.is_given_up

    def succeeded(self, way: str) -> None:
        """Record that the route (a proxy, or "": direct) works, because a response came
        through it."""
        if self._breakers:
            self._breakers.pop(way, None)

    def failed(self, way: str, now: float) -> None:
        """Count a failure of the route itself (a proxy, or "": direct): no host was
        reached."""
        breaker = self._breakers.get(way)
        if breaker is None:
            breaker = self._breakers[way] = CircuitBreaker()
            while len(self._breakers) > MAX_WAYS:
                self._breakers.popitem(last=False)
        breaker.fail(now)
