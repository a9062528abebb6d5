"""Limits the connections of a transport, by its own limit and by that on open files.

A "place" is the permission to have one connection.
"""

from __future__ import annotations

from crawler.http.open_files import spare_files
from crawler.http.transfer import Connection

__all__ = ["ConnectionPlaces"]


class ConnectionPlaces:
    """Counts connections that are open, being opened, or being closed."""

    __slots__ = (
        "_files",
        "_most_files",
        "closing",
        "dials",
        "max_connections",
        "open",
    )

    def __init__(self, max_connections: int) -> None:
        #: The transport's own limit on connections.
        self.max_connections = max_connections
        #: Current estimate of how many sockets the limit on open files allows.
        self._files = spare_files()
        #: The highest value to which `recover` raises the estimate.
        self._most_files = self._files
        self.open: set[Connection] = set()
        #: Number of connections that are being opened.
        self.dials = 0
        #: Connections whose sockets are still closing, and the times at which closing
        #: began.
        self.closing: dict[Connection, float] = {}

    @property
    def used(self) -> int:
        return len(self.open) + self.dials

    @property
    def is_below_limit(self) -> bool:
        """Whether the transport's own limit on connections allows another
        connection."""
        return self.used < self.max_connections

    @property
    def is_free(self) -> bool:
        """Whether the limits on connections and on open files allow another connection
        now."""
        files = self.used + len(self.closing)
        return self.is_below_limit and files < self._files

    @property
    def is_short_of_files(self) -> bool:
        """Whether the limit on open files is lower than the transport's limit on
        connections."""
        return self._files < self.max_connections

    def run_out(self) -> None:
        """Lower the estimated limit on open files, because the process could not open
        another file."""
        self._files = max(1, self.used + len(self.closing))

    def recover(self) -> bool:
        """Raise the estimated limit on open files again, if it was lowered. Return
        whether it was lowered."""
        if self._files >= self._most_files:
            return False
        # Try a higher limit: another part of the process may have closed its files.
        self._files = min(2 * self._files, self._most_files)
        return True
