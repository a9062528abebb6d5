"""TLS and ALPN: chooses the connection class for the negotiated protocol."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, cast

from crawler.http import h2
from crawler.http.h1.connection import Http1Connection
from crawler.http.origins import Dialling
from crawler.http.pool import Pool

__all__ = ["Negotiation", "Offer"]

#: Seconds that a closing TLS connection waits for the peer's close_notify.
_GOODBYE_SECONDS = 2.0
#: Effectively no limit: the pool's own timer ends a handshake that takes too long.
_NEVER_SECONDS = 3600.0


class Negotiation(asyncio.Protocol):
    """The asyncio protocol of a connection until ALPN has chosen HTTP/1.1 or HTTP/2.

    On a new socket or TLS stream the choice is made in `connection_made`. For a tunnel,
    `begin` is called later; bytes that arrive before are kept for the connection.
    """

    def __init__(self, pool: Pool, dial: Dialling, offers: Sequence[str]) -> None:
        self._pool = pool
        self._dial = dial
        #: The protocol to use if the peer does not support ALPN.
        self._default = "h2" if list(offers) == ["h2"] else "http/1.1"
        self._early: list[bytes] = []
        self._is_over = False
        #: The connection's asyncio transport, so that it can be closed if the
        #: connection is not used.
        self.transport: asyncio.Transport | None = None
        self.is_adopted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.begin(transport)

    def begin(self, transport: asyncio.BaseTransport) -> None:
        """Create the HTTP/1.1 or HTTP/2 connection, whichever was negotiated, and pass
        it to the dial (the task that has opened the socket)."""
        # A cast is needed, because uvloop's transports are not subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        if self._is_over:
            raise ConnectionResetError
        tls = transport.get_extra_info("ssl_object")
        agreed = tls.selected_alpn_protocol() if tls is not None else None
        is_http2 = (agreed or self._default) == "h2"
        kind = h2.Http2Connection if is_http2 else Http1Connection
        connection = kind(self._pool, self._dial.origin)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        self.is_adopted = self._dial.adopt(connection, is_http2)
        for data in self._early:
            connection.data_received(data)

    def data_received(self, data: bytes) -> None:
        self._early.append(data)

    def eof_received(self) -> None:
        self._is_over = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True


class Offer:
    """One TLS handshake on a shared SSLContext: its protocols, and the session to
    resume.

    The protocols to offer are a property of the context. They are set and used in one
    step, so that all origins can share one context, with its certificates and its
    memory.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        host: str,
        protocols: Sequence[str],
        session: ssl.SSLSession | None = None,
    ) -> None:
        self._context = context
        self._host = host
        self._protocols = list(protocols)
        self._session = session

    def arguments(self) -> dict[str, Any]:
        """Return the TLS arguments for asyncio's `create_connection`."""
        return {"ssl": cast(ssl.SSLContext, self), **self._limits()}

    async def start_tls(
        self, transport: asyncio.Transport, protocol: asyncio.Protocol
    ) -> asyncio.Transport:
        """Start TLS on an existing stream, such as a tunnel."""
        loop = asyncio.get_running_loop()
        is_nested = transport.get_extra_info("ssl_object") is not None
        if is_nested and isinstance(loop, asyncio.BaseEventLoop):
            transport = _OuterTls(transport)
        made = await loop.start_tls(
            transport, protocol, _OfferContext(self), **self._limits()
        )
        if made is None:
            raise ConnectionResetError
        return made

    def _limits(self) -> dict[str, Any]:
        return {
            "server_hostname": self._host.rstrip("."),
            "ssl_shutdown_timeout": _GOODBYE_SECONDS,
            "ssl_handshake_timeout": _NEVER_SECONDS,
        }

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, **kwargs: Any
    ) -> ssl.SSLObject:
        self._context.set_alpn_protocols(self._protocols)
        kwargs["session"] = self._session
        return self._context.wrap_bio(incoming, outgoing, **kwargs)


class _OfferContext(ssl.SSLContext):
    """An Offer for `start_tls`, which accepts only an SSLContext."""

    def __new__(cls, offer: Offer) -> _OfferContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def wrap_bio(self, *bios: Any, **kwargs: Any) -> ssl.SSLObject:
        return self._offer.wrap_bio(*bios, **kwargs)


class _OuterTls(asyncio.Transport):
    """Wraps the TLS stream to a proxy while a second TLS stream goes through it.

    CPython before 3.11.8 and 3.12.2 cannot abort such an outer stream (gh-113214), so a
    failed inner handshake would not end. This class's `abort` works in all versions.
    """

    _start_tls_compatible = True

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport

    def _force_close(self, exc: BaseException | None) -> None:
        self._transport.abort()

    def abort(self) -> None:
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(data)
