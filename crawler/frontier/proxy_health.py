"""Which proxies of a list may be used: those that fail rest, longer each time.

Rule: no I/O, no clock; times are monotonic seconds. No proxy is given up: the last one
that works may be the first that failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Seconds of the first rest after a failure, and after a ban; each is twice the one
#: before, up to the longest.
FIRST_REST, LONGEST_REST = 5.0, 600.0
FIRST_BAN, LONGEST_BAN = 60.0, 3600.0


@dataclass(slots=True)
class Trouble:
    """Failures, or bans at one host, in a row."""

    count: int = 0
    until: float = 0.0

    def again(self, now: float, first: float, longest: float) -> None:
        """One more; while it rests, others that were on their way change nothing."""
        if now >= self.until:
            self.count += 1
            self.until = now + min(first * 2.0 ** min(self.count - 1, 30), longest)


class ProxyHealth:
    """The troubles of proxies, by proxy, and of bans by proxy and host."""

    def __init__(self) -> None:
        self._failures: dict[str, Trouble] = {}
        self._bans: dict[tuple[str, str], Trouble] = {}

    def usable_at(self, proxy: str, host: str) -> float:
        """From when the proxy may be used for a host; in the past: now."""
        failed, banned = self._failures.get(proxy), self._bans.get((proxy, host))
        return max(failed.until if failed else 0.0, banned.until if banned else 0.0)

    def first(
        self, proxies: Iterable[str], host: str, now: float
    ) -> tuple[str | None, float]:
        """The first proxy that may be used now, else None and when the next one may."""
        earliest = float("inf")
        for proxy in proxies:
            at = self.usable_at(proxy, host)
            if at <= now:
                return proxy, now
            earliest = min(earliest, at)
        return None, earliest

    def failed(self, proxy: str, now: float) -> None:
        """The proxy did not answer, or badly."""
        trouble = self._failures.setdefault(proxy, Trouble())
        trouble.again(now, FIRST_REST, LONGEST_REST)

    def banned(self, proxy: str, host: str, now: float) -> None:
        """The host does not want what comes by this proxy."""
        trouble = self._bans.setdefault((proxy, host), Trouble())
        trouble.again(now, FIRST_BAN, LONGEST_BAN)

    def succeeded(self, proxy: str, host: str) -> None:
        """An answer of the host came through, and was no ban."""
        if self._failures:
            self._failures.pop(proxy, None)
        if self._bans:
            self._bans.pop((proxy, host), None)
