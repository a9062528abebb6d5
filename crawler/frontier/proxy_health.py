"""The usable proxies of a list: a failed proxy is paused, longer after each failure.

Rule: no I/O, no clock; times are monotonic seconds. No proxy is given up, because a
failed proxy may be the only proxy that works later.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

#: Seconds of the first pause of a proxy after a failure; each pause is twice the
#: previous pause.
FIRST_REST = 5.0
#: Seconds of the longest pause of a proxy after failures.
LONGEST_REST = 600.0
#: Seconds of the first pause of a proxy for a host that has banned it; each pause is
#: twice the previous pause.
FIRST_BAN = 60.0
#: Seconds of the longest pause of a proxy for a host that has banned it.
LONGEST_BAN = 3600.0


class Trouble(msgspec.Struct):
    """The failures in a row of one proxy, or its bans in a row by one host: their
    number (`count`), and the end of the pause (`until`)."""

    count: int = 0
    until: float = 0.0

    def again(self, now: float, first: float, longest: float) -> None:
        """Count one more failure (or ban), and begin a pause. A failure during a pause
        does not count, because it belongs to an earlier request."""
        if now >= self.until:
            self.count += 1
            self.until = now + min(first * 2.0 ** min(self.count - 1, 30), longest)


class ProxyHealth:
    """Counts failures by proxy, and bans by proxy and host; says which proxy is
    usable."""

    def __init__(self) -> None:
        self._failures: dict[str, Trouble] = {}
        self._bans: dict[tuple[str, str], Trouble] = {}

    def usable_at(self, proxy: str, host: str) -> float:
        """Return the time from which the proxy may be used for this host; a past time
        means now."""
        failed, banned = self._failures.get(proxy), self._bans.get((proxy, host))
        return max(failed.until if failed else 0.0, banned.until if banned else 0.0)

    def first(
        self, proxies: Iterable[str], host: str, now: float
    ) -> tuple[str | None, float]:
        """Return the first of `proxies` that may be used now for the host, and `now`.
        If no proxy is usable now, return None and the earliest time at which a proxy
        may be used."""
        earliest = float("inf")
        for proxy in proxies:
            at = self.usable_at(proxy, host)
            if at <= now:
                return proxy, now
            earliest = min(earliest, at)
        return None, earliest

    def failed(self, proxy: str, now: float) -> None:
        """Count a failure of the proxy: no response, or an invalid response."""
        trouble = self._failures.setdefault(proxy, Trouble())
        trouble.again(now, FIRST_REST, LONGEST_REST)

    def banned(self, proxy: str, host: str, now: float) -> None:
        """Count a ban: the host refuses requests through this proxy."""
        trouble = self._bans.setdefault((proxy, host), Trouble())
        trouble.again(now, FIRST_BAN, LONGEST_BAN)

    def succeeded(self, proxy: str, host: str) -> None:
        """Forget the failures of the proxy and its bans by this host, because a
        response came through the proxy and was not a ban."""
        if self._failures:
            self._failures.pop(proxy, None)
        if self._bans:
            self._bans.pop((proxy, host), None)
