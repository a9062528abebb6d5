"""What the body of a reply says: text, JSON, XML, a page of HTML.

Pure: the body is here already, or comes piece by piece.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec
from anyio.lowlevel import checkpoint

from crawler.errors import FetchError, Reason, SelectorError
from crawler.message.received import BodyStream, Head
from crawler.message.reply import Reply
from crawler.page import Page
from crawler.page.node import MISSING, Node, Nodes
from crawler.request import Request
from crawler.web import encoding as encodings
from crawler.web import media_type
from crawler.web.json_text import as_utf8

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from parsel import Selector, SelectorList

    from crawler.web.embedded_json import EmbeddedJson
    from crawler.web.linked_item import LinkedItem

T = TypeVar("T")


# Over 15 methods: what people ask a response, most of them a few lines.
class Readable(Reply):
    """A reply whose body can be read: as text, JSON, XML, or a page of HTML."""

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
        self.examine: Callable[[Any], Awaitable[None]] | None = None
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

    @property
    def xml(self) -> Element:
        """The root element of the body as XML: `response.xml.iter("item")`. Parsed
        once; FetchError (`parse_error`) if it is no XML, or too much of it.

        An entity that the document declares is refused, and so is its own DTD.
        """
        return self.page.xml

    async def xml_elements(self, *names: str) -> AsyncIterator[Element]:
        """The XML elements of these names one by one, also of a streamed body of any
        size, in constant memory: `async for item in response.xml_elements("item")`.

        A name counts in any namespace ("item"), or in one ("{uri}item"). Without names
        the children of the root element are given. FetchError (`parse_error`) where
        the XML breaks: after the elements that came before.
        """
        from crawler.web import xml_tree  # most crawls read no XML

        reader = xml_tree.ElementReader(names, self._charset, max_nodes=self.max_nodes)
        try:
            async for piece in self.aiter_bytes():
                for start in range(0, len(piece), xml_tree.STEP):
                    for element in reader.feed(piece[start : start + xml_tree.STEP]):
                        yield element
                    await checkpoint()  # others have their turn
            for element in reader.close():
                yield element
        except xml_tree.XmlError as exc:
            before = f"{reader.count:,} element{'s'[: reader.count != 1]} came before"
            detail = f"XML: {exc}; {before}"
            raise FetchError(Reason.PARSE_ERROR, detail, url=self.url) from exc

    def linked_data(
        self, kind: str | None = None, *, nested: bool = False
    ) -> list[LinkedItem]:
        """What the page says for machines: JSON-LD, microdata, OpenGraph, the Twitter
        card, in this order; read once, from the tree that `css` asks.

        With a `kind` the items of that type: "Product" of schema.org, or a type in
        full. With `nested` those inside other items, too.
        """
        found = self.page.linked_data.of_kind(kind, nested=nested)
        if kind is not None:
            self.page.note(f"linked_data({kind!r})", matched=bool(found))
        return found

    @overload
    def embedded_json(self) -> list[EmbeddedJson]: ...
    @overload
    def embedded_json(
        self, name: str | None = None, *, key: str | None = None, default: Any = ...
    ) -> Any: ...

    def embedded_json(
        self,
        name: str | None = None,
        *,
        key: str | None = None,
        default: Any = MISSING,
    ) -> Any:
        """Data that the page carries for its own scripts: a value by its name, or what
        stands under a key inside, nearest to the root. For none `default`, or
        SelectorError.

        The name is the `id` of a `<script type="application/json">`
        ("__NEXT_DATA__"), or the variable that a script assigns or pushes to
        ("dataLayer"). Without both: all values with their names. What is no JSON but a
        literal of JavaScript is read by the extra `scripts`.
        """
        if name is None and key is None:
            return list(self.page.embedded_json.values)
        return self.page.embedded_value(name, key, default)

    @property
    def selector(self) -> Selector:
        """parsel's `Selector` of the body, HTML or XML or JSON, made once: XPath,
        `::text`, `.re()`, JMESPath. By the extra `xpath`."""
        if "json" not in self.content_type:
            return self.page.selector
        return self.page.json_selector(self.json)

    def xpath(
        self, query: str, namespaces: Mapping[str, str] | None = None, **variables: Any
    ) -> SelectorList[Selector]:
        """What an XPath 1.0 expression finds in HTML or XML; by the extra `xpath`.

        `namespaces` maps prefixes to URIs; other arguments are the variables of the
        expression. SelectorError for what is no XPath.
        """
        return self.page.xpath(query, namespaces, **variables)

    def jmespath(self, query: str) -> SelectorList[Selector]:
        """What a JMESPath expression finds in JSON; by the extra `xpath`."""
        try:
            return self.page.json_selector(self.json).jmespath(query)
        except ValueError as exc:
            detail = f"is not JMESPath ({exc}), asked"
            raise SelectorError(query, self.url, detail) from exc

    def css(self, selector: str) -> Nodes:
        """The elements that match a CSS selector, in document order."""
        return self.page.css(selector)

    def css_first(self, selector: str) -> Node | None:
        """The first element that matches, or None."""
        return self.page.css_first(selector)
