"""The one shared client: an `httpx.AsyncClient` that a whole crawl goes through.

Redirects and cookies are the visit's business, decoding is bounded, and errors leave
`fetch` as FetchError with one of the reasons that the report counts.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from crawler.errors import ConfigError, FetchError, Reason
from crawler.http.decoding import ACCEPT_ENCODING, Bounds
from crawler.http.errors import reason_of
from crawler.http.exchange import ExchangeBody, Pace
from crawler.request import Request
from crawler.response import Response
from crawler.settings import Settings

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
#: Marks the requests whose redirects and cookies are not httpx's business.
_OURS = "crawler"
EventHooks = Mapping[str, Sequence[Callable[..., Any]]]


@dataclass(frozen=True)
class ClientOptions:
    """What a crawl asks of its client; `Spider.client` gets it and may add to it."""

    settings: Settings = field(default_factory=Settings)
    transport: httpx.AsyncBaseTransport | None = None
    event_hooks: EventHooks | None = None
    auth: Any = None


class Client(httpx.AsyncClient):
    """An `httpx.AsyncClient` for crawling: HTTP/2 by ALPN, bounded, counted.

    Takes ClientOptions and whatever else httpx's class takes. `fetch` is what the
    crawl uses; `get`, `stream`, `send` and the rest work as in httpx.
    """

    def __init__(self, options: ClientOptions | None = None, **arguments: Any) -> None:
        options = options or ClientOptions()
        settings = options.settings.http
        for name in ("transport", "event_hooks", "auth"):
            arguments.setdefault(name, getattr(options, name))
        if arguments["transport"] is None:
            arguments.setdefault(
                "verify", _ssl_context(settings.verify, settings.ca_file)
            )
            arguments.setdefault("http2", settings.http2)
            arguments.setdefault("proxy", settings.proxy or None)
        arguments.setdefault("limits", httpx.Limits(
            max_connections=settings.connections,
            max_keepalive_connections=settings.connections,
            keepalive_expiry=30,
        ))  # fmt: skip
        arguments.setdefault("trust_env", False)
        arguments.setdefault("timeout", httpx.Timeout(
            settings.read, connect=settings.connect, pool=settings.total
        ))  # fmt: skip
        arguments["headers"] = {
            "User-Agent": options.settings.user_agent(),
            "Accept": ACCEPT,
            "Accept-Encoding": ACCEPT_ENCODING,
            **dict(arguments.get("headers") or {}),
        }
        super().__init__(**arguments)
        self._bounds = Bounds(
            max_body=settings.max_body,
            max_decoded=settings.max_decoded,
            max_ratio=settings.max_ratio,
            max_encodings=settings.max_encodings,
        )
        self._pace = Pace(settings.min_rate, settings.min_rate_window)
        self._connections: set[object] = set()

    @property
    def connection_count(self) -> int:
        """Connections seen so far, each counted once."""
        return len(self._connections)

    async def fetch(
        self,
        request: Request,
        *,
        cookies: str | None = None,
        authorized: bool = True,
        unbounded: bool = False,
    ) -> Response:
        """One exchange, no redirects: the head is here, the body is on its way.

        `cookies` is the Cookie header. Raises FetchError. The caller closes the
        response. With `unbounded` the body may be of any size (it is streamed).
        """
        started = time.perf_counter()
        prepared = self._prepare(request, cookies)
        try:
            answer = await self._exchange(prepared, authorized=authorized)
        except Exception as exc:
            raise translated(exc, request.url) from exc
        self._note_connection(answer)
        try:
            body = ExchangeBody(answer, self._bounds, self._pace, unbounded=unbounded)
        except FetchError:
            await answer.aclose()
            raise
        return Response(
            request,
            answer.status_code,
            answer.headers,
            body,
            http_version=answer.http_version,
            elapsed=time.perf_counter() - started,
        )

    async def _exchange(
        self, request: httpx.Request, *, authorized: bool
    ) -> httpx.Response:
        """Straight to the transport, unless hooks or auth ask for httpx's own path."""
        auth = self.auth if authorized else None
        hooks = self.event_hooks
        if auth is not None or hooks["request"] or hooks["response"]:
            return await self.send(
                request, stream=True, auth=auth, follow_redirects=False
            )
        transport = self._transport_for_url(request.url)
        answer = await transport.handle_async_request(request)
        answer.request = request
        return answer

    def _build_redirect_request(
        self, request: httpx.Request, response: httpx.Response
    ) -> httpx.Request:
        # httpx reads a Location even where it does not follow it, and fails on those
        # that only a browser understands; the visit reads them for itself.
        if _OURS in request.extensions:
            return request
        return super()._build_redirect_request(request, response)

    def _prepare(self, request: Request, cookies: str | None) -> httpx.Request:
        options = request.options
        headers = httpx.Headers(self.headers)
        headers.update(options.headers)
        if cookies:
            headers["Cookie"] = cookies
        timeout = self.timeout
        if options.timeout is not None:
            timeout = httpx.Timeout(options.timeout)
        extensions: dict[str, Any] = {"timeout": timeout.as_dict(), _OURS: True}
        if options.proxy:
            extensions["proxy"] = options.proxy
        return httpx.Request(
            options.method,
            request.url,
            headers=headers,
            content=options.content or None,
            extensions=extensions,
        )

    def _note_connection(self, answer: httpx.Response) -> None:
        stream = answer.extensions.get("network_stream")
        if stream is not None:
            self._connections.add(stream.get_extra_info("client_addr"))


def translated(exc: Exception, url: str) -> FetchError:
    """Any error of the transport as a FetchError, with its reason."""
    if isinstance(exc, FetchError):
        return exc
    detail = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    return FetchError(Reason(reason_of(exc)), detail, url=url)


def _ssl_context(verify: bool, ca_file: str) -> ssl.SSLContext | bool:
    if not verify:
        return False
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(f"http.ca_file {ca_file}: {exc}") from exc
