"""The idle connections of all origins, ordered by idle time, the longest first."""

from __future__ import annotations

from collections import OrderedDict

from crawler.http.timeout_wheel import TimeoutWheel
from crawler.http.transfer import Connection

__all__ = ["IdleConnections"]

#: Seconds after which an idle HTTP/1.1 connection frees its parser. The next request
#: needs a new parser.
_SLIM_SECONDS = 1.0


class IdleConnections:
    """Keeps idle connections in the order in which they became idle."""

    __slots__ = ("_connections", "_slimmed", "_ticker")

    def __init__(self, ticker: TimeoutWheel) -> None:
        self._ticker = ticker
        self._connections: OrderedDict[Connection, None] = OrderedDict()
        #: Connections that became idle before this time have already freed their memory
        #: (see `slim`).
        self._slimmed = 0.0

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: Connection) -> None:
        connection.idle_since = self._ticker.now
        self._connections[connection] = None
        self._ticker.start()

    def discard(self, connection: Connection) -> None:
        self._connections.pop(connection, None)

    def oldest(self) -> Connection:
        """Return the connection that has been idle for longest; there must be one."""
        return next(iter(self._connections))

    def expired(self, now: float, seconds: float) -> Connection | None:
        """Return a connection that has been idle for at least `seconds`; None if there
        is no such connection."""
        if not self._connections:
            return None
        oldest = self.oldest()
        return oldest if oldest.idle_since + seconds <= now else None

    def slim(self, now: float) -> None:
        """Free the parsers of connections that have been idle for a second."""
        settled = now - _SLIM_SECONDS
        for connection in reversed(self._connections):
            if connection.idle_since <= self._slimmed:
                break
            if connection.idle_since <= settled:
                connection.slim()
        self._slimmed = settled
