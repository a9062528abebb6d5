"""A response: its head, and a body that is read once or streams; what to follow.

Rule: nothing here does I/O but through the body that the client handed over.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    BinaryIO,
    Never,
    NoReturn,
    Protocol,
    TypeVar,
    overload,
)

import anyio
import anyio.to_thread
import msgspec

from crawler.errors import ConfigError, FetchError, Reason
from crawler.foreign_names import RESPONSE, refuse_arguments, refuse_attribute
from crawler.page import Node, Page
from crawler.references import LINK_ATTRIBUTES, Names
from crawler.request import DEFAULT_OPTIONS, LinkRequest, Options, Request
from crawler.request_parts import encode_meta, name_of
from crawler.web import cookie_jar, media_type, urls
from crawler.web import encoding as encodings
from crawler.web.links import Resolver
from crawler.web.media_type import MediaType
from crawler.web.urls import Pattern, Patterns

if TYPE_CHECKING:
    from crawler.http import Headers

T = TypeVar("T")

_NO_PATTERNS = Patterns(None)
_SAVE_BATCH = 1024**2
_LONGEST_LINE = 32 * 1024**2


class Body(Protocol):
    """A body on its way: bounded, decoded, read at most once."""

    @property
    def received(self) -> int:
        """Bytes that came over the wire so far."""
        ...

    def take_complete(self) -> bytes | None:
        """The whole body if it is here already, else None."""
        ...

    async def read(self) -> bytes:
        """The whole body, within its bounds; FetchError beyond them."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body piece by piece, decoded."""
        ...

    def keep_transferred(self) -> None:
        """Keep what the wire brings, as it comes."""
        ...

    @property
    def transferred(self) -> bytes:
        """What the wire has brought since `keep_transferred`."""
        ...

    async def aclose(self) -> None:
        """Let go of what is left of it."""
        ...


class Head(Protocol):
    """A head's fields."""

    @property
    def headers(self) -> Headers:
        """All of them, as httpx gives them."""
        ...

    @property
    def transferred(self) -> Sequence[tuple[bytes, bytes]]:
        """All of them as they came over the wire."""
        ...

    def value(self, name: bytes) -> str | None:
        """The first field of that name (lower case)."""
        ...

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """All fields of that name (lower case), as they came."""
        ...


class LinkBatch(msgspec.Struct, frozen=True):
    """Links to follow, with one callback, priority and meta for all of them.

    What `follow_all` and `follow_links` give; a spider yields it whole. A link that
    is known already costs no Request.
    """

    base_url: str
    references: Sequence[str]
    callback: str
    allow: Patterns
    deny: Patterns
    priority: int
    meta: bytes
    options: Options


class Response:
    """What a server answered, under httpx's names.

    With `stream=True` a callback gets it before the body: use `aiter_bytes`,
    `aiter_lines` or `save` then, once; else `content`, `text`, `css` are at hand.
    """

    __slots__ = (
        "_content",
        "_media_type",
        "_page",
        "_sniffed",
        "elapsed",
        "head",
        "http_version",
        "is_from_wire",
        "max_links",
        "request",
        "status_code",
        "stream",
        "url",
    )

    def __init__(
        self,
        request: Request,
        status_code: int,
        head: Head,
        body: Body,
        *,
        url: str | None = None,
        http_version: str = "HTTP/1.1",
        elapsed: float = 0.0,
        is_from_wire: bool = True,
        content: bytes | None = None,
    ) -> None:
        self.request = request
        #: The canonical URL of what was answered: the request's, unless a layer says
        #: otherwise. Redirects are requests of their own.
        self.url = request.url if url is None else url
        #: Whether the host was asked for it; False: a cache or a recording had it.
        self.is_from_wire = is_from_wire
        self.status_code = status_code
        #: The fields one by one, without making `headers` of them.
        self.head = head
        #: "HTTP/1.1" or "HTTP/2".
        self.http_version = http_version
        #: Seconds from the request to the end of the head, of the body once read.
        self.elapsed = elapsed
        #: Links that are taken of the page at most.
        self.max_links = 10_000
        #: The body on its way; `content`, `aiter_bytes` and `save` read it.
        self.stream = body
        self._content = content
        self._media_type: MediaType | None = None
        self._sniffed: str | None = None
        self._page: Page | None = None

    def keep_transferred(self) -> None:
        """Keep the body as it is transferred, too; call it before the body is read."""
        self.stream.keep_transferred()

    @property
    def transferred(self) -> bytes:
        """The body as it came over the wire, its content codings still applied; whole
        once the body was read, if `keep_transferred` was called before."""
        return self.stream.transferred

    @property
    def transferred_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The header fields as they came, those of the codings included."""
        return self.head.transferred

    @property
    def headers(self) -> Headers:
        """The header fields, case-insensitive, as httpx gives them."""
        return self.head.headers

    @property
    def meta(self) -> dict[str, Any]:
        """The request's own values, as its maker gave them."""
        return self.request.meta

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code <= 299

    @property
    def content(self) -> bytes:
        """The body, decoded; with `stream=True` only after `await aread()`."""
        if self._content is None:
            raise ConfigError(
                "The body of a streamed response is not here yet; use "
                "`await response.aread()`, aiter_bytes(), aiter_lines() or save()"
            )
        return self._content

    async def aread(self) -> bytes:
        """Read the whole body, within its bounds."""
        if self._content is None:
            content = self.stream.take_complete()
            self._content = await self.stream.read() if content is None else content
        return self._content

    @property
    def received(self) -> int:
        """Bytes of the body that came over the wire so far."""
        return self.stream.received

    @property
    def content_type(self) -> str:
        """The media type, lower case and without parameters.

        If the server declares none, the type is sniffed from the body; it is empty
        as long as the body is not here.
        """
        declared = self._declared.essence
        if declared or self._content is None:
            return declared
        if self._sniffed is None:
            is_nosniff = media_type.is_nosniff(
                self.head.values(b"x-content-type-options")
            )
            self._sniffed = media_type.sniff(self._content, scriptable=not is_nosniff)
        return self._sniffed

    @property
    def is_type_declared(self) -> bool:
        """Whether the server named a media type; else `content_type` is sniffed."""
        return bool(self._declared.essence)

    @property
    def _declared(self) -> MediaType:
        """What Content-Type says; read once."""
        if self._media_type is None:
            self._media_type = media_type.extract(self.head.values(b"content-type"))
        return self._media_type

    @property
    def _charset(self) -> str | None:
        return self._declared.parameters.get("charset")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that this response sets, by name; not those that it deletes.

        They are read as the crawl's own sessions read them (RFC 6265bis 5.6).
        """
        lines = self.head.values(b"set-cookie")
        return cookie_jar.read(self.url, lines, time.time())

    @property
    def page(self) -> Page:
        """The body as a parsed HTML page; parsed once, at first use."""
        if self._page is None:
            charset = self._charset
            if self._xml_type and not encodings.label(charset):
                charset = encodings.xml_encoding(self.content)
            self._page = Page(
                self.content,
                self.url,
                charset,
                max_links=self.max_links,
                xml_type="" if self._is_html else self._xml_type,
            )
        return self._page

    @property
    def asked(self) -> Mapping[str, bool]:
        """The selectors that the page was asked for, and whether each matched."""
        return {} if self._page is None else self._page.asked

    @property
    def links_cut(self) -> int:
        """Links beyond `max_links` that were not taken."""
        return 0 if self._page is None else self._page.links_cut

    @property
    def has_no_links(self) -> bool:
        """Whether links were asked of XML, which has none."""
        return self._page is not None and self._page.has_no_links

    @property
    def encoding(self) -> str:
        """The name of the body's encoding, as the WHATWG calls it."""
        return self.page.encoding

    @property
    def text(self) -> str:
        """The body as text: by BOM, header, `<meta>`, then by its bytes."""
        if self._is_html:
            return self.page.source
        return encodings.decode(self.content, self._charset, html=False)[0]

    @property
    def _is_html(self) -> bool:
        kind = self.content_type
        # Fragments such as "<ul>" are sniffed as text, and are HTML to a spider.
        is_open = kind in ("", "text/plain") and not self.is_type_declared
        if "html" in kind or is_open:
            return True
        return media_type.is_xml(kind) and media_type.is_xhtml(self._content or b"")

    @property
    def _xml_type(self) -> str:
        """The media type if it is XML, else empty."""
        return self.content_type if media_type.is_xml(self.content_type) else ""

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, kind: type[T]) -> T: ...

    def json(self, kind: Any = Any) -> Any:
        """The body as JSON (RFC 8259), checked against `kind` where it is given."""
        try:
            return msgspec.json.decode(self.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise FetchError(Reason.PARSE_ERROR, f"JSON: {exc}", url=self.url) from exc

    def css(self, selector: str) -> list[Node]:
        """The elements that match a CSS selector, in document order."""
        return self.page.css(selector)

    def css_first(self, selector: str) -> Node | None:
        """The first element that matches, or None."""
        return self.page.css_first(selector)

    def links(
        self,
        selector: str | None = None,
        *,
        allow: Iterable[Pattern] | Pattern | None = None,
        deny: Iterable[Pattern] | Pattern | None = None,
        tags: Names = None,
        attributes: Names = None,
    ) -> list[str]:
        """The page's links as absolute URLs, each once, in order.

        `tags` names elements ("img"), `attributes` theirs ("srcset", "data-src").
        """
        page = self.page
        references = page.references(selector, tags, attributes)
        links = Resolver().resolve_all(page.base_url, references)
        wanted, unwanted = _patterns(allow), _patterns(deny)
        return [link.url for link in links if is_wanted(link.url, wanted, unwanted)]

    def follow(
        self,
        target: str | Node,
        callback: str | Callable[..., Any] = "parse",
        **options: Any,
    ) -> Request:
        """A request for a link of this page: a reference, or an element with one.

        Scope and depth judge it like any link; `Request` asks neither.
        """
        reference = target if isinstance(target, str) else _reference(target)
        base = self.url
        if self._is_html and self._content:
            base = self.page.base_url
            if self.encoding != "utf-8":
                reference = encodings.encode_query(reference, self.encoding)
        try:
            url = urls.join(base, reference)
        except urls.InvalidUrl as exc:
            raise ConfigError(f"follow({reference!r}) on {self.url}: {exc}") from exc
        options.setdefault("session", self.request.options.session)
        options.setdefault("proxy", self.request.options.proxy)
        return LinkRequest(url, callback, **options)

    def follow_all(
        self,
        selector: str,
        callback: str | Callable[..., Any] = "parse",
        *,
        allow: Iterable[Pattern] | Pattern | None = None,
        deny: Iterable[Pattern] | Pattern | None = None,
        priority: int = 0,
        meta: Mapping[str, Any] | None = None,
        errback: str | Callable[..., Any] | None = None,
        **unknown: Never,
    ) -> LinkBatch:
        """Every link that `selector` matches, or that lies inside what it matches."""
        refuse_arguments("follow_all", unknown)
        return self._batch(
            self.page.references(selector),
            callback,
            allow,
            deny,
            priority,
            meta,
            errback,
        )

    def follow_links(
        self,
        callback: str | Callable[..., Any] = "parse",
        *,
        allow: Iterable[Pattern] | Pattern | None = None,
        deny: Iterable[Pattern] | Pattern | None = None,
        tags: Names = None,
        attributes: Names = None,
        priority: int = 0,
        meta: Mapping[str, Any] | None = None,
        errback: str | Callable[..., Any] | None = None,
        **unknown: Never,
    ) -> LinkBatch:
        """Every link of the page; `tags` and `attributes` say what is a link."""
        refuse_arguments("follow_links", unknown)
        references = self.page.references(None, tags, attributes)
        return self._batch(references, callback, allow, deny, priority, meta, errback)

    def _batch(
        self,
        references: Sequence[str],
        callback: str | Callable[..., Any],
        allow: Iterable[Pattern] | Pattern | None,
        deny: Iterable[Pattern] | Pattern | None,
        priority: int,
        meta: Mapping[str, Any] | None,
        errback: str | Callable[..., Any] | None,
    ) -> LinkBatch:
        own = self.request.options
        options = DEFAULT_OPTIONS
        if own.session or own.proxy or errback:
            name = name_of(errback) if errback else ""
            options = Options(session=own.session, proxy=own.proxy, errback=name)
        return LinkBatch(
            self.page.base_url,
            references,
            name_of(callback),
            _patterns(allow),
            _patterns(deny),
            priority,
            encode_meta(meta),
            options,
        )

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body piece by piece, decoded, as it comes."""
        if self._content is not None:
            yield self._content
            return
        async for piece in self.stream:
            yield piece

    async def aiter_lines(self) -> AsyncIterator[str]:
        """The body line by line, without the line ends (LF or CRLF).

        FetchError for a line of over 32 MiB: it may be one without an end.
        """
        name = encodings.label(self._charset) or "utf-8"
        if name.startswith("utf-16") or name == "replacement":
            name = "utf-8"  # lines are found in the bytes, which UTF-16 forbids
        decode = partial(encodings.decode_as, name=name)
        rest: list[bytes] = []
        size = 0
        async for piece in self.aiter_bytes():
            *lines, last = piece.split(b"\n")
            if lines:
                lines[0] = b"".join((*rest, lines[0]))
                rest, size = [], 0
            for line in lines:
                yield decode(line.removesuffix(b"\r"))
            rest.append(last)
            size += len(last)
            if size > _LONGEST_LINE:
                raise FetchError(Reason.TOO_LARGE, "a line over 32 MiB", url=self.url)
        if size:
            yield decode(b"".join(rest))

    async def save(self, path: str | os.PathLike[str]) -> int:
        """Write the body to `path` (by a part file and a rename); returns its size.

        In constant memory; file work is done in a thread.
        """
        target = Path(path)
        part = await anyio.to_thread.run_sync(_open_part, target)
        try:
            size = await self._write(part)
            await anyio.to_thread.run_sync(_publish, part, target)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_discard, part)
            raise
        return size

    async def _write(self, part: BinaryIO) -> int:
        batch: list[bytes] = []
        size = waiting = 0
        async for piece in self.aiter_bytes():
            batch.append(piece)
            waiting += len(piece)
            if waiting >= _SAVE_BATCH:
                await anyio.to_thread.run_sync(part.writelines, batch)
                size, waiting, batch = size + waiting, 0, []
        await anyio.to_thread.run_sync(part.writelines, batch)
        return size + waiting

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self.stream.aclose()

    def __getattr__(self, name: str) -> NoReturn:
        refuse_attribute(self, name, RESPONSE)

    def __repr__(self) -> str:
        return f"<Response {self.status_code} {self.url}>"


def is_wanted(url: str, allow: Patterns, deny: Patterns) -> bool:
    """Whether `allow` names the URL, or names none, and `deny` does not."""
    return (not allow or allow.matches(url)) and not (deny and deny.matches(url))


def _patterns(value: Iterable[Pattern] | Pattern | None) -> Patterns:
    if value is None:
        return _NO_PATTERNS
    if isinstance(value, str | re.Pattern):
        return _compiled((value,))
    return _compiled(tuple(value))


@lru_cache(maxsize=256)
def _compiled(patterns: tuple[Pattern, ...]) -> Patterns:
    # A callback names the same patterns on every page.
    return Patterns(patterns)


def _reference(node: Node) -> str:
    if not isinstance(node, Node):  # css_first found nothing, as a rule
        raise ConfigError(f"follow({node!r}): give it a URL or an element")
    own = LINK_ATTRIBUTES.get(node.tag, "href")
    for name in (own, "href", "src"):
        value = node.attr(name, default="")
        if value:
            return value
    raise ConfigError(f"follow(<{node.tag}>): the element has no {own}")


def _open_part(target: Path) -> BinaryIO:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part").open("xb")


def _discard(part: BinaryIO) -> None:
    part.close()
    Path(part.name).unlink(missing_ok=True)


def _publish(part: BinaryIO, target: Path) -> None:
    part.flush()
    os.fsync(part.fileno())
    name = part.name
    part.close()
    Path(name).replace(target)
