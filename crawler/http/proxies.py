"""Requests through proxies, each by a stock httpx transport of its own.

httpx's `mounts` choose by URL; a crawl chooses by request. An answer that comes this
way is decoded and bounded like all others.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncIterator

import httpx

from crawler.http.content_decoding import Bounds, Decoder
from crawler.http.errors import DeadlineError, TooLargeError, TooSlowError
from crawler.http.options import TransportOptions

__all__ = ["Proxies"]


class Proxies:
    """A transport for each proxy in use, and for some that were."""

    def __init__(
        self, context: ssl.SSLContext, protocols: list[str], options: TransportOptions
    ) -> None:
        self._context = context
        self._protocols = protocols
        self._options = options
        self._kept: OrderedDict[str, httpx.AsyncHTTPTransport] = OrderedDict()
        self._in_use: dict[httpx.AsyncHTTPTransport, int] = {}

    async def send(
        self, request: httpx.Request, proxy: httpx.Proxy | str
    ) -> httpx.Response:
        """Send the request through the proxy."""
        transport = self._transport(
            proxy if isinstance(proxy, httpx.Proxy) else httpx.Proxy(proxy)
        )
        limits = request.extensions.get("timeout") or {}
        total = limits.get("total", self._options.timeouts.total)
        deadline = None if total is None else asyncio.get_running_loop().time() + total
        self._in_use[transport] = self._in_use.get(transport, 0) + 1
        try:
            async with asyncio.timeout_at(deadline):
                answer = await transport.handle_async_request(request)
        except BaseException as exc:
            await self.done(transport)
            if isinstance(exc, TimeoutError):
                raise DeadlineError(f"The exchange took {total:g} s") from exc
            raise
        body = _ProxiedBody(self, transport, answer, self._options)
        body.deadline = deadline
        try:
            return body.response(request)
        except BaseException:
            await body.aclose()
            raise

    def _transport(self, proxy: httpx.Proxy) -> httpx.AsyncHTTPTransport:
        user, password = proxy.auth or ("", "")
        key = f"{proxy.url} {user} {password} {proxy.headers.raw}"
        transport = self._kept.get(key)
        if transport is None:
            options = self._options
            try:
                transport = httpx.AsyncHTTPTransport(
                    verify=self._context,
                    trust_env=False,
                    http1="http/1.1" in self._protocols,
                    http2="h2" in self._protocols,
                    limits=httpx.Limits(
                        max_connections=options.max_connections,
                        keepalive_expiry=options.keepalive,
                    ),
                    proxy=proxy,
                )
            except ImportError as exc:
                raise httpx.ProxyError(f"{proxy.url} cannot be used: {exc}") from exc
            self._kept[key] = transport
        self._kept.move_to_end(key)
        return transport

    async def done(self, transport: httpx.AsyncHTTPTransport) -> None:
        """One exchange is over; close what is beyond the limit and at rest."""
        self._in_use[transport] -= 1
        if not self._in_use[transport]:
            del self._in_use[transport]
        for key in list(self._kept)[: len(self._kept) - self._options.max_proxies]:
            if self._kept[key] not in self._in_use:
                await self._kept.pop(key).aclose()

    async def aclose(self) -> None:
        kept, self._kept = self._kept, OrderedDict()
        for transport in kept.values():
            await transport.aclose()


class _ProxiedBody(httpx.AsyncByteStream):
    def __init__(
        self,
        proxies: Proxies,
        transport: httpx.AsyncHTTPTransport,
        answer: httpx.Response,
        options: TransportOptions,
    ) -> None:
        self.deadline: float | None = None
        self._proxies = proxies
        self._transport = transport
        self._answer = answer
        self._options = options
        self._is_open = True
        self._decoder = Decoder((), options.bounds)
        self._marked, self._marked_at = time.monotonic(), 0

    def response(self, request: httpx.Request) -> httpx.Response:
        """Give the answer with this body in the place of the stock one."""
        answer = self._answer
        bounds: Bounds = request.extensions.get("bounds") or self._options.bounds
        headers = answer.headers
        extensions = dict(answer.extensions)
        length = headers.get("content-length", "")
        has_body = request.method != "HEAD"
        if has_body and length.isdecimal() and int(length) > bounds.max_body:
            raise TooLargeError(
                f"{int(length):,} bytes; max_body is {bounds.max_body:,}"
            )
        encodings = headers.get("content-encoding", "")
        if encodings and has_body and self._options.decode:
            self._decoder = Decoder(encodings.split(","), bounds)
            extensions["crawler"] = {
                "content_encoding": encodings,
                "content_length": length or None,
            }
            headers = headers.copy()
            headers.pop("content-encoding", None)
            headers.pop("content-length", None)
        else:
            self._decoder = Decoder((), bounds)
        return httpx.Response(
            answer.status_code, headers=headers, stream=self, extensions=extensions
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        stream = self._answer.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        chunks = stream.__aiter__()
        try:
            while True:
                try:
                    async with asyncio.timeout_at(self.deadline):
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    break
                except TimeoutError as exc:
                    raise DeadlineError("The exchange took too long") from exc
                self._check_rate()
                for piece in self._decoder.decode(chunk):
                    yield piece
            self._decoder.finish()
        finally:
            await self.aclose()

    def _check_rate(self) -> None:
        options, now = self._options, time.monotonic()
        elapsed = now - self._marked
        if not options.min_rate or elapsed < options.min_rate_window:
            return
        if self._decoder.received - self._marked_at < options.min_rate * elapsed:
            raise TooSlowError(
                f"The body comes below {options.min_rate:g} bytes a second"
            )
        self._marked, self._marked_at = now, self._decoder.received

    async def aclose(self) -> None:
        if self._is_open:
            self._is_open = False
            await self._answer.aclose()
            await self._proxies.done(self._transport)
