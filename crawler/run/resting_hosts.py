"""Keeps the hosts that are paused: until when, and why.

Rule: no I/O and no clock. Times are wall-clock seconds, and `now` is an argument.
"""

from __future__ import annotations

from crawler.frontier.exchange import PaceChange, Sign
from crawler.store.status import RestingHost

#: Maximum number of hosts that are kept; at this number, hosts whose pause has ended
#: are removed.
MAX_HOSTS = 1_000
#: Shortest pause, in seconds, that is shown.
SHORTEST = 2.0

_WHY = {
    Sign.REFUSED: "it answers 429 or 503",
    Sign.SILENT: "it does not answer",
    Sign.BROKEN: "its responses break off",
}
ROBOTS = "its robots.txt could not be fetched"
WAY = "its proxy does not answer"


class RestingHosts:
    """Keeps the paused hosts, by name, each with the end of its pause and the
    reason."""

    def __init__(self) -> None:
        self._rests: dict[str, RestingHost] = {}

    def changed(self, change: PaceChange, now: float) -> None:
        """Record a change of a host's pace, if the change pauses the host."""
        if change.is_given_up:
            self._rests.pop(change.host, None)
        elif change.pause:
            self.note(change.host, now + change.pause, _WHY.get(change.sign, ""), now)

    def note(self, host: str, until: float, why: str, now: float) -> None:
        """Record that a host gets no request before `until`, unless a longer pause is
        already known."""
        known = self._rests.get(host)
        if until - now < SHORTEST or (known is not None and known.until >= until):
            return
        if known is None and len(self._rests) >= MAX_HOSTS:
            self._drop_over(now)
        if known is not None or len(self._rests) < MAX_HOSTS:
            self._rests[host] = RestingHost(host, until, why)

    def first(self, limit: int, now: float) -> tuple[RestingHost, ...]:
        """Return at most `limit` paused hosts, the earliest end first."""
        if not self._rests:
            return ()
        self._drop_over(now)
        found = sorted(self._rests.values(), key=lambda rest: (rest.until, rest.host))
        return tuple(found[:limit])

    def _drop_over(self, now: float) -> None:
        over = [host for host, rest in self._rests.items() if rest.until <= now]
        for host in over:
            del self._rests[host]
