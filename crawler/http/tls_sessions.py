"""Keeps TLS sessions, which shorten the next handshake with an origin (RFC 8446
2.2)."""

from __future__ import annotations

from collections import OrderedDict

from crawler.http.origins import Origin
from crawler.http.transfer import Connection

__all__ = ["TlsSessions"]

#: Maximum number of kept sessions: each takes up to 20 kB, with its certificates.
_KEPT_SESSIONS = 500


class TlsSessions:
    """Keeps the last session of recently used origins."""

    __slots__ = ("_origins",)

    def __init__(self) -> None:
        #: Origins with a kept TLS session, the oldest session first.
        self._origins: OrderedDict[Origin, None] = OrderedDict()

    def keep(self, connection: Connection) -> None:
        """Keep the TLS session of a connection that ends, for the next connection to
        its origin."""
        tls = connection.get_extra_info("ssl_object")
        if tls is None:
            return
        origin = connection.origin
        origin.tls_session = tls.session
        self._origins[origin] = None
        self._origins.move_to_end(origin)
        if len(self._origins) > _KEPT_SESSIONS:
            oldest, _ = self._origins.popitem(last=False)
            oldest.tls_session = None

    def clear(self) -> None:
        self._origins.clear()
