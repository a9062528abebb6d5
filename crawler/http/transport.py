"""The transport of a crawl, for any `httpx.AsyncClient`.

The path of a request, and the modules on it:

1. `Transport.handle_async_request` makes a `Transfer` of the request (transfer.py). The
   transfer holds the timeouts, the response so far, and the future that the caller
   awaits. The request's origin is a scheme, host and port, and the proxy if any.
2. The `Pool` (pool.py) finds a connection to the origin. If none is free the transfer
   waits. A dial is started (dialler.py) if the limits allow one (places.py), such as
   the limit on open files. The oldest idle connection makes room for a new one.
3. A dial (connector.py) asks the resolver (resolver.py) for addresses, refuses private
   ones (address_guard.py), and tries the others in parallel. Through a proxy (proxy/)
   it opens a tunnel. The TLS handshake (handshake.py) resumes the origin's last
   session. ALPN decides between h1/ and h2/, and the origin remembers the decision.
4. The connection writes the request (h1/heads.py, h2/header_fields.py), reads the
   response (httptools, h2/frames.py), and feeds it to the transfer. A request that was
   not processed is sent again: its idle connection was dead, its stream was refused, or
   a GOAWAY excludes it.
5. The caller continues with the head. The `Body` (body.py) is an httpx stream. It is
   decoded in limited steps (content_decoding.py), and slows down the peer if it is not
   read. A small body is complete without another await. If the caller closes the body
   early, a short rest is still read; else the stream is reset or the connection closed.
6. One coarse clock (timeout_wheel.py) checks ten times a second all timeouts
   (transfer_clock.py), silent HTTP/2 peers, and sockets that do not close.

Everything between two awaits of the caller is synchronous, so that a cancellation
finds every request, connection and counter in a consistent state.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import httpx

from crawler.http.address_guard import AddressGuard
from crawler.http.connector import Connector
from crawler.http.errors import ProxyError
from crawler.http.options import TransportOptions
from crawler.http.origins import Origin, Statistics
from crawler.http.pool import Pool
from crawler.http.proxy.server import ProxyServer, proxy_server
from crawler.http.resolver import NameResolver
from crawler.http.tls import CertificateFiles, made_when_needed
from crawler.http.transfer import Transfer

__all__ = ["Transport"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_DEFAULT_OPTIONS = TransportOptions()
_PROXY_AUTHENTICATION_REQUIRED = 407


class Transport(httpx.AsyncBaseTransport):
    """HTTP/1.1 and HTTP/2 for crawling: fast, limited, and without access to private
    networks.

        options = TransportOptions(max_connections=500)
        async with httpx.AsyncClient(transport=Transport(options=options)) as client:
            response = await client.get("https://books.example/")

    Timeouts are httpx's, in `request.extensions["timeout"]`, with one more: "total".
    `verify` is a TLS context, a file of certificates to trust, or whether to check
    certificates.

    - `extensions["proxy"]` sends a request through a proxy.
    - `extensions["bounds"]` sets other `Bounds` for its body.
    - Requests with different names in `extensions["partition"]` share no connection.
    - A transport that was created without options takes those in `extensions["limits"]`
      of its first request.

    Errors are subclasses of httpx's, defined in errors.py. Bodies are already decoded:
    the response has neither Content-Encoding nor the encoded length; both are in
    `response.extensions["crawler"]`.
    """

    def __init__(
        self,
        verify: ssl.SSLContext | str | bool = True,
        *,
        cert: CertificateFiles | None = None,
        http1: bool = True,
        http2: bool = True,
        options: TransportOptions = _DEFAULT_OPTIONS,
    ) -> None:
        protocols = ["h2"] * http2 + ["http/1.1"] * http1
        if not protocols:
            raise ValueError(
                "Transport(http1=False, http2=False) allows no version of "
                "HTTP; set one of them to True"
            )
        context = made_when_needed(verify, cert)
        self._has_default_options = options is _DEFAULT_OPTIONS
        self._resolver = NameResolver(options.resolve)
        self._guard = AddressGuard(options)
        self._proxy = proxy_server(options.proxy) if options.proxy else None
        connector = Connector(context, protocols, self._guard, self._resolver)
        self._pool = connector.pool = Pool(options, protocols, connector.connect)
        self._origins = self._pool.origins

    def __repr__(self) -> str:
        return f"<Transport {self._pool!r}>"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and return the response once its head has arrived."""
        return _response(await self.exchange(request))

    async def exchange(self, request: httpx.Request) -> Transfer:
        """Send the request, and return the transfer (request and response) once the
        response's head has arrived.

        This is `handle_async_request` without the cost of httpx's Response.
        """
        if self._has_default_options and (given := request.extensions.get("limits")):
            self._adopt(given)
        origin = self._origin(request)
        transfer = Transfer(request, origin, self._pool)
        if transfer.content is None:
            transfer.started = asyncio.get_running_loop().create_future()
        self._pool.submit(transfer)
        try:
            if transfer.content is None:
                await self._upload(transfer)
            await transfer.head
        except BaseException:
            # The caller was cancelled, or the request has failed and has already ended.
            transfer.abandon()
            raise
        if origin.is_forwarding and transfer.status == _PROXY_AUTHENTICATION_REQUIRED:
            transfer.abandon()
            raise ProxyError(
                f"The proxy {origin.proxy} refused the request with status 407; "
                "check the user name and the password in the proxy's URL",
                status=transfer.status,
                is_final=True,
            )
        self._pool.statistics.http_versions[transfer.http_version.decode()] += 1
        return transfer

    def _adopt(self, options: TransportOptions) -> None:
        """Take the options of the client that sends the first request.

        Code that wraps `Transport()` for a crawl cannot know the crawl's limits.
        """
        self._has_default_options = False
        self._guard.adopt(options)
        self._pool.keep_to(options)
        if self._proxy is None and options.proxy:
            self._proxy = proxy_server(options.proxy)

    def _origin(self, request: httpx.Request) -> Origin:
        url, extensions = request.url, request.extensions
        scheme, host = url.scheme, url.raw_host.decode("ascii")
        default = _DEFAULT_PORTS.get(scheme)
        if default is None or not host:
            raise httpx.UnsupportedProtocol(
                f"The URL {url} does not begin with http:// or https:// and a host"
            )
        port = url.port or default
        partition = extensions.get("partition", "")
        given = extensions.get("proxy", self._proxy)
        if not given:
            return self._origins.get(scheme, host, port, None, partition)
        proxy = given if isinstance(given, ProxyServer) else proxy_server(given)
        # A pooled connection to a proxy carries requests for many targets: check each.
        self._guard.check_name(host, port)
        if scheme == "http" and not proxy.is_socks:
            host, port = proxy.host, proxy.port
        return self._origins.get(scheme, host, port, proxy, partition)

    async def _upload(self, transfer: Transfer) -> None:
        """Send the request's streamed body. The response may be complete before the
        whole body is sent."""
        stream, started = transfer.request.stream, transfer.started
        assert isinstance(stream, httpx.AsyncByteStream)
        assert started is not None
        await asyncio.wait(
            (started, transfer.head), return_when=asyncio.FIRST_COMPLETED
        )
        connection = transfer.connection
        if connection is None:
            return
        async for piece in stream:
            await connection.send_piece(transfer, piece)
            if transfer.is_done:
                return
        connection.send_end(transfer)

    async def look_up(self, host: str) -> None:
        """Look up a host name, and cache its addresses for a minute. Raises DnsError if
        the name has no address."""
        await self._resolver.addresses(host)

    def statistics(self) -> Statistics:
        """Return the current counters."""
        return self._pool.snapshot(lookups=self._resolver.lookups)

    async def aclose(self) -> None:
        """Close all connections; requests in flight fail."""
        await self._pool.aclose()
        self._resolver.close()
        # The event loop calls `connection_lost` in its next iterations, for TLS a
        # little later.
        for _ in range(5):
            await asyncio.sleep(0)


def _response(transfer: Transfer) -> httpx.Response:
    extensions: dict[str, Any] = {
        "http_version": transfer.http_version,
        "network_stream": transfer.network_stream,
    }
    if transfer.reason_phrase:
        extensions["reason_phrase"] = transfer.reason_phrase
    if transfer.original:
        extensions["crawler"] = transfer.original
    return httpx.Response(
        transfer.status,
        headers=transfer.shown_fields(),
        stream=transfer.body,
        extensions=extensions,
    )
