"""An origin with its connections, and the counters of a transport."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from typing import Protocol

import httpx
import msgspec

from crawler.http.errors import ProxyError
from crawler.http.proxy.server import ProxyServer
from crawler.http.transfer import Connection, Transfer

__all__ = ["Dialling", "Multiplexed", "Origin", "Statistics"]


class Multiplexed(Connection, Protocol):
    """A connection that carries several requests at a time (HTTP/2)."""

    @property
    def has_room(self) -> bool: ...

    @property
    def is_full(self) -> bool: ...

    @property
    def is_resting(self) -> bool: ...


class Dialling(Protocol):
    """A dial: a connection that is being opened."""

    origin: Origin
    task: asyncio.Task[None]
    #: Whether the proxy has opened its tunnel. From then on, the target is at fault if
    #: the connection fails.
    is_through: bool

    def adopt(self, connection: Connection, is_http2: bool) -> bool:
        """Pass the open connection to the pool; return False if the attempt to connect
        was cancelled."""

    def cancel(self) -> None: ...


class Statistics(msgspec.Struct):
    """Counters of a transport."""

    #: Number of connections made so far.
    connections: int = 0
    #: Number of connections that are open now, idle ones included.
    open_connections: int = 0
    #: Number of open connections that no request uses now.
    idle_connections: int = 0
    #: Number of responses by HTTP version.
    http_versions: Counter[str] = msgspec.field(default_factory=Counter)
    #: Number of requests that waited because of a limit on connections.
    pool_waits: int = 0
    #: Whether the limit on open files is lower than the transport's limit on
    #: connections.
    is_short_of_files: bool = False
    #: Number of requests that were sent again without asking the caller.
    resent: int = 0
    #: How often an origin was changed back to HTTP/1.1 after HTTP/2 errors.
    fallbacks: int = 0
    #: Number of name lookups, without those that the cache answered.
    lookups: int = 0


class Origin:
    """A scheme, host and port; the proxy on the route to it, if any; and its
    connections.

    Plain http:// requests through an HTTP proxy all go to the proxy itself, so their
    origin is the proxy (`is_forwarding`). This class has over 12 attributes, because
    pool, dialler and connector store here what they know about the origin. So one
    lookup finds everything.
    """

    __slots__ = (
        "dials",
        "host",
        "http2",
        "http2_failures",
        "http2_from",
        "idle",
        "is_forwarding",
        "is_http2",
        "open",
        "port",
        "proxy",
        "scheme",
        "tls_session",
        "waiting",
    )

    def __init__(
        self,
        scheme: str,
        host: str,
        port: int,
        proxy: ProxyServer | None = None,
        *,
        is_forwarding: bool = False,
    ) -> None:
        self.scheme, self.host, self.port = scheme, host, port
        #: The proxy of the connections; None for direct connections.
        self.proxy = proxy
        #: Whether request lines contain the whole URL, because the proxy forwards
        #: requests without a tunnel.
        self.is_forwarding = is_forwarding
        #: Transfers that wait for a connection, in order of arrival.
        self.waiting: dict[Transfer, None] = {}
        #: Free HTTP/1.1 connections; the last one was used most recently.
        self.idle: dict[Connection, None] = {}
        #: HTTP/2 connections that accept new streams.
        self.http2: list[Multiplexed] = []
        self.dials: dict[Dialling, None] = {}
        #: Number of open connections.
        self.open = 0
        #: Whether the last handshake chose HTTP/2; None before the first handshake.
        self.is_http2: bool | None = None
        self.http2_failures = 0
        #: The monotonic time from which HTTP/2 is offered again.
        self.http2_from = 0.0
        #: The TLS session of the last connection to this origin. Resuming it halves the
        #: cost of the next handshake.
        self.tls_session: ssl.SSLSession | None = None

    def __repr__(self) -> str:
        return (
            f"<Origin {self.scheme}://{self.host}:{self.port} {self.open} open, "
            f"{len(self.idle)} idle, {len(self.waiting)} waiting>"
        )

    def first_waiting(self, *, is_fresh: bool = True) -> Transfer | None:
        """Remove and return the request that has waited longest for a connection; None
        if no waiting request may use the connection that is free.

        `is_fresh` says whether the free connection is new.
        """
        for transfer in self.waiting:
            # A request whose idle connection has just failed waits for a new
            # connection.
            if is_fresh or not (transfer.wants_fresh and self.dials):
                del self.waiting[transfer]
                return transfer
        return None

    def kept_back(self, is_starved: bool) -> int:
        """Return how many waiting requests cannot be served by the open connections and
        by those that are being opened.

        These are the requests that arrived last. `is_starved` says whether the origin
        waits until another origin closes a connection.
        """
        if self.is_http2 and self.http2:
            is_full = all(connection.is_full for connection in self.http2)
            return len(self.waiting) if is_full and not self.dials else 0
        if self.is_http2 is False or is_starved:
            return max(0, len(self.waiting) - len(self.dials))
        return 0  # the first handshake will show how many connections are needed

    def timeout_error(self, seconds: float | None) -> httpx.TransportError:
        """Return the error for a connection that took too long to open. It is a
        ProxyError if the proxy is at fault."""
        if self.proxy is None or any(dial.is_through for dial in self.dials):
            return httpx.ConnectTimeout(
                f"The connection to {self.host} was not open after {seconds} s"
            )
        to_host = "" if self.is_forwarding else f" to {self.host}"
        return ProxyError(
            f"The proxy {self.proxy} did not connect{to_host} in {seconds} s"
        )

    @property
    def is_unused(self) -> bool:
        return not (self.open or self.waiting or self.dials)
