"""Records which hosts have more entries (queued requests) in the store, and which hosts
need entries from the store.

Rule: all entries of a host without a record here are in memory. No I/O, no clock.
"""

from __future__ import annotations

from collections import OrderedDict

from crawler.frontier.host_queue import NOTHING

#: A position in a host's order of entries: negative priority, depth, sequence.
End = tuple[float, int, int]


class RefillWindow:
    """Decides which entries (queued requests) stay in the store; the frontier holds at
    most `limit` entries in memory."""

    def __init__(self, window: int, limit: int) -> None:
        self._window = window
        self.limit = limit
        #: By host: the position from which on only the store has entries of the host.
        self.ends: dict[str, End] = {}
        self._hungry: OrderedDict[str, None] = OrderedDict()
        self._left: set[str] = set()

    def share(self, hosts: int) -> int:
        """Return how many entries (queued requests) each host may have in memory if
        there are `hosts` hosts."""
        hosts = max(1, hosts, len(self.ends))
        # With many hosts each may have only few entries in memory. Otherwise hosts that
        # do not respond would fill the frontier.
        return max(1, min(self._window, self.limit // hosts))

    def begin_at(self, host: str, end: End) -> None:
        """Record that the store has entries of this host from position `end` of the
        host's order on. An earlier position that is already known is kept."""
        known = self.ends.get(host)
        self.ends[host] = end if known is None else min(known, end)
        self._left.add(host)

    def loading(self, host: str) -> None:
        """Record that the caller now loads more entries of this host from the store."""
        self._left.discard(host)

    def loaded(self, host: str, end: End | None) -> None:
        """Record that entries of this host have been loaded. `end` is the position
        after which only the store has entries; None if the store has no more
        entries."""
        if end is None and host in self._left:
            end = NOTHING  # during the load a new entry was added only to the store
        if end is None:
            self.ends.pop(host, None)
            self._hungry.pop(host, None)
        else:
            self.ends[host] = end

    def want(self, host: str) -> None:
        """Record that this host has few entries left in memory."""
        self._hungry[host] = None

    def next_hungry(self) -> str:
        """Return the host that has had few entries in memory for the longest time, and
        remove its record."""
        return self._hungry.popitem(last=False)[0]

    @property
    def is_hungry(self) -> bool:
        return bool(self._hungry)
