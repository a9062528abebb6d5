"""Connections without a socket, for parts that only count and order connections."""

from __future__ import annotations

from typing import Any

from crawler.http.origins import Origin
from crawler.http.transfer import Transfer


class Still:
    """A connection to an origin, which notes what is asked of it."""

    def __init__(self, origin: Origin, *, tls: Any = None, is_full: bool = False):
        self.origin = origin
        self.idle_since = 0.0
        self.slimmed = 0
        self.is_closing = False
        self.has_room = not is_full
        self.is_full = is_full
        self.is_resting = True
        self._tls = tls

    def start(self, transfer: Transfer) -> None: ...

    def abandon(self, transfer: Transfer, *, timed_out: bool = False) -> None: ...

    def consumed(self, transfer: Transfer, size: int) -> None: ...

    async def send_piece(self, transfer: Transfer, piece: bytes) -> None: ...

    def send_end(self, transfer: Transfer) -> None: ...

    def rest(self) -> None: ...

    def slim(self) -> None:
        self.slimmed += 1

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def get_extra_info(self, name: str) -> Any:
        return self._tls if name == "ssl_object" else None


def origin(host: str = "site.example", scheme: str = "https") -> Origin:
    return Origin(scheme, host, 443 if scheme == "https" else 80)
