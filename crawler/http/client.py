"""The shared client: an `httpx.AsyncClient` through which a whole crawl goes.

`Client.fetch` does not follow redirects and stores no cookies, because the crawl does
both (run/visitor.py). The sizes of received and decoded bodies are limited. `fetch`
raises FetchError, with one of the reasons that the report counts.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import httpx
import msgspec

from crawler.errors import ConfigError, FetchError, Reason
from crawler.http import fast_models
from crawler.http.body import Body
from crawler.http.bound_headers import BoundTo
from crawler.http.content_decoding import ACCEPT_ENCODING, Bounds
from crawler.http.errors import fetch_error_of
from crawler.http.file_body import FileBody
from crawler.http.open_files import how_to_raise
from crawler.http.options import Timeouts, TransportOptions, nobody
from crawler.http.proxy.server import proxy_server
from crawler.http.response_body import (
    ExchangeBody,
    FieldsHead,
    HeadersHead,
    LowestRate,
    TransportBody,
)
from crawler.http.tls import add_certificate, tls_context
from crawler.http.transfer import Transfer
from crawler.http.transport import Transport
from crawler.message import request_parts
from crawler.message.received import BodyStream
from crawler.request import Options, Request, own_cookies
from crawler.response import Response
from crawler.settings import HttpSettings, Settings
from crawler.web import urls

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
#: Key in `Request.extensions` that marks the requests of `fetch`: httpx must not handle
#: their redirects and cookies.
_OURS = "crawler"
_UNBOUNDED = 2**62
#: Header fields that are computed from the request; a request's own values for these
#: are ignored.
_WRITTEN_HERE = ("content-length", "cookie")
#: Methods that send a Content-Length for an empty body, too (RFC 9110 section 8.6).
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
#: Reasons of the errors that httpx's own transport raises if it cannot reach its proxy.
_UNREACHED = (Reason.DNS_ERROR, Reason.CONNECT_REFUSED, Reason.CONNECT_TIMEOUT)
Headers = Mapping[str, str] | Sequence[tuple[str, str]]
EventHooks = Mapping[str, Sequence[Callable[..., Any]]]


class ClientOptions(msgspec.Struct, frozen=True):
    """The options that a crawl gives its client; `Spider.client` may add to them."""

    settings: Settings = msgspec.field(default_factory=Settings)
    transport: httpx.AsyncBaseTransport | None = None
    event_hooks: EventHooks | None = None
    auth: Any = None
    #: Headers of the spider. Those with secrets go only to the origins of the start
    #: URLs, and to the hosts in `Client(hosts=...)`.
    headers: Headers = ()
    #: Returns whether a host may have private addresses.
    allow_private: Callable[[str], bool] = nobody
    #: Returns whether a person gave a start URL with this host. Requests may then go to
    #: the private addresses of its first lookup, but to no other private addresses.
    is_start: Callable[[str], bool] = nobody


class Client(httpx.AsyncClient):
    """An `httpx.AsyncClient` for crawling, with HTTP/2 and with limits on sizes.

    Takes ClientOptions and all arguments of httpx's class. The crawl uses `fetch`;
    `get`, `stream` and the other methods work as in httpx. This class has over 15
    methods, because half of them are steps of `fetch`, and each step needs httpx's
    client.

    In a crawl, the headers, cookies and `auth` given here go only to the origins of the
    spider's start URLs, and to the hosts in `hosts` ("api.example.org",
    "*.example.org"). User-Agent, Accept and similar headers go to all hosts.
    """

    # This method has over forty lines, because it passes each of httpx's arguments to
    # the object that needs it.
    def __init__(
        self,
        options: ClientOptions | None = None,
        *,
        hosts: Iterable[str] = (),
        **arguments: Any,
    ) -> None:
        options = options or ClientOptions()
        http = options.settings.http
        for name in ("transport", "event_hooks", "auth"):
            arguments.setdefault(name, getattr(options, name))
        self._bounds = Bounds(
            max_body=http.max_body,
            max_decoded=http.max_decoded,
            max_ratio=http.max_ratio,
            max_encodings=http.max_encodings,
        )
        #: URL of the proxy for all requests, without credentials.
        self._proxy = ""
        if arguments["transport"] is None:
            arguments["transport"] = self._make_transport(options, arguments)
        arguments.setdefault("trust_env", False)
        arguments.setdefault("timeout", httpx.Timeout(
            http.read, connect=http.connect, pool=http.total
        ))  # fmt: skip
        given = httpx.Headers(request_parts.headers(options.headers))
        given.update(arguments.get("headers"))
        request_parts.headers(given.multi_items())
        arguments["headers"] = httpx.Headers(
            {
                "User-Agent": options.settings.user_agent(),
                "Accept": ACCEPT,
                "Accept-Encoding": ACCEPT_ENCODING,
            }
        )
        arguments["headers"].update(given)
        self._bound = BoundTo(hosts, arguments.get("cookies"))
        super().__init__(**arguments)
        self._pace = LowestRate(http.min_rate, http.min_rate_window)
        self._total, self._connect = http.total, http.connect
        self._usual_seconds: tuple[httpx.Timeout, dict[str, float | None]] | None = None
        self._connections: set[object] = set()
        self._lean_headers: dict[tuple[str, bool], list[fast_models.Pair]] = {}
        self._own: Transport | None = None
        if isinstance(self._transport, Transport) and not self._mounts:
            self._own = self._transport
        #: Options for the crawler's own transport if another transport wraps it. Each
        #: request carries them; see `Transport`.
        self._limits: TransportOptions | None = None
        if self._own is None:
            proxy = http.proxy or None
            self._limits = self._limits_of(options, http.connections, proxy)

    @property
    def keeps_deadline(self) -> bool:
        """Whether the transport itself enforces the total deadline of a request."""
        return self._own is not None

    @property
    def looks_names_up(self) -> bool:
        """Whether this client looks up host names, by `look_up`.

        False if a proxy or another transport looks up the names.
        """
        return self._own is not None and not self._proxy

    async def look_up(self, host: str) -> None:
        """Look up the addresses of a host for its next connection.

        Raises FetchError if the host has no address, or if none is found within
        `http.connect` seconds.
        """
        assert self._own is not None
        name, url = urls.name_of(host), f"//{host}"
        try:
            async with asyncio.timeout(self._connect):
                await self._own.look_up(name)
        except TimeoutError as exc:
            detail = (
                f"No address of the host {name} was found within {self._connect:g} s "
                "(http.connect)"
            )
            raise FetchError(Reason.CONNECT_TIMEOUT, detail, url=url) from exc
        except httpx.TransportError as exc:
            raise fetch_error_of(exc, url) from exc

    def _make_transport(
        self, options: ClientOptions, arguments: dict[str, Any]
    ) -> httpx.AsyncBaseTransport:
        http = options.settings.http
        verify = arguments.pop("verify") if "verify" in arguments else _verify(http)
        http2 = arguments.pop("http2", http.http2)
        limits = arguments.pop("limits", None)
        proxy = arguments.pop("proxy", http.proxy or None)
        if proxy is not None:
            self._proxy = str(proxy_server(proxy))
        connections = http.connections
        if limits is not None and limits.max_connections is not None:
            connections = limits.max_connections
        if http.transport == "httpx":
            return httpx.AsyncHTTPTransport(
                verify=tls_context(verify),
                http2=http2,
                proxy=proxy,
                limits=httpx.Limits(
                    max_connections=connections, max_keepalive_connections=connections
                ),
            )
        return Transport(
            verify,
            cert=arguments.pop("cert", None),
            http1=arguments.pop("http1", True),
            http2=http2,
            options=self._limits_of(options, connections, proxy),
        )

    def _limits_of(
        self,
        options: ClientOptions,
        connections: int,
        proxy: httpx.Proxy | str | None,
    ) -> TransportOptions:
        http = options.settings.http
        return TransportOptions(
            timeouts=Timeouts(http.connect, http.read, http.read, http.total),
            bounds=self._bounds,
            max_connections=connections,
            max_per_origin=connections,
            min_rate=http.min_rate,
            min_rate_window=http.min_rate_window,
            max_header_bytes=http.max_headers,
            max_header_count=http.max_header_count,
            require_close_notify=http.require_close_notify,
            allow_private=options.allow_private,
            is_start=options.is_start,
            proxy=proxy,
        )

    @property
    def connection_count(self) -> int:
        """Number of connections made so far."""
        if isinstance(self._transport, Transport):
            return self._transport.statistics().connections
        return len(self._connections)

    @property
    def fallback_count(self) -> int:
        """How often an origin was changed back to HTTP/1.1 after HTTP/2 errors."""
        return self._own.statistics().fallbacks if self._own else 0

    @property
    def pool_wait_count(self) -> int:
        """How often a request waited because of a limit of the transport.

        It should stay at 0, because the scheduler starts only as many requests as the
        transport allows.
        """
        return self._own.statistics().pool_waits if self._own else 0

    @property
    def file_advice(self) -> str:
        """Advice on raising the limit on open files.

        "" if that limit allows `http.connections` connections.
        """
        is_short = self._own is not None and self._own.statistics().is_short_of_files
        return how_to_raise() if is_short else ""

    async def fetch(
        self,
        request: Request,
        *,
        authorized: bool = True,
        partition: str = "",
    ) -> Response:
        """Send one request without following redirects; return its response once the
        head has arrived.

        Requests with different `partition` names, such as one for each session, share
        no connection. The response to a request with `stream` has no size limit. The
        client's own credentials are sent only if `authorized`. Raises FetchError. The
        caller closes the response.
        """
        started = time.perf_counter()
        if request.options.proxy and type(self._transport) is httpx.AsyncHTTPTransport:
            # httpx's own transport would ignore the request's proxy, and so reveal the
            # crawl's own IP address to the server.
            none = (
                "http.transport=httpx needs one proxy for all requests (http.proxy), "
                "but this request has its own proxy; set http.transport=own"
            )
            raise FetchError(Reason.PROTO_ERROR, none, url=request.url)
        authorized = self._bound.allows(request, is_start=authorized)
        files = await FileBody.of(request) if request.options.pieces else None
        prepared = self._prepare(request, files, authorized=authorized)
        if partition:
            prepared.extensions["partition"] = partition
        own = self._own
        try:
            if own is not None and not self._is_watched(authorized):
                return _lean_response(request, await own.exchange(prepared), started)
            answer = await self._exchange(prepared, authorized=authorized)
        except Exception as exc:
            raise self._located(fetch_error_of(exc, request.url), request) from exc
        try:
            body = self._body(answer, request)
        except FetchError:
            await answer.aclose()
            raise
        return Response(
            request,
            answer.status_code,
            HeadersHead(answer.headers),
            body,
            http_version=answer.http_version,
            elapsed=time.perf_counter() - started,
        )

    def _located(self, error: FetchError, request: Request) -> FetchError:
        """Return the error, with the name of the proxy if the proxy failed.

        Only the crawler's own transport knows whether the proxy or the host failed.
        With another transport, a failure to connect counts as a failure of the proxy.
        """
        given = request.options.proxy
        proxy = str(proxy_server(given)) if given else self._proxy
        if self._own is None and proxy and error.reason in _UNREACHED:
            detail = f"The proxy {proxy} cannot be reached: {error.detail}"
            error = FetchError(Reason.PROXY_ERROR, detail, url=error.url)
        if error.reason is Reason.PROXY_ERROR:
            error.way = request.options.proxy
        return error

    def _is_watched(self, authorized: bool) -> bool:
        """Return whether event hooks or auth are set, so that httpx's `send` must be
        used."""
        hooks = self.event_hooks
        has_auth = authorized and self.auth is not None
        return has_auth or bool(hooks["request"] or hooks["response"])

    async def _exchange(
        self, request: httpx.Request, *, authorized: bool
    ) -> httpx.Response:
        """Send the request by httpx's `send` if event hooks or auth are set, else
        directly by the transport, which is faster."""
        if self._is_watched(authorized):
            auth = self.auth if authorized else None
            return await self.send(
                request, stream=True, auth=auth, follow_redirects=False
            )
        transport = self._transport_for_url(request.url)
        answer = await transport.handle_async_request(request)
        # A fake transport or a cache may respond at once; let other tasks run in
        # between.
        await asyncio.sleep(0)
        answer.request = request
        return answer

    def _build_redirect_request(
        self, request: httpx.Request, response: httpx.Response
    ) -> httpx.Request:
        # httpx parses the Location header even if it does not follow redirects, and
        # fails on some values that browsers accept. The crawl parses Location itself.
        if _OURS in request.extensions:
            return request
        return super()._build_redirect_request(request, response)

    def _prepare(
        self, request: Request, files: FileBody | None, *, authorized: bool
    ) -> httpx.Request:
        options = request.options
        headers = self._headers_for(urls.host_of(request.url), authorized)
        has_body = bool(options.content) or options.method in _WITH_BODY
        if options.cookies or options.headers or has_body or files is not None:
            length = len(options.content) if has_body else None
            if files is not None:
                length = files.length
            headers = _with(headers, options, length)
        extensions: dict[str, object] = {"timeout": self._seconds(options), _OURS: True}
        if self._limits is not None:
            extensions["limits"] = self._limits
        if options.proxy:
            extensions["proxy"] = options.proxy
        if options.stream:
            extensions["bounds"] = self._unbounded()
        to = fast_models.url(request.url)
        return fast_models.request(
            options.method, to, headers, files or options.content, extensions
        )

    def _seconds(self, options: Options) -> dict[str, float | None]:
        """Return the request's timeouts in seconds: for each phase (such as "connect"
        or "read") and, unless the response is streamed, in total.

        Requests share the result: do not change it.
        """
        if options.timeout is None and not options.stream:
            known = self._usual_seconds
            if known is None or known[0] is not self.timeout:
                seconds = {**self.timeout.as_dict(), "total": self._total}
                self._usual_seconds = known = (self.timeout, seconds)
            return known[1]
        timeout = self.timeout
        if options.timeout is not None:
            timeout = httpx.Timeout(options.timeout)
        seconds = timeout.as_dict()
        return seconds if options.stream else {**seconds, "total": self._total}

    def _headers_for(self, host: str, authorized: bool) -> list[fast_models.Pair]:
        """Return the Host header, and the client's own headers for this host.

        Requests share the result: do not change it.
        """
        headers = self._lean_headers.get((host, authorized))
        if headers is None:
            if len(self._lean_headers) >= 10_000:
                self._lean_headers.clear()
            own = self._bound.headers(self.headers, authorized=authorized)
            all_of_them = httpx.Headers([("Host", host), *own])
            headers = [(name, name.lower(), value) for name, value in all_of_them.raw]
            self._lean_headers[host, authorized] = headers
        return list(headers) if self._may_change else headers

    @property
    def _may_change(self) -> bool:
        return bool(self.event_hooks["request"]) or self.auth is not None

    def _unbounded(self) -> Bounds:
        return msgspec.structs.replace(
            self._bounds, max_body=_UNBOUNDED, max_decoded=_UNBOUNDED
        )

    def _body(self, answer: httpx.Response, request: Request) -> BodyStream:
        # httpx's `send` wraps the stream of the response; unwrap it.
        stream = getattr(answer.stream, "_stream", answer.stream)
        if isinstance(stream, Body):
            return TransportBody(stream, request.url)
        network = answer.extensions.get("network_stream")
        if network is not None:
            self._connections.add(network.get_extra_info("client_addr"))
        bounds = self._unbounded() if request.options.stream else self._bounds
        return ExchangeBody(answer, bounds, self._pace)


def _lean_response(request: Request, transfer: Transfer, started: float) -> Response:
    return Response(
        request,
        transfer.status,
        FieldsHead(transfer.shown_fields(), transfer.fields),
        TransportBody(transfer.body, request.url),
        http_version=transfer.http_version.decode(),
        elapsed=time.perf_counter() - started,
    )


def _with(
    headers: list[fast_models.Pair],
    options: Options,
    length: int | None,
) -> list[fast_models.Pair]:
    """Return the headers to send: those of the request, and those of the client whose
    names the request does not set.

    Content-Length is always the length of the body. All cookies are in one Cookie
    header (RFC 6265 section 5.4).
    """
    added = [
        (name.encode(), value.encode())
        for name, value in options.headers
        if name.lower() not in _WRITTEN_HERE
    ]
    if cookies := own_cookies(options).encode("utf-8", "surrogateescape"):
        usual = [value for _, name, value in headers if name == b"cookie"]
        added.append((b"Cookie", b"; ".join([*usual, cookies])))
    if length is not None:
        added.append((b"Content-Length", b"%d" % length))
    names = {name.lower() for name, _ in added}
    kept = [pair for pair in headers if pair[1] not in names]
    return kept + [(name, name.lower(), value) for name, value in added]


def _verify(http: HttpSettings) -> ssl.SSLContext | bool:
    """Return the TLS context for the settings in [http]; True if the default context is
    enough.

    Raises ConfigError if a file of certificates is invalid.
    """
    if http.key and not http.cert:
        raise ConfigError(
            "http.key is set, but http.cert is not; "
            "set http.cert to the path of the certificate's file"
        )
    if http.verify and not (http.ca_file or http.cert):
        return True
    try:
        trusted = http.ca_file if http.verify and http.ca_file else http.verify
        context = tls_context(trusted)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(
            f"http.ca_file = {http.ca_file!r}: the certificates cannot be loaded "
            f"({exc}); give a PEM file of certificates"
        ) from exc
    if http.cert:
        try:
            add_certificate(context, (http.cert, http.key) if http.key else http.cert)
        except (OSError, ssl.SSLError) as exc:
            cert_and_key = f"http.cert = {http.cert!r}"
            cert_and_key += f", http.key = {http.key!r}" if http.key else ""
            raise ConfigError(
                f"{cert_and_key}: the client certificate cannot be loaded ({exc}); "
                "give a certificate and its key as PEM files"
            ) from exc
    return context
