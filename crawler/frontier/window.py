"""Of which hosts the store has more than the frontier holds, and which of them run low.

Rule: a host that is not named here has nothing in the store that is not in the
frontier. No I/O, no clock.
"""

from __future__ import annotations

from collections import OrderedDict

from crawler.frontier.host_queue import NOTHING

#: Minus priority, depth, sequence.
End = tuple[float, int, int]


class RefillWindow:
    """What is the store's to keep; the frontier holds `limit` entries in all."""

    def __init__(self, window: int, limit: int) -> None:
        self._window = window
        self.limit = limit
        #: By host: entries from this place on are the store's.
        self.ends: dict[str, End] = {}
        self._hungry: OrderedDict[str, None] = OrderedDict()
        self._left: set[str] = set()

    def share(self, hosts: int) -> int:
        """How many entries a host may have here, where there are so many hosts."""
        hosts = max(1, hosts, len(self.ends))
        # Not more where hosts are many: those that do not answer would hold all places.
        return max(1, min(self._window, self.limit // hosts))

    def begin_at(self, host: str, end: End) -> None:
        """The store has entries of this host from this place on, if not earlier."""
        known = self.ends.get(host)
        self.ends[host] = end if known is None else min(known, end)
        self._left.add(host)

    def loading(self, host: str) -> None:
        """The store is asked for what this host has beyond what is here."""
        self._left.discard(host)

    def loaded(self, host: str, end: End | None) -> None:
        """That has come; None: and there is nothing more in the store."""
        if end is None and host in self._left:
            end = NOTHING  # left to the store while it was asked
        if end is None:
            self.ends.pop(host, None)
            self._hungry.pop(host, None)
        else:
            self.ends[host] = end

    def want(self, host: str) -> None:
        """This host runs low."""
        self._hungry[host] = None

    def next_hungry(self) -> str:
        """The host that has run low for the longest; it is not named again."""
        return self._hungry.popitem(last=False)[0]

    @property
    def is_hungry(self) -> bool:
        return bool(self._hungry)
