"""From an origin to a connection that speaks its protocol.

This is the one place where an address is allowed or refused: what was checked is what
is dialled, after every redirect and every answer of the DNS.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import httpx
from aiohappyeyeballs import start_connection

from crawler.http.errors import (
    OUT_OF_FILES,
    BlockedAddressError,
    BlockedPortError,
    BrokenOffError,
    RefusedError,
    TlsError,
)
from crawler.http.h1.connection import Http1Connection
from crawler.http.h2.connection import Http2Connection
from crawler.http.options import TransportOptions
from crawler.http.origins import Origin
from crawler.http.pool import Pool
from crawler.http.resolver import Resolver
from crawler.http.transfer import Connection
from crawler.web.addresses import Address, is_public

__all__ = ["Connector"]

#: RFC 8305 section 5: how long one address is tried before the next one joins.
_STAGGER_SECONDS = 0.25
#: How long a closing TLS connection waits for the peer to say goodbye as well.
_GOODBYE_SECONDS = 2.0

#: Takes the connection, and whether it is HTTP/2; False if nobody wants it.
Adopt = Callable[[Connection, bool], bool]


class Connector:
    """Dials: name, address, socket, TLS, protocol."""

    def __init__(
        self,
        context: ssl.SSLContext,
        protocols: Sequence[str],
        options: TransportOptions,
        resolver: Resolver,
    ) -> None:
        #: Set by the transport: the two know each other.
        self.pool: Pool
        self._context = context
        #: What is spoken, best first: "h2", "http/1.1".
        self._protocols = list(protocols)
        self._options = options
        self._resolver = resolver

    async def connect(self, origin: Origin, with_http2: bool, adopt: Adopt) -> None:
        """Make a connection and hand it to `adopt`, or raise httpx.TransportError."""
        if origin.port in self._options.bad_ports:
            raise BlockedPortError(f"Port {origin.port} is not a port for HTTP")
        addresses = await self._allowed(origin.host)
        try:
            connected = await self._race(addresses, origin.port)
        except OSError as exc:
            raise _connect_error(exc, origin) from exc
        try:
            await self._speak(connected, origin, with_http2, adopt)
        except ssl.SSLError as exc:
            raise TlsError(f"{origin.host}: {exc}") from exc
        except OSError as exc:
            raise _connect_error(exc, origin) from exc

    async def _allowed(self, host: str) -> list[Address]:
        addresses = await self._resolver.addresses(host)
        if self._options.allow_private(host):
            return list(addresses)
        allowed = [address for address in addresses if is_public(address)]
        if not allowed:
            raise BlockedAddressError(
                f"{host} leads to an address that is not public, {addresses[0]}; "
                "private_networks names hosts that may have one"
            )
        return allowed

    async def _race(self, addresses: list[Address], port: int) -> socket.socket:
        return await start_connection(
            [_addr_info(address, port) for address in addresses],
            happy_eyeballs_delay=_STAGGER_SECONDS,
            interleave=1,
        )

    async def _speak(
        self, connected: socket.socket, origin: Origin, with_http2: bool, adopt: Adopt
    ) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls: dict[str, Any] = {}
        # Where nothing but HTTP/2 is spoken there is nothing to fall back to.
        offers = [
            name for name in self._protocols if with_http2 or name != "h2"
        ] or self._protocols
        if origin.scheme == "https":
            tls = {
                "ssl": cast(
                    ssl.SSLContext, _Offering(self._context, offers, origin.tls_session)
                ),
                "server_hostname": origin.host.rstrip("."),
                "ssl_shutdown_timeout": _GOODBYE_SECONDS,
                # The pool's own timer ends a handshake that takes too long.
                "ssl_handshake_timeout": 3600.0,
            }
        default = "h2" if offers == ["h2"] else "http/1.1"

        def begin() -> _Negotiation:
            return _Negotiation(self.pool, origin, default, adopt)

        loop = asyncio.get_running_loop()
        making = loop.create_task(loop.create_connection(begin, sock=connected, **tls))
        try:
            await asyncio.wait([making])
        except asyncio.CancelledError:
            # Cancelled itself, asyncio may lose sight of a socket in its handshake.
            # Without its peer the handshake fails at once, and cleans up.
            if not making.done():
                with suppress(OSError):
                    connected.shutdown(socket.SHUT_RDWR)
                await asyncio.wait([making])
            raise
        finally:
            _settle(making, connected)
        making.result()


def _settle(
    making: asyncio.Task[tuple[asyncio.Transport, _Negotiation]],
    connected: socket.socket,
) -> None:
    """Leave neither a connection that nobody wants nor a socket that is closed."""
    if not making.done():
        return  # cancelled twice: the loop goes down
    if making.exception() is None:
        transport, negotiation = making.result()
        if not negotiation.is_adopted:
            transport.abort()
    if not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
        # uvloop closes the file below the socket by itself, at times before it knows
        # the socket: its number may then be another connection's when that is closed.
        connected.detach()


class _Negotiation(asyncio.Protocol):
    """Stands in until it is known what the peer speaks, which is at once."""

    def __init__(self, pool: Pool, origin: Origin, default: str, adopt: Adopt) -> None:
        self._pool = pool
        self._origin = origin
        self._default = default
        self._adopt = adopt
        self.is_adopted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls = transport.get_extra_info("ssl_object")
        agreed = tls.selected_alpn_protocol() if tls is not None else None
        is_http2 = (agreed or self._default) == "h2"
        kind = Http2Connection if is_http2 else Http1Connection
        connection = kind(self._pool, self._origin)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        self.is_adopted = self._adopt(connection, is_http2)


class _Offering:
    """A shared SSLContext, for one handshake: what it offers, what it goes on from.

    The offers are a property of the context. They are set and used in one step, so
    that origins in HTTP/1.1 and others can share its certificates and its memory.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        protocols: list[str],
        session: ssl.SSLSession | None,
    ) -> None:
        self._context = context
        self._protocols = protocols
        self._session = session

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, **kwargs: Any
    ) -> ssl.SSLObject:
        self._context.set_alpn_protocols(self._protocols)
        kwargs["session"] = self._session
        return self._context.wrap_bio(incoming, outgoing, **kwargs)


def _addr_info(address: Address, port: int) -> tuple[int, int, int, str, Any]:
    if address.version == 4:
        place: tuple[Any, ...] = (str(address), port)
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)
    place = (str(address), port, 0, 0)
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)


def _connect_error(exc: OSError, origin: Origin) -> httpx.TransportError:
    message = f"{origin.host}:{origin.port}: {exc}"
    if exc.errno in OUT_OF_FILES:
        return httpx.ConnectError(f"{message}; ulimit -n allows more")
    if isinstance(exc, ConnectionRefusedError):
        return RefusedError(message)
    if isinstance(exc, ConnectionResetError | BrokenPipeError):
        what = str(exc) or "the server hung up"
        phase = "in the TLS handshake" if origin.scheme == "https" else "at once"
        return BrokenOffError(f"{origin.host}:{origin.port}: {what} {phase}")
    if isinstance(exc, TimeoutError):
        return httpx.ConnectTimeout(message)
    return httpx.ConnectError(message)
