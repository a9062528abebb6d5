"""The content of a response's body: text, JSON, XML, or an HTML page.

No I/O and no clock: the caller passes the body, complete or piece by piece.
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


# This class has over 15 methods, because users ask a response for many things; most
# methods have a few lines.
class Readable(Reply):
    """A response whose body can be read as text, JSON, XML, or an HTML page."""

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
        #: Maximum number of links that the page gives to the spider.
        self.max_links = 10_000
        #: Maximum number of nodes of a page that may be parsed.
        self.max_nodes = 1_000_000
        #: Called once the body has been read. This function parses a large page in a
        #: thread, and a suspicious page first in a separate process.
        self.examine: Callable[[Any], Awaitable[None]] | None = None
        self._page: Page | None = None

    async def aread(self) -> bytes:
        is_new = not self.is_read
        content = await super().aread()
        if is_new and self.examine is not None:
            await self.examine(self)
        return content

    @property
    def page(self) -> Page:
        """The body as an HTML page, parsed once, at first use."""
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
        """The `Page` if `page` has been used, else None."""
        return self._page

    @property
    def encoding(self) -> str:
        """The WHATWG name of the body's encoding."""
        return self.page.encoding

    @property
    def text(self) -> str:
        """The body as text. The encoding is given by the BOM, the header or a `<meta>`,
        or guessed from the bytes."""
        if self._is_html:
            return self.page.source
        return encodings.decode(self.content, self._charset, html=False)[0]

    @property
    def _is_html(self) -> bool:
        kind = self.content_type
        # A fragment such as "<ul>" is detected as text, but a spider treats it as HTML.
        is_open = kind in ("", "text/plain") and not self.is_type_declared
        if "html" in kind or is_open:
            return True
        return media_type.is_xml(kind) and media_type.is_xhtml(self._content or b"")

    @property
    def _xml_type(self) -> str:
        return self.content_type if media_type.is_xml(self.content_type) else ""

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, kind: type[T]) -> T: ...

    def json(self, kind: Any = Any) -> Any:
        """Return the value of the JSON body (RFC 8259), converted to the type `kind` if
        given.

        A BOM, UTF-16 and UTF-32 are accepted, too; half a surrogate pair becomes
        U+FFFD. Raises FetchError (`parse_error`) if the body is not JSON or does not
        fit the type.
        """
        try:
            return self._decoded_json(kind)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise FetchError(
                Reason.PARSE_ERROR,
                f"the response cannot be read as JSON: {exc}",
                url=self.url,
            ) from exc

    def _decoded_json(self, kind: Any) -> Any:
        try:
            return msgspec.json.decode(self.content, type=kind)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Most bodies are valid UTF-8; the others are converted to UTF-8 and parsed
            # again.
            text = as_utf8(self.content, self._charset)
            return msgspec.json.decode(text, type=kind)

    @property
    def xml(self) -> Element:
        """The root element of the body as XML, parsed once:
        `response.xml.iter("item")`.

        Raises FetchError (`parse_error`) if the body is not XML, or too large. A DTD in
        the document, and entities that it declares, are refused.
        """
        return self.page.xml

    async def xml_elements(self, *names: str) -> AsyncIterator[Element]:
        """Yield the XML elements with these names, in constant memory.

        Works for a streamed body of any size: `async for item in
        response.xml_elements("item")`. The name "item" matches in every namespace, and
        "{uri}item" only in that namespace. Without names the children of the root
        element are yielded. If the XML is invalid, the elements before the error are
        yielded; then FetchError (`parse_error`) is raised.
        """
        from crawler.web import xml_tree  # imported late: most crawls read no XML

        reader = xml_tree.ElementReader(names, self._charset, max_nodes=self.max_nodes)
        try:
            async for piece in self.aiter_bytes():
                for start in range(0, len(piece), xml_tree.STEP):
                    for element in reader.feed(piece[start : start + xml_tree.STEP]):
                        yield element
                    await checkpoint()  # let other tasks run
            for element in reader.close():
                yield element
        except xml_tree.XmlError as exc:
            before = f"{reader.count:,} element{'s'[: reader.count != 1]} came before"
            raise FetchError(
                Reason.PARSE_ERROR,
                f"the response cannot be read as XML: {exc}; {before}",
                url=self.url,
            ) from exc

    def linked_data(
        self, kind: str | None = None, *, nested: bool = False
    ) -> list[LinkedItem]:
        """Return the page's data for machines: JSON-LD, microdata, OpenGraph, the
        Twitter card.

        The items are sorted by format, in this order. With a `kind` only items of that
        type are returned: "Product" of schema.org, or a full type. With `nested` items
        inside other items are returned, too.
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
        """Return data that the page contains for its own scripts.

        With `name`, return the value that has this name. With `key`, return the value
        of this key inside that value, nearest to its root. If the page has no such
        value, return `default` or raise SelectorError.

        The name is the `id` of a `<script type="application/json">` ("__NEXT_DATA__"),
        or the variable that a script assigns or pushes to ("dataLayer"). Without `name`
        and `key`, return all values with their names. JavaScript literals that are not
        JSON need the extra `scripts`.
        """
        if name is None and key is None:
            return list(self.page.embedded_json.values)
        return self.page.embedded_value(name, key, default)

    @property
    def selector(self) -> Selector:
        """parsel's `Selector` of the body (HTML, XML or JSON), created once.

        Offers XPath, `::text`, `.re()` and JMESPath. Needs the extra `xpath`.
        """
        if "json" not in self.content_type:
            return self.page.selector
        return self.page.json_selector(self.json)

    def xpath(
        self, query: str, namespaces: Mapping[str, str] | None = None, **variables: Any
    ) -> SelectorList[Selector]:
        """Return the results of an XPath 1.0 expression on HTML or XML.

        `namespaces` maps prefixes to URIs; other arguments are variables of the
        expression. Raises SelectorError if the expression is invalid. Needs the extra
        `xpath`.
        """
        return self.page.xpath(query, namespaces, **variables)

    def jmespath(self, query: str) -> SelectorList[Selector]:
        """Return the results of a JMESPath expression on JSON. Raises SelectorError if
        the expression is invalid. Needs the extra `xpath`."""
        try:
            return self.page.json_selector(self.json).jmespath(query)
        except ValueError as exc:
            raise SelectorError(
                query,
                self.url,
                f"is not a valid JMESPath expression ({exc}); correct it: the spider "
                "used it",
            ) from exc

    def css(self, selector: str) -> Nodes:
        """Return the elements that match a CSS selector, in document order."""
        return self.page.css(selector)

    def css_first(self, selector: str) -> Node | None:
        """Return the first element that matches a CSS selector, or None."""
        return self.page.css_first(selector)
