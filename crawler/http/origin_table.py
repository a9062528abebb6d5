"""The origins of a transport: one entry for each route (a proxy, or the direct
connection) to each server."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator

from crawler.http.origins import Origin
from crawler.http.proxy.server import ProxyServer

__all__ = ["OriginTable"]

_Key = tuple[str, str, int, ProxyServer | None, str]

#: Maximum number of unused origins; the least recently used ones are dropped first.
_KEPT_ORIGINS = 10_000


class OriginTable:
    """Finds the origin of a request, or creates it."""

    __slots__ = ("_by_key", "_protocols")

    def __init__(self, protocols: Collection[str]) -> None:
        self._protocols = protocols
        self._by_key: OrderedDict[_Key, Origin] = OrderedDict()

    def __iter__(self) -> Iterator[Origin]:
        return iter(self._by_key.values())

    def get(
        self,
        scheme: str,
        host: str,
        port: int,
        proxy: ProxyServer | None = None,
        partition: str = "",
    ) -> Origin:
        """Return the origin of a request; create the origin at its first request.

        Requests with different proxies or partitions have different origins, so that
        they share no connection.
        """
        key = (scheme, host, port, proxy, partition)
        origin = self._by_key.get(key)
        if origin is None:
            origin = self._by_key[key] = self._made(scheme, host, port, proxy)
        else:
            self._by_key.move_to_end(key)
        return origin

    def forget_unused(self) -> None:
        """Drop the least recently used origins without connections, if there are too
        many."""
        surplus = len(self._by_key) - _KEPT_ORIGINS
        if surplus > 0:
            for key in list(self._by_key)[:surplus]:
                if self._by_key[key].is_unused:
                    del self._by_key[key]

    def clear(self) -> None:
        self._by_key.clear()

    def _made(
        self, scheme: str, host: str, port: int, proxy: ProxyServer | None
    ) -> Origin:
        is_forwarding = proxy is not None and scheme == "http" and not proxy.is_socks
        origin = Origin(scheme, host, port, proxy, is_forwarding=is_forwarding)
        if is_forwarding:
            origin.is_http2 = False
        elif "http/1.1" not in self._protocols:
            origin.is_http2 = True
        elif scheme == "http" or "h2" not in self._protocols:
            origin.is_http2 = False
        return origin
