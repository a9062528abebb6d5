"""A request as a value, and an entry: a request with its place in the crawl.

Rule: bodies are bytes and `meta` is JSON from the moment a Request is made, in every
mode, so that what works in memory also works after a restart. No pickle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NoReturn
from urllib.parse import urlencode

import msgspec

from crawler.errors import ConfigError
from crawler.settings import check_proxy
from crawler.web import urls

#: What a method and the name of a header are made of (RFC 9110 section 5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]
Files = Mapping[str, Any]


#: What a request is for: a page of the crawl, a robots.txt, or a session's login.
Purpose = Literal["page", "robots", "login"]


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """What most requests leave at its default; one value is shared by many."""

    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    session: str = ""
    proxy: str = ""
    stream: bool = False
    once: bool = True
    errback: str = ""
    timeout: float | None = None
    kind: str = ""
    purpose: Purpose = "page"


DEFAULT_OPTIONS = Options()
_options_decoder = msgspec.json.Decoder(Options)


class Request:
    """One request to make: a frozen value under httpx's names.

    `Request("https://a.example/", callback="parse_book", meta={"shelf": 3})`.
    `data` is a form, `json` any JSON value, `content` the body itself; `files` makes
    a multipart form. `callback` and `errback` are methods of the spider or their
    names. `meta` is yours: JSON values, given back as `response.meta`. `depth`
    is the page's own plus one unless it is said. With `once=False` the request
    is made even if an equal one was made before. `kind` names how it is
    fetched, such as "browser", for layers and for the ceilings of a run.
    """

    __slots__ = ("_meta", "callback", "depth", "options", "priority", "url")

    url: str
    callback: str
    priority: int
    depth: int | None
    options: Options
    _meta: bytes

    # Over forty lines: half of them are the arguments that httpx takes, too.
    def __init__(
        self,
        url: str,
        callback: str | Callable[..., Any] = "parse",
        *,
        method: str | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        cookies: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        data: Params | None = None,
        json: Any = None,
        files: Files | None = None,
        meta: Mapping[str, Any] | None = None,
        priority: int = 0,
        depth: int | None = None,
        session: str = "",
        proxy: str = "",
        stream: bool = False,
        once: bool = True,
        errback: str | Callable[..., Any] | None = None,
        timeout: float | None = None,
        kind: str = "",
    ) -> None:
        body, content_type = _body(content, data, json, files)
        pairs = _pairs(headers)
        if content_type and not any(
            name.lower() == "content-type" for name, _ in pairs
        ):
            pairs = (*pairs, ("Content-Type", content_type))
        method = (method or ("POST" if body is not None else "GET")).upper()
        if not _TOKEN.fullmatch(method):
            raise ConfigError(f"{method!r} is not a method")
        options = Options(
            method=method,
            headers=pairs,
            cookies=tuple((cookies or {}).items()),
            content=body or b"",
            session=session,
            proxy=proxy,
            stream=stream,
            once=once,
            errback=name_of(errback) if errback else "",
            timeout=timeout,
            kind=kind,
        )
        if proxy:
            _check_proxy(proxy)
        _set(self, "url", _absolute(url, params))
        _set(self, "callback", name_of(callback))
        _set(self, "priority", priority)
        _set(self, "depth", depth)
        _set(
            self, "options", options if options != DEFAULT_OPTIONS else DEFAULT_OPTIONS
        )
        _set(self, "_meta", encode_meta(meta))

    @classmethod
    def build(
        cls,
        url: str,
        callback: str,
        *,
        priority: int,
        depth: int | None,
        meta: bytes,
        options: Options,
    ) -> Request:
        """A request from parts that are canonical and encoded already."""
        request = cls.__new__(cls)
        _set(request, "url", url)
        _set(request, "callback", callback)
        _set(request, "priority", priority)
        _set(request, "depth", depth)
        _set(request, "options", options)
        _set(request, "_meta", meta)
        return request

    def replace(self, **changes: Any) -> Request:
        """An equal request but for `url`, `callback`, `priority`, `depth`, `meta`
        or any of the options (`method`, `headers`, `content`, `session`, ...)."""
        own = {name: changes.pop(name) for name in _OWN if name in changes}
        meta = encode_meta(changes.pop("meta")) if "meta" in changes else self._meta
        if "errback" in changes:
            changes["errback"] = name_of(changes["errback"])
        if changes.get("proxy"):
            _check_proxy(changes["proxy"])
        options = msgspec.structs.replace(self.options, **changes)
        return self.build(
            _absolute(own["url"], None) if "url" in own else self.url,
            name_of(own.get("callback", self.callback)),
            priority=own.get("priority", self.priority),
            depth=own.get("depth", self.depth),
            meta=meta,
            options=options,
        )

    @property
    def meta(self) -> dict[str, Any]:
        """The user's own values, a fresh copy each time."""
        if not self._meta:
            return {}
        values: dict[str, Any] = msgspec.json.decode(self._meta)
        return values

    @property
    def encoded_meta(self) -> bytes:
        """`meta` as JSON, empty for none: what a store keeps."""
        return self._meta

    @property
    def method(self) -> str:
        """The HTTP method, in upper case."""
        return self.options.method

    @property
    def content(self) -> bytes:
        """The body as it is sent; empty for none."""
        return self.options.content

    @property
    def purpose(self) -> Purpose:
        """What it is for: "page", "robots" or "login"."""
        return self.options.purpose

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """An equal request with these headers in place of those of the same name."""
        added = _pairs(headers)
        names = {name.lower() for name, _ in added}
        kept = [pair for pair in self.options.headers if pair[0].lower() not in names]
        options = msgspec.structs.replace(self.options, headers=(*kept, *added))
        return self._with_options(options)

    def with_cookie_header(self, value: str) -> Request:
        """An equal request with this Cookie header, and no cookies beside it."""
        headers = [p for p in self.options.headers if p[0].lower() != "cookie"]
        headers.append(("Cookie", value))
        options = msgspec.structs.replace(
            self.options, headers=tuple(headers), cookies=()
        )
        return self._with_options(options)

    def _with_options(self, options: Options) -> Request:
        return self.build(
            self.url,
            self.callback,
            priority=self.priority,
            depth=self.depth,
            meta=self._meta,
            options=options,
        )

    def fingerprint(self, ordinal: int = 0) -> int:
        """The request's identity: 64 bits over method, canonical URL and body."""
        options = self.options
        return urls.fingerprint(options.method, self.url, options.content, ordinal)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Request is frozen; use request.replace({name}=...)")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Request is frozen")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    def __hash__(self) -> int:
        return hash((self.url, self.callback, self._meta, self.options))

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url} -> {self.callback}>"


class LinkRequest(Request):
    """What `response.follow` makes: a link of a page, which scope and depth judge."""

    __slots__ = ()


_set = object.__setattr__
_OWN = ("url", "callback", "priority", "depth")
_FIELDS = (*_OWN, "_meta", "options")


class Entry:
    """A request with its place in the crawl: a row of the store, a node of the
    frontier. The engine changes it only between being taken and being committed."""

    __slots__ = (
        "attempt",
        "chain",
        "depth",
        "due",
        "fingerprint",
        "first_tried",
        "found_as",
        "host",
        "parent",
        "paused_before",
        "redirects",
        "request",
        "sequence",
    )

    def __init__(
        self,
        fingerprint: int,
        request: Request,
        host: str,
        *,
        depth: int = 0,
        parent: int = 0,
        found_as: str = "",
        redirects: int = 0,
        chain: tuple[int, ...] = (),
        sequence: int = 0,
        attempt: int = 0,
        first_tried: float = 0.0,
        due: float = 0.0,
    ) -> None:
        self.fingerprint = fingerprint
        self.request = request
        #: Name and port of the host, the key of queues, pace and scope.
        self.host = host
        #: Links followed from a start page; a redirect adds none.
        self.depth = depth
        #: Fingerprint of the page that it was found on; 0: a start.
        self.parent = parent
        #: The reference as the page wrote it, or what else made it known.
        self.found_as = found_as
        #: Redirects followed up to here, and the fingerprints they came through.
        self.redirects = redirects
        self.chain = chain
        #: Order of discovery, given by the store.
        self.sequence = sequence
        #: Tries used so far; wall-clock time of the first, 0 for none.
        self.attempt = attempt
        self.first_tried = first_tried
        #: Seconds that its host had been paused by then, in this process.
        self.paused_before = 0.0
        #: When it may be tried: monotonic seconds; 0: now.
        self.due = due

    @property
    def url(self) -> str:
        return self.request.url

    @property
    def priority(self) -> int:
        return self.request.priority

    @property
    def is_start(self) -> bool:
        """Whether it is a start URL, or where one redirects: no link led to it."""
        return self.depth == 0 and self.parent == 0

    def __repr__(self) -> str:
        return f"<Entry {self.fingerprint:016x} {self.request.url}>"


def name_of(callback: str | Callable[..., Any]) -> str:
    """A callback's name, as it is stored; ConfigError for one without a name."""
    if isinstance(callback, str):
        return callback
    name = getattr(callback, "__name__", "")
    if not name or name == "<lambda>" or not hasattr(callback, "__self__"):
        raise ConfigError(
            f"callback {callback!r} has no name to be stored by; "
            "pass a method of the spider or its name"
        )
    return str(name)


def own_cookies(options: Options) -> str:
    """The Cookie header that a request brings itself; empty for none."""
    pairs = [f"{name}={value}" for name, value in options.cookies]
    pairs += [value for name, value in options.headers if name.lower() == "cookie"]
    return "; ".join(pairs)


def encode_options(options: Options) -> bytes | None:
    """Options as JSON for a store; None where all are at their default."""
    return None if options is DEFAULT_OPTIONS else msgspec.json.encode(options)


def decode_options(data: bytes | None) -> Options:
    """The options that `encode_options` wrote."""
    return DEFAULT_OPTIONS if data is None else _options_decoder.decode(data)


def encode_meta(meta: Mapping[str, Any] | None) -> bytes:
    """`meta` as JSON; ConfigError where a value is not JSON."""
    if not meta:
        return b""
    try:
        return msgspec.json.encode(dict(meta))
    except (TypeError, ValueError) as exc:
        raise ConfigError(f"meta must hold JSON values only: {exc}") from exc


def _absolute(url: str, params: Params | None) -> str:
    if not isinstance(url, str):
        raise ConfigError(f"Request({url!r}): a URL is a str, not {_kind(url)}")
    if params:
        base, _, fragment = url.partition("#")
        pairs = params.items() if isinstance(params, Mapping) else params
        query = urlencode(list(pairs), doseq=True)
        url = base + ("&" if "?" in base else "?") + query
        url += f"#{fragment}" if fragment else ""
    try:
        return urls.canonical(url)
    except urls.InvalidUrl as exc:
        raise ConfigError(f"Request({url!r}): {exc}") from exc


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _check_proxy(proxy: str) -> None:
    try:
        check_proxy(proxy)
    except ValueError as exc:
        raise ConfigError(f"proxy {proxy!r}: {exc}") from exc


def _pairs(
    headers: Mapping[str, str] | Sequence[tuple[str, str]],
) -> tuple[tuple[str, str], ...]:
    items = headers.items() if isinstance(headers, Mapping) else headers
    pairs = tuple((str(name), str(value)) for name, value in items)
    for name, value in pairs:
        if any(char in name + value for char in "\r\n\0"):
            raise ConfigError(f"header {name!r} holds a line break or NUL")
        if not _TOKEN.fullmatch(name):
            raise ConfigError(f"{name!r} is not the name of a header")
    return pairs


def _body(
    content: bytes | str | None, data: Params | None, json: Any, files: Files | None
) -> tuple[bytes | None, str]:
    if sum(part is not None for part in (content, data or files, json)) > 1:
        raise ConfigError("give a Request one of content, data (with files) or json")
    if content is not None:
        return content.encode() if isinstance(content, str) else bytes(content), ""
    if files is not None:
        return _multipart(data or {}, files)
    if data is not None:
        pairs = data.items() if isinstance(data, Mapping) else data
        form = urlencode(list(pairs), doseq=True).encode()
        return form, "application/x-www-form-urlencoded"
    if json is not None:
        return msgspec.json.encode(json), "application/json"
    return None, ""


def _multipart(data: Params, files: Files) -> tuple[bytes, str]:
    """A multipart/form-data body (RFC 7578); the boundary is the content's digest,
    so that equal requests are equal bytes."""
    pairs = data.items() if isinstance(data, Mapping) else data
    parts = [
        (f'name="{_quoted(name)}"', str(value).encode(), "") for name, value in pairs
    ]
    for name, value in files.items():
        filename, content, kind = _file(name, value)
        head = f'name="{_quoted(name)}"; filename="{_quoted(filename)}"'
        parts.append((head, content, kind))
    mark = b"\0".join(head.encode() + body for head, body, _ in parts)
    boundary = f"{urls.fingerprint('multipart', '', mark) & (2**64 - 1):016x}" * 2
    lines = []
    for head, body, kind in parts:
        lines.append(
            f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n".encode()
        )
        lines.append(f"Content-Type: {kind}\r\n".encode() if kind else b"")
        lines += [b"\r\n", body, b"\r\n"]
    lines.append(f"--{boundary}--\r\n".encode())
    return b"".join(lines), f"multipart/form-data; boundary={boundary}"


def _file(name: str, value: Any) -> tuple[str, bytes, str]:
    filename, content, *rest = value if isinstance(value, tuple) else (name, value)
    if hasattr(content, "read"):
        content = content.read()
    body = content.encode() if isinstance(content, str) else bytes(content)
    return str(filename), body, str(rest[0] if rest else "application/octet-stream")


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
