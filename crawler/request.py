"""Request: an HTTP request that a spider makes. Entry: a request with its place in the
crawl.

Rule: creating a Request turns its body into bytes and its `meta` into JSON, even if the
crawl stores nothing. So a spider that works in memory also works after a restart. No
pickle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Literal, Never, NoReturn
from urllib.parse import urlencode

import msgspec

from crawler.errors import ConfigError
from crawler.errors.foreign_names import refuse_arguments
from crawler.message import request_parts as parts
from crawler.message.request_parts import Files, Pairs, Params, encode_meta, name_of
from crawler.settings import check_proxy, without_password
from crawler.web import urls
from crawler.web.credentials import basic_of
from crawler.web.multipart import Pieces, identity
from crawler.web.redaction import redacted

#: Prefix of `Request.url` if the URL was invalid; the error message follows. No valid
#: URL begins with this prefix.
BAD_URL = "bad-url: "
#: Whether a Request stores an invalid URL instead of raising. True in `start()`: an
#: exception would end its generator and lose all later URLs.
_notes_bad_urls: ContextVar[bool] = ContextVar("notes_bad_urls", default=False)


def note_bad_urls() -> None:
    """Let Requests created in this task from now on accept an invalid URL.

    The error message about the URL is not raised, but stored in `Request.url`, after
    the prefix BAD_URL.
    """
    _notes_bad_urls.set(True)


#: Prefix of a request's `proxy` if it names a tag in the list [proxies], not a URL.
TAG = "tag:"

#: What a request is for: a page, a robots.txt, the login of a session, or a file of an
#: item.
Purpose = Literal["page", "robots", "login", "file"]


# This class has over 12 attributes, because it is a plain value with one field for each
# option of a request.
class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """The options of a request that are rarely set.

    All requests with the defaults share the value DEFAULT_OPTIONS, which saves memory.
    """

    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    #: The parts of a multipart body with files; the files are read when the request is
    #: sent. Without files the body is `content`.
    pieces: Pieces = ()
    #: The name of the session whose cookies and login the request uses.
    session: str = ""
    #: A proxy's URL, or "tag:NAME" for a proxy in [proxies] with this tag.
    proxy: str = ""
    #: Whether the callback runs before the body has arrived.
    stream: bool = False
    #: Whether the request is skipped if an equal one was sent before.
    once: bool = True
    #: The name of the spider's method that is called if the request fails.
    errback: str = ""
    #: Seconds, in place of the settings `http.connect` and `http.read`; None: the
    #: settings are used.
    timeout: float | None = None
    #: How to fetch the request, such as "browser"; "" is plain HTTP.
    kind: str = ""
    purpose: Purpose = "page"
    #: The Authorization header for a user and password that were part of the URL.
    authorization: str = ""
    #: Statuses whose responses reach the callback, besides 2xx and the spider's own.
    statuses: tuple[int, ...] = ()
    #: Whether a redirect is followed; if not, the redirect itself reaches the callback.
    follow_redirects: bool = True


DEFAULT_OPTIONS = Options()
_options_decoder = msgspec.json.Decoder(Options)


# This class has over 15 methods, because each option that other modules read is a
# property.
class Request:
    """One request to send, as an immutable value; arguments have the names of httpx.

        Request("https://a.example/", callback="parse_book", meta={"shelf": 3})

    - `content` is the body itself, `data` a form, `json` any JSON value. `files` makes
      a multipart form; a `Path` in it is read when the request is sent.
    - `callback` and `errback` are methods of the spider, or their names. `errback` is
      called if the request fails for good.
    - `meta` holds your own JSON values; they come back as `response.meta`.
    - `priority`: requests with a higher number are sent first.
    - `depth` is the number of links from a start page; by default the depth of the page
      plus one.
    - `session` is a name; requests with the same session share cookies and login.
    - `proxy` is a URL, or "tag:NAME" for a proxy in [proxies] with this tag.
    - `stream=True` calls the callback before the body has arrived.
    - `once=False` sends the request even if an equal one was sent before.
    - `timeout` is in seconds, in place of `http.connect` and `http.read`.
    - `kind` says how to fetch the request, such as "browser"; the spider's layers
      around each request can read it.
    - Responses with one of `statuses` reach the callback, besides 2xx. With
      `follow_redirects=False` a redirect does, too.
    """

    __slots__ = ("_meta", "callback", "depth", "options", "priority", "url")

    url: str
    callback: str
    priority: int
    depth: int | None
    options: Options
    _meta: bytes

    # This function has over forty lines, because half of them are its arguments. Most
    # of these are arguments of httpx's requests, too.
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
        statuses: Iterable[int] = (),
        follow_redirects: bool = True,
        **unknown: Never,
    ) -> None:
        refuse_arguments("Request", unknown, _ARGUMENTS)
        body = parts.body(content, data, json, files)
        pairs = parts.with_type(parts.headers(headers), body.content_type)
        method = parts.method(method or ("POST" if body.is_given else "GET"))
        options = Options(
            method=method,
            headers=pairs,
            cookies=parts.cookies(cookies),
            content=body.content,
            pieces=body.pieces,
            session=session,
            proxy=checked_proxy(proxy),
            stream=stream,
            once=once,
            errback=name_of(errback) if errback else "",
            timeout=timeout,
            kind=kind,
            statuses=parts.statuses(statuses),
            follow_redirects=follow_redirects,
            authorization=basic_of(url) if isinstance(url, str) else "",
        )
        _set(self, "url", _absolute_or_noted(url, params))
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
        """Return a request from checked parts: a canonical URL, `meta` as JSON.

        Nothing is checked again, so this is faster than the constructor.
        """
        request = cls.__new__(cls)
        _set(request, "url", url)
        _set(request, "callback", callback)
        _set(request, "priority", priority)
        _set(request, "depth", depth)
        _set(request, "options", options)
        _set(request, "_meta", meta)
        return request

    @classmethod
    def from_curl(
        cls,
        command: str,
        callback: str | Callable[..., Any] = "parse",
        **options: Any,
    ) -> Request:
        """Return the request of a curl command line, such as a browser's "Copy as cURL"
        (bash or cmd).

        `options` are arguments of `Request`; they take precedence over the command
        line. Raise ConfigError if the command line has an unknown option.
        """
        # imported here because few crawls use it
        from crawler.message import curl_request

        return cls(callback=callback, **(curl_request.arguments(command) | options))

    def to_curl(self) -> str:
        """Return a curl command line that sends this request, quoted for bash.

        The command line may contain passwords and cookies.
        """
        from crawler.message import curl_request

        return curl_request.line(self.url, self.options)

    def replace(self, **changes: Any) -> Request:
        """Return a copy in which these arguments of `Request` have other values."""
        unknown = sorted(changes.keys() - _ARGUMENTS)
        refuse_arguments("Request.replace", unknown, _ARGUMENTS)
        callback = name_of(changes.get("callback", self.callback))
        meta = encode_meta(changes["meta"]) if "meta" in changes else self._meta
        url, params = changes.get("url", self.url), changes.get("params")
        options = _changed(self.options, changes)
        if url is not self.url or params:
            given, url = url, _absolute(url, params)
            options = _for_url(options, self.url, given, url)
        return self.build(
            url,
            callback,
            priority=changes.get("priority", self.priority),
            depth=changes.get("depth", self.depth),
            meta=meta,
            options=options,
        )

    def at_depth(self, depth: int) -> Request:
        """Return a copy with this depth."""
        return self.build(
            self.url,
            self.callback,
            priority=self.priority,
            depth=depth,
            meta=self._meta,
            options=self.options,
        )

    @property
    def meta(self) -> dict[str, Any]:
        """The JSON values that the spider gave; each access returns a new copy."""
        if not self._meta:
            return {}
        values: dict[str, Any] = msgspec.json.decode(self._meta)
        return values

    @property
    def encoded_meta(self) -> bytes:
        """`meta` as JSON, as the store keeps it; empty if there is none."""
        return self._meta

    @property
    def method(self) -> str:
        """The HTTP method, in upper case."""
        return self.options.method

    @property
    def content(self) -> bytes:
        """The body as it is sent; empty if there is none, or if it contains files that
        are read only when the request is sent."""
        return self.options.content

    @property
    def purpose(self) -> Purpose:
        """What the request is for: "page", "robots", "login" or "file"."""
        return self.options.purpose

    @property
    def kind(self) -> str:
        """How the request is fetched, such as "browser"; "" is plain HTTP."""
        return self.options.kind

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """Return a copy with these headers added; they replace headers with the same
        names."""
        added = parts.headers(headers)
        names = {name.lower() for name, _ in added}
        kept = [pair for pair in self.options.headers if pair[0].lower() not in names]
        options = msgspec.structs.replace(self.options, headers=(*kept, *added))
        return self.with_options(options)

    def with_cookie_header(self, value: str) -> Request:
        """Return a copy with this Cookie header and no other cookies."""
        if any(char in value for char in "\r\n\0"):
            raise ConfigError(
                "the header 'Cookie' contains a line break or NUL; remove it"
            )
        headers = [p for p in self.options.headers if p[0].lower() != "cookie"]
        headers.append(("Cookie", value))
        options = msgspec.structs.replace(
            self.options, headers=tuple(headers), cookies=()
        )
        return self.with_options(options)

    def for_purpose(self, purpose: Purpose) -> Request:
        """Return a copy with this purpose: "page", "robots", "login" or "file"."""
        return self.with_options(msgspec.structs.replace(self.options, purpose=purpose))

    def with_options(self, options: Options) -> Request:
        """Return a copy with these options."""
        return self.build(
            self.url,
            self.callback,
            priority=self.priority,
            depth=self.depth,
            meta=self._meta,
            options=options,
        )

    def fingerprint(
        self, ordinal: int = 0, form: Callable[[str], str] | None = None
    ) -> int:
        """Return the request's identity: a 64-bit hash of method, URL and body.

        Two requests with the same fingerprint are equal. `ordinal` makes the
        fingerprints of equal requests different, for `once=False`. `form` reduces the
        URL to the part that identifies a page; it may remove tracking parameters, for
        example.
        """
        options, url = self.options, self.url
        if form is not None:
            url = form(url)
        body = options.content or identity(options.pieces)
        return urls.fingerprint(options.method, url, body, ordinal)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(
            f"a Request cannot be changed; make another: request.replace({name}=...)"
        )

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"{name!r} cannot be deleted, because a Request cannot be changed"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    def __hash__(self) -> int:
        return hash((self.url, self.callback, self._meta, self.options))

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url} -> {self.callback}>"


class LinkRequest(Request):
    """The request that `response.follow` returns for a link.

    The spider's `scope` (which URLs it may crawl) and `crawl.depth` apply to it; they
    do not apply to a plain Request.
    """

    __slots__ = ()


_set = object.__setattr__
_FIELDS = ("url", "callback", "priority", "depth", "_meta", "options")
_BODIES = ("content", "data", "json", "files")
#: Arguments of Request that are stored in Options without conversion.
_AS_GIVEN = ("session", "stream", "once", "timeout", "kind", "follow_redirects")
_ARGUMENTS = frozenset(
    {"url", "callback", "method", "params", "headers", "cookies", "meta", "priority"}
    | {"depth", "proxy", "errback", "statuses", *_BODIES, *_AS_GIVEN}
)


#: The value of `Entry.found_as` for a Request from `start()`.
START = "start"
#: The value of `Entry.found_as` for a Request that a callback built.
BUILT = "request"


# This class has over 12 attributes, because they are the columns of a row of the store.
class Entry:
    """A request with its place in the crawl: how it was found, and its tries so far.

    An entry is a row of the store, and waits in the frontier (the queue of requests to
    send). Only the crawl's engine changes an entry, after it has taken the entry from
    the frontier and before it commits the result.
    """

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
        #: The name and port of the host, under which requests are queued and paced.
        self.host = host
        #: The number of links from a start page; a redirect does not count.
        self.depth = depth
        #: The fingerprint of the page with the link to this URL; 0 for a start URL.
        self.parent = parent
        #: The link as written in the page, or the other source of the URL, such as
        #: "start".
        self.found_as = found_as
        #: The number of redirects that led to this URL.
        self.redirects = redirects
        #: The fingerprints of the URLs from which these redirects came.
        self.chain = chain
        #: The number of this URL in the order of discovery; the store assigns it.
        self.sequence = sequence
        #: The number of tries so far.
        self.attempt = attempt
        #: The time of the first try, in seconds since 1970; 0: not tried yet.
        self.first_tried = first_tried
        #: Total seconds for which this process had paused the host before the first
        #: try. Only later pauses are subtracted from the time since the first try.
        self.paused_before = 0.0
        #: The earliest time of the next try, in seconds of the monotonic clock; 0: now.
        self.due = due

    @property
    def kind(self) -> str:
        return self.request.options.kind

    @property
    def url(self) -> str:
        return self.request.url

    @property
    def priority(self) -> int:
        return self.request.priority

    @property
    def is_start(self) -> bool:
        """Whether this is a start URL, or the target of a start URL's redirect."""
        return self.parent == 0

    def __repr__(self) -> str:
        return f"<Entry {self.fingerprint:016x} {self.request.url}>"


def own_cookies(options: Options) -> str:
    """Return the value of the Cookie header that a request sets itself, by `cookies` or
    `headers`; "" if there is none."""
    pairs = [f"{name}={value}" for name, value in options.cookies]
    pairs += [value for name, value in options.headers if name.lower() == "cookie"]
    return "; ".join(pairs)


def encode_options(options: Options) -> bytes | None:
    """Return options as JSON for the store; None if all have their defaults."""
    return None if options is DEFAULT_OPTIONS else msgspec.json.encode(options)


def decode_options(data: bytes | None) -> Options:
    """Return the options that `encode_options` returned as JSON or None."""
    return DEFAULT_OPTIONS if data is None else _options_decoder.decode(data)


def _changed(options: Options, changes: Mapping[str, Any]) -> Options:
    """Return `options` after a change of arguments of Request; `changes` has the new
    values. Arguments that are not options are ignored."""
    new = {name: changes[name] for name in _AS_GIVEN if name in changes}
    if "headers" in changes:
        new["headers"] = parts.headers(changes["headers"] or ())
    if "cookies" in changes:
        new["cookies"] = parts.cookies(changes["cookies"])
    if "errback" in changes:
        new["errback"] = name_of(changes["errback"]) if changes["errback"] else ""
    if "proxy" in changes:
        new["proxy"] = checked_proxy(changes["proxy"] or "")
    if "statuses" in changes:
        new["statuses"] = parts.statuses(changes["statuses"] or ())
    if not changes.keys().isdisjoint(_BODIES):
        new |= _other_body(options, changes, new.get("headers"))
    if "method" in changes:
        new["method"] = parts.method(changes["method"])
    return msgspec.structs.replace(options, **new)


def _other_body(
    options: Options, changes: Mapping[str, Any], headers: Pairs | None
) -> dict[str, Any]:
    """Return the values of the options that change with a new body.

    They include a new Content-Type, unless `headers` has one. A GET becomes a POST.
    """
    body = parts.body(*map(changes.get, _BODIES))
    kept = parts.without_type(options.headers) if headers is None else headers
    new: dict[str, Any] = {
        "content": body.content,
        "pieces": body.pieces,
        "headers": parts.with_type(kept, body.content_type),
    }
    if body.is_given and options.method == "GET":
        new["method"] = "POST"
    return new


def _for_url(options: Options, before: str, given: str, url: str) -> Options:
    """Return `options` after a change of the URL from `before` to `url`.

    The user and password in `given` (the new URL as written) replace the old ones. The
    old ones are kept only for the same origin.
    """
    authorization = basic_of(given)
    if not authorization and urls.origin_of(url) == urls.origin_of(before):
        return options
    return msgspec.structs.replace(options, authorization=authorization)


def _absolute(url: str, params: Params | None) -> str:
    if not isinstance(url, str):
        raise ConfigError(
            f"Request({url!r}): the URL must be a str, not {parts.kind(url)}"
        )
    if params:
        base, _, fragment = url.partition("#")
        pairs = params.items() if isinstance(params, Mapping) else params
        query = urlencode(list(pairs), doseq=True)
        url = base + ("&" if "?" in base else "?") + query
        url += f"#{fragment}" if fragment else ""
    try:
        return urls.canonical(url)
    except urls.InvalidUrl as exc:
        shown = redacted(url)
        raise ConfigError(f"Request({shown!r}) cannot be made: {exc}") from exc


def _absolute_or_noted(url: str, params: Params | None) -> str:
    try:
        return _absolute(url, params)
    except ConfigError as exc:
        if not _notes_bad_urls.get():
            raise
        return f"{BAD_URL}{exc}"


def checked_proxy(proxy: str) -> str:
    """Return a request's `proxy` if it is valid: a URL, "tag:NAME", or "" for no proxy.

    Raise ConfigError if it is invalid.
    """
    if proxy and not proxy.startswith(TAG):
        try:
            check_proxy(proxy)
        except ValueError as exc:
            shown = without_password(proxy)
            raise ConfigError(f"proxy {shown!r} cannot be used: {exc}") from exc
    return proxy
