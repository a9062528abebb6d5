"""The connections of a transport: gives each request a connection.

If a connection is free, a request gets it at once. Otherwise the request waits, and a
dial (a connection that is being opened) is started if the limits allow one. All changes
are synchronous, so that a cancellation never finds a connection between two owners.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Collection
from itertools import islice
from typing import cast

import httpx
import msgspec

from crawler.http.dialler import Connect, Dialler
from crawler.http.failed_reuse import FailedReuse
from crawler.http.idle_connections import IdleConnections
from crawler.http.options import TransportOptions
from crawler.http.origin_table import OriginTable
from crawler.http.origins import Multiplexed, Origin, Statistics
from crawler.http.places import ConnectionPlaces
from crawler.http.timeout_wheel import TimeoutWheel
from crawler.http.tls_sessions import TlsSessions
from crawler.http.transfer import Connection, Transfer

__all__ = ["Pool"]

#: After this number of HTTP/2 connections that broke the protocol, HTTP/1.1 is used
#: with an origin.
_HTTP2_CHANCES = 2
#: Seconds that a closed connection may keep its socket, to send the rest of its data.
_GOODBYE_SECONDS = 3.0


class Pool:
    """All connections of a transport.

    Requests arrive by `submit`. Connections report by `released`, `has_room_again`,
    `retired`, `lost` and `gone`. This class has over 15 methods, because transport,
    transfers, connections and dials all meet here. Classes of their own keep the
    origins, idle connections, limits, dials and TLS sessions.
    """

    def __init__(
        self, options: TransportOptions, protocols: Collection[str], connect: Connect
    ) -> None:
        self.options = options
        self.ticker = TimeoutWheel(self._sweep)
        self.statistics = Statistics()
        self.origins = OriginTable(protocols)
        self.is_closed = False
        self._protocols = protocols
        self._idle = IdleConnections(self.ticker)
        self._places = ConnectionPlaces(options.max_connections)
        self._dialler = Dialler(self, self._places, connect)
        self._sessions = TlsSessions()
        self._failed_reuse = FailedReuse()
        #: Origins that wait until another origin closes a connection, the longest wait
        #: first.
        self._starved: OrderedDict[Origin, None] = OrderedDict()

    def __repr__(self) -> str:
        places = self._places
        return (
            f"<Pool {len(places.open)} open, {len(self._idle)} idle, "
            f"{places.dials} being opened>"
        )

    def keep_to(self, options: TransportOptions) -> None:
        """From now on, use the limits in these options; called before the first
        request."""
        self.options = options
        self._places.max_connections = options.max_connections

    # Methods that the transport and the requests in flight call

    def submit(self, transfer: Transfer) -> None:
        """Send a request on a free connection, or queue the request until a connection
        is free."""
        origin = transfer.origin
        if self.is_closed:
            why = "The HTTP client is closed, so the request cannot be sent"
            transfer.fail(httpx.ConnectError(why))
            return
        if self._failed_reuse.takes(transfer):
            transfer.wants_fresh = True
        connection = None if transfer.wants_fresh else self._free_connection(origin)
        if connection is not None:
            _start(connection, transfer)
            return
        origin.waiting[transfer] = None
        transfer.clock.wait()
        if transfer.wants_fresh and origin.open >= self.options.max_per_origin:
            for oldest in [*origin.idle][:1]:
                # the new connection takes the place of the oldest idle one
                self._close(oldest)
        self._dialler.grow(origin)
        self.count_waits(origin)

    def count_waits(self, origin: Origin) -> None:
        """Count the origin's requests that wait because of a limit on connections. Each
        request is counted once."""
        is_starved = origin in self._starved
        for transfer in islice(reversed(origin.waiting), origin.kept_back(is_starved)):
            if transfer.has_waited:
                break  # all earlier requests were counted before
            transfer.has_waited = True
            self.statistics.pool_waits += 1

    def send_again(self, transfer: Transfer) -> None:
        """Send a request again on another connection; its caller does not notice."""
        self.statistics.resent += 1
        transfer.resent += 1
        transfer.wait_anew()
        self.submit(transfer)

    def failed_reuse(self, transfer: Transfer) -> None:
        """Record that a request failed on a dead idle connection, and must not be
        repeated automatically."""
        self._failed_reuse.note(transfer)

    def forget(self, transfer: Transfer) -> None:
        """Remove a request that waits for a connection, and cancel a dial (a connection
        that is being opened) if it is no longer needed."""
        origin = transfer.origin
        if transfer in origin.waiting:
            del origin.waiting[transfer]
            if len(origin.dials) > len(origin.waiting):
                next(reversed(origin.dials)).cancel()

    def _free_connection(self, origin: Origin) -> Connection | None:
        for connection in origin.http2:
            if connection.has_room:
                self._idle.discard(connection)
                return connection
        while origin.idle:
            warmest, _ = origin.idle.popitem()
            self._idle.discard(warmest)
            if not warmest.is_closing:
                return warmest
            self.lost(warmest)  # asyncio calls its `connection_lost` only later
        return None

    # Methods for new connections

    def adopt(self, connection: Connection, is_http2: bool) -> None:
        """Add a new connection, and send waiting requests on it."""
        origin = connection.origin
        self._places.open.add(connection)
        origin.open += 1
        origin.is_http2 = is_http2
        self.statistics.connections += 1
        if is_http2:
            self._adopt_http2(cast(Multiplexed, connection))
        else:
            self.released(connection, is_fresh=True)
            self._dialler.grow(origin)
        self.count_waits(origin)

    def _adopt_http2(self, connection: Multiplexed) -> None:
        origin = connection.origin
        for dial in list(origin.dials):
            # Cancel the other connections: they were being opened in case the server
            # speaks only HTTP/1.1.
            dial.cancel()
        if len(origin.http2) < self.options.max_http2_per_origin:
            origin.http2.append(connection)
            self.has_room_again(connection)
        else:
            self._close(connection)

    # Methods by which connections report changes

    def released(self, connection: Connection, *, is_fresh: bool = False) -> None:
        """Take back an HTTP/1.1 connection that is free."""
        origin = connection.origin
        if self.is_closed or self._has_to_yield(origin):
            self._close(connection)
            return
        waiting = origin.waiting and origin.first_waiting(is_fresh=is_fresh)
        if waiting:
            _start(connection, waiting)
        else:
            origin.idle[connection] = None
            self._idle.add(connection)

    def has_room_again(self, connection: Multiplexed) -> None:
        """Send waiting requests on an HTTP/2 connection that accepts more streams.

        If no stream is open afterwards, the connection is kept as an idle one.
        """
        origin = connection.origin
        while (
            origin.waiting and connection.has_room and (first := origin.first_waiting())
        ):
            _start(connection, first)
        if origin.waiting:
            self.count_waits(origin)
        if connection.is_resting and connection in self._places.open:
            if self.is_closed or self._has_to_yield(origin):
                self._close(connection)
            else:
                self._idle.add(connection)

    def retired(self, connection: Multiplexed) -> None:
        """Stop using an HTTP/2 connection that opens no more streams; open another one
        if requests wait."""
        origin = connection.origin
        if connection in origin.http2:
            origin.http2.remove(connection)
        self._idle.discard(connection)
        self._dialler.grow(origin)

    def lost(self, connection: Connection) -> None:
        """Remove a connection that is closed or about to close, so that another
        connection may be opened."""
        places = self._places
        if connection not in places.open:
            return
        places.open.remove(connection)
        places.closing[connection] = self.ticker.now
        self.ticker.start()
        self._idle.discard(connection)
        origin = connection.origin
        origin.idle.pop(connection, None)
        if connection in origin.http2:
            origin.http2.remove(connection)
        origin.open -= 1
        self._sessions.keep(connection)
        self.serve_starved()
        self._dialler.grow(origin)

    def gone(self, connection: Connection) -> None:
        """Record that a connection's socket is closed, so that its file descriptor is
        free."""
        self.lost(connection)
        if self._places.closing.pop(connection, None) is not None:
            self.serve_starved()

    def _close(self, connection: Connection) -> None:
        connection.close()
        self.lost(connection)

    def http2_failed(self, origin: Origin) -> None:
        """Count an HTTP/2 connection that broke the protocol. After the second such
        connection, use HTTP/1.1 with the origin."""
        origin.http2_failures += 1
        if origin.http2_failures >= _HTTP2_CHANCES:
            self.avoid_http2(origin)

    def avoid_http2(self, origin: Origin) -> None:
        """Use HTTP/1.1 with the origin for some minutes."""
        origin.http2_failures = 0
        if "http/1.1" not in self._protocols:
            return  # without HTTP/1.1 there is no fallback
        origin.http2_from = time.monotonic() + self.options.http2_pause
        origin.is_http2 = False
        self.statistics.fallbacks += 1

    # Sharing the limit on connections among origins

    def make_place(self) -> bool:
        """Return whether another connection may be opened.

        If the limits are reached, close the connection that has been idle for longest.
        """
        places = self._places
        while not places.is_free:
            if not self._idle:
                return False
            if places.closing and places.is_below_limit:
                return False  # a closing connection will free a file in a moment
            self._close(self._idle.oldest())
        return True

    def starve(self, origin: Origin) -> None:
        """Let an origin wait until another origin closes a connection, because a limit
        on connections is reached."""
        self._starved[origin] = None

    def serve_starved(self) -> None:
        """Open connections for origins that waited until another origin closed a
        connection."""
        while self._starved and self.make_place():
            origin, _ = self._starved.popitem(last=False)
            self._dialler.grow(origin)

    def _has_to_yield(self, origin: Origin) -> bool:
        """Return whether the origin must close its free connection, because another
        origin waits to open a connection."""
        if not self._starved:
            return False
        if not origin.waiting:
            self._starved.pop(origin, None)
        elif origin in self._starved:
            self._starved.move_to_end(origin)
        others = len(self._starved) - (origin in self._starved)
        return others > 0 and (origin.open > 1 or not origin.waiting)

    # Cleanup: once a second, and at the end

    def _sweep(self, now: float) -> bool:
        """Close connections that were idle for too long; return False if no connection
        is left to check.

        Also abort connections that were closed some seconds ago, if the peer has not
        read the rest of their data.
        """
        while connection := self._idle.expired(now, self.options.keepalive):
            self._close(connection)
        self._idle.slim(now)
        self.origins.forget_unused()
        if self._places.recover():
            self.serve_starved()
        closing = self._places.closing
        for connection, since in list(closing.items()):
            if since + _GOODBYE_SECONDS <= now:
                connection.abort()
        return bool(self._idle or closing)

    def snapshot(self, lookups: int) -> Statistics:
        """Return the current counters. `lookups` is the resolver's number of name
        lookups."""
        return msgspec.structs.replace(
            self.statistics,
            lookups=lookups,
            open_connections=len(self._places.open),
            idle_connections=len(self._idle),
            is_short_of_files=self._places.is_short_of_files,
            http_versions=Counter(self.statistics.http_versions),
        )

    async def aclose(self) -> None:
        """Close all connections, also those that are being opened. The requests on them
        fail."""
        self.is_closed = True
        dials = [dial for origin in self.origins for dial in origin.dials]
        for origin in self.origins:
            for transfer in list(origin.waiting):
                why = "The HTTP client was closed during the request"
                transfer.stop(httpx.ConnectError(why))
        for connection in [*self._places.open, *self._places.closing]:
            connection.abort()
        for dial in dials:
            dial.cancel()
        await asyncio.gather(*(dial.task for dial in dials), return_exceptions=True)
        self.origins.clear()
        self._sessions.clear()
        self.ticker.stop()


def _start(connection: Connection, transfer: Transfer) -> None:
    try:
        connection.start(transfer)
    except httpx.LocalProtocolError as exc:
        # The request is invalid, so it cannot be written. The connection has sent
        # nothing, so only the request fails.
        transfer.fail(exc)
        connection.rest()
