"""Records which hosts have more entries in the store, and which hosts need entries from
the store.

Rule: all entries of a host without a record here are in memory. No I/O, no clock.
"""

from __future__ import annotations

from collections import OrderedDict

from crawler.frontier.host_queue import NOTHING

#: A position in a host's order of entries: negative priority, depth, sequence.
End = tuple[float, int, int]


class RefillWindow:
    """Decides which entries stay in the store; the frontier holds at most `limit`
    entries."""

    def __init__(self, window: int, limit: int) -> None:
        self._window = window
        self.limit = limit
        #: By host: the position from which on only the store has entries of the host.
        self.ends: dict[str, End] = {}
        self._hungry: OrderedDict[str, None] = OrderedDict()
        self._left: set[str] = set()

    def share(self, hosts: int) -> int:
        """Return how many entries each of `hosts` hosts may have in the frontier."""
        hosts = max(1, hosts, len(self.ends))
        # With many hosts the share is small. Otherwise hosts that do not respond would
        # fill the frontier.
        return max(1, min(self._window, self.limit // hosts))

    def begin_at(self, host: str, end: End) -> None:
        """Note that the store has entries of this host from position `end` on. An
        earlier position that is already known is kept."""
        known = self.ends.get(host)
        self.ends[host] = end if known is None else min(known, end)
        self._left.add(host)

    def loading(self, host: str) -> None:
        """Note that loading more entries of this host has begun."""
        self._left.discard(host)

    def loaded(self, host: str, end: End | None) -> None:
        """Note that the load has ended. `end` is the position after which only the
        store has entries; None if the store has no more entries."""
        if end is None and host in self._left:
            end = NOTHING  # a new entry went only to the store during the load
        if end is None:
            self.ends.pop(host, None)
            self._hungry.pop(host, None)
        else:
            self.ends[host] = end

    def want(self, host: str) -> None:
        """Note that this host has few entries left in memory."""
        self._hungry[host] = None

    def next_hungry(self) -> str:
        """Remove and return the host that has had few entries for the longest time."""
        return self._hungry.popitem(last=False)[0]

    @property
    def is_hungry(self) -> bool:
        return bool(self._hungry)
