"""Opens connections. A "dial" is one connection that is being opened, in a task of its
own."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from typing import Protocol

import httpx

from crawler.http.errors import OUT_OF_FILES
from crawler.http.options import TransportOptions
from crawler.http.origins import Dialling, Origin
from crawler.http.places import ConnectionPlaces
from crawler.http.timeout_wheel import NEVER, TimeoutWheel
from crawler.http.transfer import Connection, Transfer

__all__ = ["Connect", "Dialler"]

#: Maximum number of simultaneous handshakes with an origin, while it is unknown whether
#: the origin speaks HTTP/2.
_MAX_PROBES = 16


class Connect(Protocol):
    """A function that opens the connection of a dial (an attempt to connect), and calls
    `dial.adopt` as soon as the connection is open."""

    async def __call__(self, dial: Dialling, with_http2: bool) -> None: ...


class DialHome(Protocol):
    """The methods of the connection pool (pool.py) that the dialler calls."""

    options: TransportOptions
    ticker: TimeoutWheel
    is_closed: bool

    def make_place(self) -> bool: ...

    def starve(self, origin: Origin) -> None: ...

    def count_waits(self, origin: Origin) -> None: ...

    def adopt(self, connection: Connection, is_http2: bool) -> None: ...

    def serve_starved(self) -> None: ...


class _Dial:
    """A connection that is being opened for one request, but may then carry another
    request."""

    __slots__ = (
        "_dialler",
        "due",
        "is_cancelled",
        "is_late",
        "is_through",
        "origin",
        "task",
        "transfer",
    )

    def __init__(
        self, dialler: Dialler, origin: Origin, transfer: Transfer, now: float
    ) -> None:
        self._dialler = dialler
        self.origin, self.transfer = origin, transfer
        self.is_late = self.is_cancelled = self.is_through = False
        seconds = transfer.clock.seconds("connect")
        self.due = NEVER if seconds is None else now + seconds
        # Use a task, because the connection is still opened if the request stops
        # waiting for it.
        self.task = asyncio.get_running_loop().create_task(dialler.run(self))
        self.task.add_done_callback(lambda _: dialler.ended(self))

    def adopt(self, connection: Connection, is_http2: bool) -> bool:
        if self.is_cancelled:
            return False
        return self._dialler.connected(self, connection, is_http2)

    def expire(self, now: float) -> None:
        self.is_late = True
        self.cancel()

    def cancel(self) -> None:
        # Cancel the task only once, because a second cancellation would disturb the
        # cleanup after the first.
        if not self.is_cancelled:
            self.is_cancelled = True
            self.task.cancel()


class Dialler:
    """Starts dials (connections that are being opened) for waiting requests, and
    handles the success or failure of each dial."""

    __slots__ = ("_connect", "_home", "_places")

    def __init__(
        self, home: DialHome, places: ConnectionPlaces, connect: Connect
    ) -> None:
        self._home = home
        self._places = places
        self._connect = connect

    def grow(self, origin: Origin) -> None:
        """Start to open the connections that the requests waiting for this origin need,
        within the limits on connections."""
        home = self._home
        while len(origin.dials) < self._wanted(origin):
            if not home.make_place():
                home.starve(origin)
                return
            self._places.dials += 1
            transfer = _nth(origin.waiting, len(origin.dials))
            dial = _Dial(self, origin, transfer, home.ticker.now)
            origin.dials[dial] = None
            home.ticker.watch(dial)

    def _wanted(self, origin: Origin) -> int:
        waiting, options = len(origin.waiting), self._home.options
        if not waiting or self._home.is_closed:
            return 0
        if origin.is_http2:
            # One HTTP/2 connection may carry all waiting requests. The server's
            # SETTINGS frame will show how many it allows.
            return int(len(origin.http2) < options.max_http2_per_origin)
        room = options.max_per_origin - origin.open
        if origin.is_http2 is None:
            room = min(room, _MAX_PROBES)
        return min(waiting, room)

    async def run(self, dial: _Dial) -> None:
        """Open the connection of a dial (one connection that is being opened)."""
        await self._connect(dial, time.monotonic() >= dial.origin.http2_from)

    def connected(self, dial: _Dial, connection: Connection, is_http2: bool) -> bool:
        """Pass a newly opened connection to the pool. Return False if the attempt to
        open it has already ended, such as by a timeout."""
        if not self._end(dial):
            return False
        self._home.adopt(connection, is_http2)
        return True

    def ended(self, dial: _Dial) -> None:
        """Record that an attempt to connect has ended. If it failed, its request fails.

        This runs as the task's done callback, because a task that is cancelled early
        does not even run its `finally`.
        """
        task, origin = dial.task, dial.origin
        error: Exception | None = None
        if dial.is_late:
            error = origin.timeout_error(dial.transfer.clock.seconds("connect"))
        elif not task.cancelled():
            error = _connect_error(task.exception(), origin.host)
        if self._end(dial):
            self._failed(dial, error)

    def _end(self, dial: _Dial) -> bool:
        if dial not in dial.origin.dials:
            return False
        del dial.origin.dials[dial]
        self._home.ticker.unwatch(dial)
        self._places.dials -= 1
        return True

    def _failed(self, dial: _Dial, error: Exception | None) -> None:
        origin, transfer = dial.origin, dial.transfer
        origin.tls_session = None  # the stored TLS session may have caused the failure
        if error is not None and transfer in origin.waiting:
            if _is_out_of_files(error) and (self._places.used or self._places.closing):
                # The process can open no more files: continue with the open
                # connections.
                self._places.run_out()
                self._home.starve(origin)
                self._home.count_waits(origin)
                self._home.serve_starved()
                return
            del origin.waiting[transfer]
            transfer.fail(error)
        self._home.serve_starved()
        self.grow(origin)


def _connect_error(cause: BaseException | None, host: str) -> Exception:
    if isinstance(cause, httpx.TransportError):
        return cause
    error = httpx.ConnectError(f"The connection to {host} failed: {cause}")
    error.__cause__ = cause
    return error


def _nth(waiting: dict[Transfer, None], index: int) -> Transfer:
    return next(islice(waiting, index, None), next(iter(waiting)))


def _is_out_of_files(error: Exception) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in OUT_OF_FILES
