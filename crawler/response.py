"""A response: a reply whose body is text, JSON or a page, and the links to follow.

Pure: the body is here already.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Never, NoReturn, TypeVar, overload

import msgspec

from crawler.errors import ConfigError, FetchError, Reason
from crawler.errors.foreign_names import RESPONSE, refuse_arguments, refuse_attribute
from crawler.message.received import BodyStream, Head
from crawler.message.reply import Reply
from crawler.message.request_parts import encode_meta, name_of
from crawler.page import Node, Page
from crawler.request import DEFAULT_OPTIONS, LinkRequest, Options, Request
from crawler.web import encoding as encodings
from crawler.web import media_type, urls
from crawler.web.json_text import as_utf8
from crawler.web.links import Resolver
from crawler.web.references import LINK_ATTRIBUTES, Names
from crawler.web.urls import Pattern, Patterns

T = TypeVar("T")

_NO_PATTERNS = Patterns(None)


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


class Response(Reply):
    """The answer of a server, under httpx's names: a head, a body, and a page.

    With `stream=True` a callback gets it before the body: use `aiter_bytes`,
    `aiter_lines` or `save` then, once; else `content`, `text`, `css` are at hand.
    """

    __slots__ = ("_page", "examine", "max_links", "max_nodes")

    def __init__(
        self,
        request: Request,
        status_code: int,
        head: Head,
        body: BodyStream,
        *,
        url: str | None = None,
        http_version: str = "HTTP/1.1",
        elapsed: float = 0.0,
        is_from_wire: bool = True,
        content: bytes | None = None,
    ) -> None:
        super().__init__(
            request,
            status_code,
            head,
            body,
            url=url,
            http_version=http_version,
            elapsed=elapsed,
            is_from_wire=is_from_wire,
            content=content,
        )
        #: Links that are taken of the page at most.
        self.max_links = 10_000
        #: Nodes that the page may have at most.
        self.max_nodes = 1_000_000
        #: Sees to a page that is large or suspicious, once the body has been read.
        self.examine: Callable[[Response], Awaitable[None]] | None = None
        self._page: Page | None = None

    async def aread(self) -> bytes:
        """Read the whole body, within its bounds."""
        is_new = not self.is_read
        content = await super().aread()
        if is_new and self.examine is not None:
            await self.examine(self)
        return content

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
                max_nodes=self.max_nodes,
                xml_type="" if self._is_html else self._xml_type,
            )
        return self._page

    @property
    def parsed(self) -> Page | None:
        """The page if it was asked for, else None."""
        return self._page

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
        """The body as JSON (RFC 8259), checked against `kind` where it is given.

        A BOM, UTF-16 and UTF-32 are read, too; half a surrogate pair becomes U+FFFD.
        """
        try:
            return self._decoded_json(kind)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise FetchError(Reason.PARSE_ERROR, f"JSON: {exc}", url=self.url) from exc

    def _decoded_json(self, kind: Any) -> Any:
        try:
            return msgspec.json.decode(self.content, type=kind)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Most bodies are what JSON has to be; others are looked at once more.
            text = as_utf8(self.content, self._charset)
            return msgspec.json.decode(text, type=kind)

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

    def follow_urls(
        self,
        references: Sequence[str],
        callback: str | Callable[..., Any] = "parse",
        *,
        allow: Iterable[Pattern] | Pattern | None = None,
        deny: Iterable[Pattern] | Pattern | None = None,
        priority: int = 0,
        meta: Mapping[str, Any] | None = None,
        errback: str | Callable[..., Any] | None = None,
        stream: bool = False,
    ) -> LinkBatch:
        """Links that stand elsewhere than in a page's elements, such as in a sitemap or
        in JSON; relative ones are relative to this response. The body is not needed."""
        own = self.request.options
        options = Options(
            session=own.session,
            proxy=own.proxy,
            errback=name_of(errback) if errback else "",
            stream=stream,
        )
        return LinkBatch(
            self.url,
            references,
            name_of(callback),
            _patterns(allow),
            _patterns(deny),
            priority,
            encode_meta(meta),
            options if options != DEFAULT_OPTIONS else DEFAULT_OPTIONS,
        )

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
