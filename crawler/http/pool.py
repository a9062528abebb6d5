"""The connections of a transport, by origin; every request finds its own here.

A free connection goes straight to one request. A request that finds none waits, and
a dial is begun on its behalf while the limits allow it. All changes are synchronous:
there is no moment between taking and having at which a cancellation could leak.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import replace
from itertools import islice
from typing import Protocol, cast

import httpx

from crawler.http.errors import OUT_OF_FILES
from crawler.http.options import TransportOptions
from crawler.http.origins import Dialling, Multiplexed, Origin, Statistics
from crawler.http.proxy.server import ProxyServer
from crawler.http.timeout_wheel import NEVER, TimeoutWheel
from crawler.http.transfer import Connection, Transfer

if sys.platform != "win32":
    import resource

__all__ = ["Connect", "Pool"]

_Key = tuple[str, str, int, ProxyServer | None, str]

_KEPT_ORIGINS = 10_000
#: Origins whose TLS sessions are kept: each takes up to 20 kB, with its certificates.
_KEPT_SESSIONS = 500
#: Handshakes at a time with an origin of which it is not known what it speaks.
_MAX_PROBES = 16
#: HTTP/2 connections that break before an origin is spoken to in HTTP/1.1.
_HTTP2_CHANCES = 2
#: How long a connection that was closed may take to be gone.
_GOODBYE_SECONDS = 3.0
#: Open files that are somebody else's: databases, outputs, the loop's own.
_RESERVED_FILES = 32


class Connect(Protocol):
    """Makes the connection of a dial, and calls `dial.adopt` as soon as it is open."""

    async def __call__(self, dial: Dialling, with_http2: bool) -> None: ...


class _Dial:
    """A connection in the making, on behalf of a transfer that may not get it."""

    __slots__ = (
        "_pool",
        "due",
        "is_cancelled",
        "is_late",
        "is_through",
        "origin",
        "task",
        "transfer",
    )

    def __init__(self, pool: Pool, origin: Origin, transfer: Transfer) -> None:
        self._pool = pool
        self.origin, self.transfer = origin, transfer
        self.is_late = self.is_cancelled = self.is_through = False
        seconds = transfer.connect_seconds
        self.due = NEVER if seconds is None else pool.ticker.now + seconds
        # A task of its own: a dial outlives the request that gives up waiting for it.
        self.task = asyncio.get_running_loop().create_task(pool.run_dial(self))
        self.task.add_done_callback(lambda _: pool.dial_ended(self))

    def adopt(self, connection: Connection, is_http2: bool) -> bool:
        return not self.is_cancelled and self._pool.dialled(self, connection, is_http2)

    def expire(self, now: float) -> None:
        self.is_late = True
        self.cancel()

    def cancel(self) -> None:
        # Once: a second time would disturb what is done about the first.
        if not self.is_cancelled:
            self.is_cancelled = True
            self.task.cancel()


class Pool:
    """All connections of a transport.

    `submit` is where a request comes in; the connections report through `connected`,
    `released`, `has_room_again`, `retired` and `lost`.
    """

    def __init__(
        self, options: TransportOptions, protocols: Collection[str], connect: Connect
    ) -> None:
        self.options = options
        self._protocols = protocols
        self.ticker = TimeoutWheel(self._sweep)
        self.statistics = Statistics()
        self._connect = connect
        #: Sockets that the process may have open, as far as is known by now.
        self._files = self._most_files = _spare_files()
        self._origins: OrderedDict[_Key, Origin] = OrderedDict()
        #: Connections that carry nothing, of all origins; the first is the oldest.
        self._idle: OrderedDict[Connection, None] = OrderedDict()
        self._standing: set[Connection] = set()
        #: Connections that say goodbye, and since when.
        self._closing: dict[Connection, float] = {}
        self._dialling = 0
        #: Origins that wait for another one's connection to go.
        self._starved: OrderedDict[Origin, None] = OrderedDict()
        #: Origins that have a TLS session; the first is the one that got it first.
        self._with_session: OrderedDict[Origin, None] = OrderedDict()
        #: Those that were idle before this time are slim.
        self._slimmed = 0.0
        self._is_closed = False

    def __repr__(self) -> str:
        return (
            f"<Pool {len(self._standing)} open, {len(self._idle)} idle, "
            f"{self._dialling} in the making>"
        )

    def origin(
        self,
        scheme: str,
        host: str,
        port: int,
        proxy: ProxyServer | None = None,
        partition: str = "",
    ) -> Origin:
        """Give the place where all that concerns an origin is kept.

        Another proxy or another partition is another origin: they share no connection.
        """
        key = (scheme, host, port, proxy, partition)
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = self._new_origin(scheme, host, port, proxy)
        else:
            self._origins.move_to_end(key)
        return origin

    def _new_origin(
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

    # A request comes

    def submit(self, transfer: Transfer) -> None:
        """Send the transfer on a free connection, or let it wait for one."""
        origin = transfer.origin
        if self._is_closed:
            transfer.fail(httpx.ConnectError("The transport is closed"))
            return
        connection = None if transfer.wants_fresh else self._free_connection(origin)
        if connection is not None:
            self._start(connection, transfer)
            return
        origin.waiting[transfer] = None
        self._grow(origin)
        self._count_waits(origin)

    def _count_waits(self, origin: Origin) -> None:
        """Count, once each, the requests that a limit keeps waiting."""
        for transfer in islice(reversed(origin.waiting), self._kept_waiting(origin)):
            if transfer.has_waited:
                break  # and so have all that came before it
            transfer.has_waited = True
            self.statistics.pool_waits += 1

    def _kept_waiting(self, origin: Origin) -> int:
        """How many, the latest, wait for more than a handshake."""
        if origin.is_http2 and origin.http2:
            is_full = all(connection.is_full for connection in origin.http2)
            return len(origin.waiting) if is_full and not origin.dials else 0
        if origin.is_http2 is False or origin in self._starved:
            return max(0, len(origin.waiting) - len(origin.dials))
        return 0  # the first handshake tells how many more it takes

    def send_again(self, transfer: Transfer) -> None:
        """Send anew what was surely not processed; its caller does not notice."""
        self.statistics.resent += 1
        transfer.resent += 1
        transfer.wait_anew()
        self.submit(transfer)

    def forget(self, transfer: Transfer) -> None:
        """The transfer waits no longer; a dial that nobody needs now is given up."""
        origin = transfer.origin
        if transfer in origin.waiting:
            del origin.waiting[transfer]
            if len(origin.dials) > len(origin.waiting):
                next(reversed(origin.dials)).cancel()

    def _free_connection(self, origin: Origin) -> Connection | None:
        for connection in origin.http2:
            if connection.has_room:
                self._idle.pop(connection, None)
                return connection
        while origin.idle:
            warmest, _ = origin.idle.popitem()
            del self._idle[warmest]
            if not warmest.is_closing:
                return warmest
            self.lost(warmest)  # it is yet to be told so
        return None

    def _start(self, connection: Connection, transfer: Transfer) -> None:
        try:
            connection.start(transfer)
        except httpx.LocalProtocolError as exc:
            # The request cannot be written; the connection has not noticed.
            transfer.fail(exc)
            connection.rest()

    # Connections are made

    def _grow(self, origin: Origin) -> None:
        """Begin the dials that the waiting transfers need, within all limits."""
        while len(origin.dials) < self._wanted_dials(origin):
            if not self._make_place():
                self._starved[origin] = None
                return
            self._dialling += 1
            transfer = _nth(origin.waiting, len(origin.dials))
            dial = _Dial(self, origin, transfer)
            origin.dials[dial] = None
            self.ticker.watch(dial)

    def _wanted_dials(self, origin: Origin) -> int:
        waiting, options = len(origin.waiting), self.options
        if not waiting or self._is_closed:
            return 0
        if origin.is_http2:
            # All wait for the one; its handshake tells how many it carries.
            return int(len(origin.http2) < options.max_http2_per_origin)
        room = options.max_per_origin - origin.open
        if origin.is_http2 is None:
            room = min(room, _MAX_PROBES)
        return min(waiting, room)

    async def run_dial(self, dial: _Dial) -> None:
        """Make one connection."""
        with_http2 = time.monotonic() >= dial.origin.http2_from
        await self._connect(dial, with_http2)

    def dialled(self, dial: _Dial, connection: Connection, is_http2: bool) -> bool:
        """Take the connection of a dial; False if the dial has ended before."""
        if not self._end_dial(dial):
            return False
        self._adopt(connection, is_http2)
        return True

    def dial_ended(self, dial: _Dial) -> None:
        """See to it that the counts are right and nobody waits in vain.

        A task that is cancelled early has run not even its `finally`.
        """
        task, origin = dial.task, dial.origin
        error: Exception | None = None
        if dial.is_late:
            error = origin.timeout_error(dial.transfer.connect_seconds)
        elif not task.cancelled():
            error = _connect_error(task.exception(), origin.host)
        if self._end_dial(dial):
            self._dial_failed(dial, error)

    def _end_dial(self, dial: _Dial) -> bool:
        if dial not in dial.origin.dials:
            return False
        del dial.origin.dials[dial]
        self.ticker.unwatch(dial)
        self._dialling -= 1
        return True

    def _dial_failed(self, dial: _Dial, error: Exception | None) -> None:
        origin, transfer = dial.origin, dial.transfer
        origin.tls_session = None  # it may be what the handshake failed by
        if error is not None and transfer in origin.waiting:
            if _is_out_of_files(error) and (self._used or self._closing):
                self._ran_out_of_files(origin)
                return
            del origin.waiting[transfer]
            transfer.fail(error)
        self._serve_starved()
        self._grow(origin)

    def _ran_out_of_files(self, origin: Origin) -> None:
        """The process has fewer to spare than it said: make do with what is open."""
        self._files = max(1, self._used + len(self._closing))
        self._starved[origin] = None
        self._count_waits(origin)
        self._serve_starved()

    def _adopt(self, connection: Connection, is_http2: bool) -> None:
        origin = connection.origin
        self._standing.add(connection)
        origin.open += 1
        origin.is_http2 = is_http2
        self.statistics.connections += 1
        if is_http2:
            self._adopt_http2(cast(Multiplexed, connection))
        else:
            self.released(connection, is_fresh=True)
            self._grow(origin)
        self._count_waits(origin)

    def _adopt_http2(self, connection: Multiplexed) -> None:
        origin = connection.origin
        for dial in list(origin.dials):
            # They were begun when HTTP/1.1 was to be feared.
            dial.cancel()
        if len(origin.http2) < self.options.max_http2_per_origin:
            origin.http2.append(connection)
            self.has_room_again(connection)
        else:
            connection.close()
            self.lost(connection)

    # Connections report

    def released(self, connection: Connection, *, is_fresh: bool = False) -> None:
        """An HTTP/1.1 connection is free."""
        origin = connection.origin
        if self._is_closed or self._has_to_yield(origin):
            connection.close()
            self.lost(connection)
            return
        waiting = origin.waiting and origin.first_waiting(is_fresh=is_fresh)
        if waiting:
            self._start(connection, waiting)
        else:
            origin.idle[connection] = None
            self._rest(connection)

    def _has_to_yield(self, origin: Origin) -> bool:
        """Whether a place that becomes free is due to another origin."""
        if not self._starved:
            return False
        if not origin.waiting:
            self._starved.pop(origin, None)
        elif origin in self._starved:
            self._starved.move_to_end(origin)
        others = len(self._starved) - (origin in self._starved)
        return others > 0 and (origin.open > 1 or not origin.waiting)

    def has_room_again(self, connection: Multiplexed) -> None:
        """An HTTP/2 connection takes more streams, or carries none."""
        origin = connection.origin
        while (
            origin.waiting and connection.has_room and (first := origin.first_waiting())
        ):
            self._start(connection, first)
        if origin.waiting:
            self._count_waits(origin)
        if connection.is_resting and connection in self._standing:
            if self._is_closed or self._has_to_yield(origin):
                connection.close()
                self.lost(connection)
            else:
                self._rest(connection)

    def _rest(self, connection: Connection) -> None:
        connection.idle_since = self.ticker.now
        self._idle[connection] = None
        self.ticker.start()

    def retired(self, connection: Multiplexed) -> None:
        """An HTTP/2 connection finishes what it carries and takes no more."""
        origin = connection.origin
        if connection in origin.http2:
            origin.http2.remove(connection)
        self._idle.pop(connection, None)
        self._grow(origin)

    def gone(self, connection: Connection) -> None:
        """A connection's socket is closed."""
        self.lost(connection)
        if self._closing.pop(connection, None) is not None:
            self._serve_starved()  # its file is free

    def lost(self, connection: Connection) -> None:
        """A connection is gone, or as good as gone."""
        if connection not in self._standing:
            return
        self._standing.remove(connection)
        self._closing[connection] = self.ticker.now
        self.ticker.start()
        self._idle.pop(connection, None)
        origin = connection.origin
        origin.idle.pop(connection, None)
        if connection in origin.http2:
            origin.http2.remove(connection)
        origin.open -= 1
        self._keep_session(connection)
        self._serve_starved()
        self._grow(origin)

    def _keep_session(self, connection: Connection) -> None:
        """Take over from a connection what lets the next handshake be short."""
        tls = connection.get_extra_info("ssl_object")
        if tls is None:
            return
        origin = connection.origin
        origin.tls_session = tls.session
        self._with_session[origin] = None
        self._with_session.move_to_end(origin)
        if len(self._with_session) > _KEPT_SESSIONS:
            oldest, _ = self._with_session.popitem(last=False)
            oldest.tls_session = None

    def http2_failed(self, origin: Origin) -> None:
        """A connection broke the protocol; the second time HTTP/2 gets a pause."""
        origin.http2_failures += 1
        if origin.http2_failures >= _HTTP2_CHANCES:
            self.avoid_http2(origin)

    def avoid_http2(self, origin: Origin) -> None:
        """Speak HTTP/1.1 to the origin for a while."""
        origin.http2_failures = 0
        if "http/1.1" not in self._protocols:
            return  # there is nothing to fall back to
        origin.http2_from = time.monotonic() + self.options.http2_pause
        origin.is_http2 = False
        self.statistics.fallbacks += 1

    # Room is made

    @property
    def _used(self) -> int:
        return len(self._standing) + self._dialling

    def _has_place(self) -> bool:
        used = self._used
        return used < self.options.max_connections and (
            used + len(self._closing) < self._files
        )

    def _make_place(self) -> bool:
        """Have room for another connection; if need be, the oldest idle one goes."""
        while not self._has_place():
            if not self._idle:
                return False
            if self._closing and self._used < self.options.max_connections:
                return False  # a file will be free in a moment
            oldest = next(iter(self._idle))
            oldest.close()
            self.lost(oldest)
        return True

    def _serve_starved(self) -> None:
        while self._starved and self._make_place():
            origin, _ = self._starved.popitem(last=False)
            self._grow(origin)

    def _sweep(self, now: float) -> bool:
        """Close what was idle for too long; False when there is nothing to look after.

        What was closed keeps its socket until the peer has read what is left for it.
        """
        while self._idle:
            oldest = next(iter(self._idle))
            if oldest.idle_since + self.options.keepalive > now:
                break
            oldest.close()
            self.lost(oldest)
        self._slim_idle(now)
        for key in list(self._origins)[: len(self._origins) - _KEPT_ORIGINS]:
            if self._origins[key].is_unused:
                del self._origins[key]
        if self._files < self._most_files:
            # It was others, perhaps, who had them open.
            self._files = min(2 * self._files, self._most_files)
            self._serve_starved()
        for connection, since in list(self._closing.items()):
            if since + _GOODBYE_SECONDS <= now:
                connection.abort()
        return bool(self._idle or self._closing)

    def _slim_idle(self, now: float) -> None:
        """Let those that became idle a second ago, and stayed so, take less memory."""
        settled = now - 1.0
        for connection in reversed(self._idle):
            if connection.idle_since <= self._slimmed:
                break
            if connection.idle_since <= settled:
                connection.slim()
        self._slimmed = settled

    def snapshot(self, lookups: int) -> Statistics:
        """Give the numbers as of now, with one that others count."""
        return replace(
            self.statistics,
            lookups=lookups,
            open_connections=len(self._standing),
            idle_connections=len(self._idle),
            http_versions=Counter(self.statistics.http_versions),
        )

    async def aclose(self) -> None:
        """Give up all dials and connections; what they carry fails."""
        self._is_closed = True
        dials = [dial for origin in self._origins.values() for dial in origin.dials]
        for origin in self._origins.values():
            for transfer in list(origin.waiting):
                transfer.stop(httpx.ConnectError("The transport is closed"))
        for connection in [*self._standing, *self._closing]:
            connection.abort()
        for dial in dials:
            dial.cancel()
        await asyncio.gather(*(dial.task for dial in dials), return_exceptions=True)
        self._origins.clear()
        self._with_session.clear()
        self.ticker.stop()


def _connect_error(cause: BaseException | None, host: str) -> Exception:
    if isinstance(cause, httpx.TransportError):
        return cause
    error = httpx.ConnectError(f"No connection to {host}: {cause}")
    error.__cause__ = cause
    return error


def _nth(waiting: dict[Transfer, None], index: int) -> Transfer:
    return next(islice(waiting, index, None), next(iter(waiting)))


def _spare_files() -> int:
    """How many sockets may be open, going by the process's limit of open files."""
    if sys.platform == "win32":
        return 2**31
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 2**31
    return max(1, soft - _RESERVED_FILES)


def _is_out_of_files(error: Exception) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in OUT_OF_FILES
