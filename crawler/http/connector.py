"""Opens a connection to an origin, directly or through a proxy.

The address guard checks every direct connection here. The connection goes to exactly
the checked address, so neither a redirect nor a changed DNS answer can evade the check.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import httpx
from aiohappyeyeballs import start_connection

from crawler.http import proxy as tunnels
from crawler.http.address_guard import AddressGuard
from crawler.http.errors import (
    OUT_OF_FILES,
    BrokenOffError,
    ProxyError,
    RefusedError,
    TlsError,
)
from crawler.http.handshake import Negotiation, Offer
from crawler.http.open_files import how_to_raise
from crawler.http.origins import Dialling, Origin
from crawler.http.pool import Pool
from crawler.http.proxy.server import ProxyServer
from crawler.http.resolver import NameResolver
from crawler.http.tls import older_version
from crawler.web.addresses import Address

__all__ = ["Connector"]

#: Seconds for which one address is tried alone, before the next address is tried at the
#: same time (RFC 8305 section 5).
_STAGGER_SECONDS = 0.25


class Connector:
    """Opens connections: looks up the name, checks the addresses, connects a socket,
    opens the proxy's tunnel, and starts TLS and HTTP."""

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        protocols: Sequence[str],
        guard: AddressGuard,
        resolver: NameResolver,
    ) -> None:
        #: The pool that receives the connections. The transport sets it later, because
        #: pool and connector refer to each other.
        self.pool: Pool
        self._context = context
        #: Protocols to offer, best first: "h2", "http/1.1".
        self._protocols = list(protocols)
        self._guard = guard
        self._resolver = resolver

    async def connect(self, dial: Dialling, with_http2: bool) -> None:
        """Open the connection of a dial (a connection that is being opened), and pass
        it to `dial.adopt`.

        Raises httpx.TransportError if the connection cannot be opened.
        """
        origin, proxy = dial.origin, dial.origin.proxy
        if proxy is None:
            connected = await self._reach(origin)
        else:
            connected = await self._reach_proxy(proxy)
        try:
            await self._speak(connected, dial, self._offers(origin, with_http2))
        except (OSError, ProxyError) as exc:
            if proxy is not None and (origin.is_forwarding or not dial.is_through):
                raise _proxy_failed(proxy, exc) from exc
            if proxy is None and (version := await self._older_version(exc, origin)):
                raise TlsError(
                    f"The server {origin.host} supports at most {version}, but "
                    "the crawler needs TLS 1.2 or later"
                ) from exc
            raise _handshake_failed(origin, exc) from exc

    async def _older_version(self, exc: Exception, origin: Origin) -> str:
        """Return the server's TLS version if the server closed our handshake because
        that version is too old; else ""."""
        if origin.scheme != "https" or not isinstance(exc, ConnectionResetError):
            return ""
        try:
            connected = await self._reach(origin)
        except httpx.TransportError:
            return ""
        return await older_version(connected, origin.host.rstrip("."))

    async def _reach(self, origin: Origin) -> socket.socket:
        self._guard.check_port(origin.port)
        addresses = await self._resolver.addresses(origin.host)
        allowed = self._guard.allowed(origin.host, addresses)
        try:
            return await _race(allowed, origin.port)
        except OSError as exc:
            raise _connect_error(exc, origin) from exc

    async def _reach_proxy(self, proxy: ProxyServer) -> socket.socket:
        # A person named the proxy, so it may have a private address.
        try:
            addresses = await self._resolver.addresses(proxy.host)
            return await _race(addresses, proxy.port)
        except (OSError, httpx.TransportError) as exc:
            raise _proxy_failed(proxy, exc) from exc

    def _offers(self, origin: Origin, with_http2: bool) -> list[str]:
        if origin.is_forwarding:
            return ["http/1.1"]
        # If the settings allow only HTTP/2, offer it even after HTTP/2 errors of this
        # origin.
        return [
            name for name in self._protocols if with_http2 or name != "h2"
        ] or self._protocols

    async def _speak(
        self, connected: socket.socket, dial: Dialling, offers: list[str]
    ) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        negotiation = Negotiation(self.pool, dial, offers)
        making = asyncio.get_running_loop().create_task(
            self._open(connected, dial, negotiation, offers)
        )
        try:
            await asyncio.wait([making])
        except asyncio.CancelledError:
            # A cancelled asyncio handshake may leak its socket. If the socket is shut
            # down, the handshake fails at once and cleans up.
            if not making.done():
                with suppress(OSError):
                    connected.shutdown(socket.SHUT_RDWR)
                await asyncio.wait([making])
            raise
        finally:
            _settle(making, negotiation, connected)
        making.result()

    async def _open(
        self,
        connected: socket.socket,
        dial: Dialling,
        negotiation: Negotiation,
        offers: list[str],
    ) -> None:
        """Start HTTP on a connected socket.

        If needed, the proxy's tunnel is opened first, and then TLS is started.
        """
        origin, proxy = dial.origin, dial.origin.proxy
        tls: dict[str, Any] = {}

        def offer() -> Offer:
            return Offer(self._context(), origin.host, offers, origin.tls_session)

        if proxy is None:
            if origin.scheme == "https":
                tls = offer().arguments()
            await _connect(negotiation, connected, tls)
            return
        if proxy.scheme == "https":
            context = proxy.context or self._context()
            session = origin.tls_session if origin.is_forwarding else None
            tls = Offer(context, proxy.host, ["http/1.1"], session).arguments()
        if origin.is_forwarding:
            await _connect(negotiation, connected, tls)
            return
        wire = tunnels.ProxyWire()
        await _connect(wire, connected, tls)
        try:
            await _go_through(wire, dial, negotiation, offer)
        except BaseException:
            wire.transport.abort()
            raise


async def _race(addresses: Sequence[Address], port: int) -> socket.socket:
    return await start_connection(
        [_addr_info(address, port) for address in addresses],
        happy_eyeballs_delay=_STAGGER_SECONDS,
        interleave=1,
    )


async def _connect(
    protocol: asyncio.Protocol, connected: socket.socket, tls: dict[str, Any]
) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: protocol, sock=connected, **tls)


async def _go_through(
    wire: tunnels.ProxyWire,
    dial: Dialling,
    negotiation: Negotiation,
    offer: Callable[[], Offer],
) -> None:
    """Open the proxy's tunnel, and start TLS (for https) and HTTP with the target in
    the tunnel."""
    origin = dial.origin
    assert origin.proxy is not None
    has_body = await tunnels.open_tunnel(wire, origin.proxy, origin.host, origin.port)
    early = wire.take_rest()
    if origin.scheme == "http":
        dial.is_through = True
        wire.transport.set_protocol(negotiation)
        if early:
            negotiation.data_received(early)
        negotiation.begin(wire.transport)
        return
    if early:
        raise ProxyError(
            "The proxy sent data after it opened the tunnel, before the TLS handshake; "
            "use another proxy"
        )
    dial.is_through = True
    try:
        transport = await offer().start_tls(wire.transport, negotiation)
    except ssl.SSLError as exc:
        if has_body:
            dial.is_through = False
            raise ProxyError(
                "The proxy answered CONNECT with a page of its own instead of a "
                "tunnel; read this page in a browser, or use another proxy"
            ) from exc
        raise
    negotiation.begin(transport)


def _settle(
    making: asyncio.Task[None], negotiation: Negotiation, connected: socket.socket
) -> None:
    """Clean up after an attempt to connect: close the connection if the pool has not
    accepted it, and leave no socket open."""
    if not making.done():
        return  # a second cancellation: the event loop is shutting down
    # Retrieve the exception, so that asyncio does not report it as unhandled.
    if not making.cancelled():
        making.exception()
    if negotiation.transport is not None and not negotiation.is_adopted:
        negotiation.transport.abort()
    if not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
        # uvloop closes the file descriptor itself, sometimes before the transport knows
        # the socket. Closing the socket object could then close another connection's
        # descriptor.
        connected.detach()


def _addr_info(address: Address, port: int) -> tuple[int, int, int, str, Any]:
    if address.version == 4:
        place: tuple[Any, ...] = (str(address), port)
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)
    place = (str(address), port, 0, 0)
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)


def _handshake_failed(origin: Origin, exc: Exception) -> Exception:
    if isinstance(exc, ssl.SSLError):
        return TlsError(f"The TLS handshake with {origin.host} failed: {exc}")
    return _connect_error(exc, origin) if isinstance(exc, OSError) else exc


def _connect_error(exc: OSError, origin: Origin) -> httpx.TransportError:
    host = f"{origin.host}:{origin.port}"
    message = f"The connection to {host} failed: {exc}"
    if exc.errno in OUT_OF_FILES:
        message += f"; {how_to_raise(exc.errno)}"
    if isinstance(exc, ConnectionRefusedError):
        return RefusedError(message)
    if isinstance(exc, ConnectionResetError | BrokenPipeError):
        cause = str(exc) or "the server closed the connection"
        step = "the TLS handshake" if origin.scheme == "https" else "the start of HTTP"
        return BrokenOffError(f"The connection to {host} broke in {step}: {cause}")
    if isinstance(exc, TimeoutError):
        return httpx.ConnectTimeout(message)
    return httpx.ConnectError(message)


def _proxy_failed(proxy: ProxyServer, exc: Exception) -> httpx.TransportError:
    if isinstance(exc, OSError) and exc.errno in OUT_OF_FILES:
        advice = how_to_raise(exc.errno)
        return httpx.ConnectError(
            f"The connection to the proxy {proxy} failed: {exc}; {advice}"
        )
    if isinstance(exc, ProxyError):
        message = str(exc).replace("The proxy", f"The proxy {proxy}", 1)
        return ProxyError(message, status=exc.status, is_final=exc.is_final)
    if isinstance(exc, ssl.SSLError):
        return ProxyError(f"The TLS handshake with the proxy {proxy} failed: {exc}")
    if isinstance(exc, ConnectionResetError | BrokenPipeError):
        return ProxyError(f"The proxy {proxy} closed the connection before it answered")
    return ProxyError(f"The proxy {proxy} cannot be reached: {exc}")
