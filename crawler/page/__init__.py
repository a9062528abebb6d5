"""A parsed page: its elements, their text, and its links. No I/O and no clock.

A page is parsed once, at first use, by selectolax (with lexbor). A page that could take
the parser too long is first parsed in a separate process, as a trial.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from selectolax.lexbor import LexborNode

from crawler.errors import FetchError, Reason, SelectorError
from crawler.errors.extras import missing
from crawler.page.node import (
    MISSING,
    Node,
    Nodes,
    attr_or,
    default_or_error,
    text_or,
)
from crawler.web import encoding
from crawler.web.finding import find_all, find_first
from crawler.web.html_limits import PageTooComplex, suspicion
from crawler.web.html_parser import parse
from crawler.web.references import LINKS, Names, Wanted, base_reference, wanted_links
from crawler.web.selectors import Tree
from crawler.web.urls import InvalidUrl, join

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from parsel import Selector, SelectorList

    from crawler.web.embedded_json import Embedded
    from crawler.web.linked_blocks import LinkedData

logger = logging.getLogger(__name__)

T = TypeVar("T")
Owner = TypeVar("Owner")
Value = TypeVar("Value")

# Maximum size in bytes of a page whose links always fit into memory as nodes.
_LARGE = 256 * 1024
# Maximum number of characters in the URLs taken from one page: 10,000 URLs of about 400
# characters.
_LINK_TEXT = 4 * 1024**2


class lazy(Generic[Owner, Value]):
    """`functools.cached_property` without its lock.

    Before Python 3.12 that lock is shared by all instances of a class while a value is
    computed. So parsing a page in a thread would block the pages on the event loop.
    """

    def __init__(self, make: Callable[[Owner], Value]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Owner, owner: type) -> Value: ...

    def __get__(self, instance: Owner | None, owner: type) -> Any:
        if instance is None:
            return self
        # The stored value hides this descriptor, so later accesses do not call it.
        value = instance.__dict__[self._name] = self._make(instance)
        return value


# This class has over 15 methods, because users ask a page for many things; most methods
# have a few lines.
class Page:
    """An HTML page, parsed at first use.

    `asked` records, for each selector used on the page or its elements, whether it
    matched anywhere. `links_cut` counts the skipped links beyond `max_links`. An XML
    response also has a `Page`, but without links; `css()` on this page raises
    SelectorError.
    """

    def __init__(
        self,
        body: bytes,
        url: str,
        charset: str | None = None,
        *,
        max_links: int = 10_000,
        max_nodes: int = 1_000_000,
        xml_type: str = "",
    ) -> None:
        self.url = url
        self.asked: dict[str, bool] = {}
        self.links_cut = 0
        #: Whether the spider asked for the links of this page although it is XML, which
        #: has none.
        self.has_no_links = False
        self._body = body
        self._charset = charset
        self._max_links = max_links
        self._max_nodes = max_nodes
        #: The result of the trial parse in a separate process: why the page must not be
        #: parsed; "" if the page may be parsed; None if there was no trial.
        self.verdict: str | None = None
        self._of_json: Selector | None = None
        #: The media type of an XML document, which the HTML parser must not read; ""
        #: for HTML.
        self._xml_type = xml_type

    @lazy
    def fills(self) -> dict[str, tuple[int, int]]:
        """For each field of the typed items extracted from this page: the number of
        items in which the field had a value, and the number of all items."""
        return {}

    @lazy
    def root(self) -> Node:
        """The `<html>` element. Raises PageTooComplex if parsing could take too
        long."""
        if self._xml_type:
            raise self._not_html("html")
        self.check()
        root = parse(self.markup)
        if root is None:
            raise SelectorError("html", self.url)
        is_odd = self.verdict is not None
        return Node(root, Tree(root, self.url, is_odd=is_odd, asked=self.asked))

    @lazy
    def xml(self) -> "Element":
        """The root element of the body as XML. Raises FetchError (`parse_error`) if the
        body is not XML or exceeds a limit."""
        from crawler.web import xml_tree  # imported late: most crawls read no XML

        try:
            return xml_tree.parse(self._body, self._charset, max_nodes=self._max_nodes)
        except xml_tree.XmlError as exc:
            raise FetchError(
                Reason.PARSE_ERROR,
                f"the response cannot be read as XML: {exc}",
                url=self.url,
            ) from exc

    @lazy
    def selector(self) -> "Selector":
        """parsel's `Selector` for XPath on the HTML page or the XML document; needs the
        extra `xpath`. Raises PageTooComplex if the page is too large or too deep."""
        try:
            from crawler.page import xpath  # needs the extra `xpath`
        except ImportError as exc:
            raise missing("XPath", "parsel", "xpath") from exc
        if not self._xml_type:
            self.check()
            markup = self.source.encode("utf-8", "replace")
            return xpath.html_selector(markup, self.url, bool(self.suspicion))
        from crawler.web import xml_tree

        try:
            text = xml_tree.as_checked_utf8(
                self._body, self._charset, max_nodes=self._max_nodes
            )
        except xml_tree.XmlError as exc:
            raise FetchError(
                Reason.PARSE_ERROR,
                f"the response cannot be read as XML: {exc}",
                url=self.url,
            ) from exc
        return xpath.xml_selector(text, self.url)

    def json_selector(self, read: Callable[[], Any]) -> "Selector":
        """Return parsel's `Selector` of the JSON body, created at the first call.
        `read` returns the parsed JSON."""
        if self._of_json is None:
            try:
                from crawler.page import xpath
            except ImportError as exc:
                raise missing("JMESPath", "parsel", "xpath") from exc
            self._of_json = xpath.json_selector(read())
        return self._of_json

    def xpath(
        self, query: str, namespaces: Mapping[str, str] | None = None, **variables: Any
    ) -> "SelectorList[Selector]":
        """Return the results of an XPath 1.0 expression. Raises SelectorError if the
        expression is invalid."""
        try:
            found = self.selector.xpath(query, namespaces, **variables)
        except ValueError as exc:
            raise SelectorError(
                query,
                self.url,
                f"is not a valid XPath expression ({exc}); correct it: the spider used "
                "it",
            ) from exc
        self.note(query, matched=bool(found))
        return found

    def note(self, what: str, *, matched: bool) -> None:
        """Record in `asked` whether the selector `what` has matched anywhere."""
        self.asked[what] = matched or self.asked.get(what, False)

    @lazy
    def linked_data(self) -> "LinkedData":
        """The page's linked data: JSON-LD, microdata, OpenGraph, Twitter card. JSON-LD
        that cannot be read is logged."""
        from crawler.web import linked_blocks  # most crawls read no linked data

        found = linked_blocks.read(self.root.lexbor, self.markup, self.base_url)
        for error in found.errors:
            logger.info(
                "A JSON-LD block of the page %s cannot be read and is skipped: %s",
                self.url,
                error,
            )
        return found

    @lazy
    def embedded_json(self) -> "Embedded":
        """The data for the page's own scripts, such as JSON in a `<script>`."""
        from crawler.web import embedded_json  # most crawls read no data of scripts

        return embedded_json.read(self.root.lexbor)

    def embedded_value(self, name: str | None, key: str | None, default: Any) -> Any:
        """Return the first value that the page embeds under `name`; with `key`, the
        value of this key inside it. If there is no such value, return `default`, or
        raise SelectorError without a default."""
        from crawler.web.embedded_json import find_key, is_named

        found = self.embedded_json
        values = (each.value for each in found.values if is_named(each.name, name))
        if key is not None:
            values = (inner for each in values for inner in find_key(each, key))
        value = next(values, MISSING)
        words = [repr(name)] * (name is not None) + [f"{key=}"] * (key is not None)
        asked = f"embedded_json({', '.join(words)})"
        self.note(asked, matched=value is not MISSING)
        if value is not MISSING:
            return value
        if default is MISSING and any(is_named(each, name) for each in found.unread):
            raise missing(
                "Reading JavaScript literals with embedded_json()", "chompjs", "scripts"
            )
        return default_or_error(default, asked, self.url)

    def check(self) -> None:
        """Raise PageTooComplex if parsing the page could take too much time or
        memory."""
        verdict = self.verdict
        if verdict is None and self.suspicion:
            verdict = f"{self.suspicion}, and no trial has shown that parsing is fast"
        if verdict:
            raise PageTooComplex(verdict, self.url)

    @lazy
    def markup(self) -> bytes:
        """The page in UTF-8, as passed to the parser."""
        if self.encoding == "utf-8":
            return self._body.removeprefix(b"\xef\xbb\xbf")
        return self.source.encode("utf-8", "replace")

    @lazy
    def suspicion(self) -> str:
        """Why parsing the page could take too long; "" if parsing is certainly fast."""
        if self._xml_type:
            return ""
        return suspicion(self.markup, max_nodes=self._max_nodes)

    @lazy
    def encoding(self) -> str:
        """The WHATWG name of the page's encoding, given by its BOM, the header or a
        `<meta>`, or guessed from its bytes."""
        return encoding.detect(self._body, self._charset)

    @lazy
    def source(self) -> str:
        """The page's HTML as the server sent it, decoded to text."""
        return encoding.decode_as(self._body, self.encoding)

    @lazy
    def base_url(self) -> str:
        """The base URL of links: the page's own URL, or its `<base href>`."""
        base = "" if self._xml_type else self._base
        try:
            return join(self.url, base) if base else self.url
        except InvalidUrl:
            return self.url

    @property
    def _base(self) -> str:
        """Return the address of the first `<base href>`, or "".

        The `<base>` is searched among the elements with an `href`, which are also
        needed for the links. If a page has too many such elements, a separate search
        finds the `<base>`.
        """
        if self.has_many_links:
            bases = self._tree.root.css("base[href]")
            return base_reference(bases, ["base"] * len(bases))
        if "base" not in self._tags_with_href:
            return ""
        return base_reference(self._with_href, self._tags_with_href)

    def css(self, selector: str) -> Nodes:
        """Return the elements that match `selector`, each once, in document order."""
        matches = self._select(selector)
        tree = self._tree
        found = Nodes([Node(node, tree) for node in matches])
        tree.note(selector, matched=bool(found))
        return found

    def css_first(self, selector: str) -> Node | None:
        """Return the first element that matches a CSS selector, or None."""
        if self._xml_type:
            raise self._not_html(selector)
        tree = self._tree
        node = find_first(tree.root, selector, tree)
        tree.note(selector, matched=node is not None)
        return None if node is None else Node(node, tree)

    @overload
    def text(self, selector: str | None = None) -> str: ...
    @overload
    def text(self, selector: str | None = None, *, default: T) -> str | T: ...

    def text(self, selector: str | None = None, *, default: Any = MISSING) -> Any:
        """Return the text of the page, or of its first element that matches `selector`,
        as `Node.text` does."""
        node = self.root if selector is None else self.css_first(selector)
        return text_or(node, selector, self.url, default)

    @overload
    def attr(self, name: str, selector: str | None = None) -> str: ...
    @overload
    def attr(
        self, name: str, selector: str | None = None, *, default: T
    ) -> str | T: ...

    def attr(
        self, name: str, selector: str | None = None, *, default: Any = MISSING
    ) -> Any:
        """Return an attribute of the first element that matches the selector; without
        a selector, an attribute of `<html>`."""
        node = self.root if selector is None else self.css_first(selector)
        return attr_or(node, name, selector, self.url, default)

    def references(
        self,
        selector: str | None = None,
        tags: Names = None,
        attributes: Names = None,
    ) -> list[str]:
        """Return the addresses of links as written, in document order.

        `tags` says which elements are links, by default `<a>` and `<area>`.
        `attributes` names the attributes that hold an address, by default the one that
        HTML defines for each element. With `selector`, only matching links, and links
        inside matching elements, are returned.
        """
        wanted = wanted_links(tags, attributes)
        if self._xml_type and selector is None:
            self.has_no_links = True
            return []
        cut = 0
        if selector is not None:
            found = wanted.addresses(self._links_in(selector, wanted))
        elif self.has_many_links:
            is_usual = tags is None and attributes is None
            found, cut = self.first_links if is_usual else self._walk(wanted)
        elif wanted.is_href:
            found = self._hrefs(wanted)
        else:
            found = wanted.addresses(self._select(wanted.selector))
        room = self._room(found)
        if cut or room < len(found):
            self.links_cut += cut + len(found) - room
            found = found[:room]
        if self.encoding == "utf-8":
            return found
        return [encoding.encode_query(text, self.encoding) for text in found]

    def link_elements(
        self,
        selector: str | None = None,
        tags: Names = None,
        attributes: Names = None,
    ) -> list[tuple[str, Node]]:
        """Return the same addresses as `references`, each with its element."""
        wanted = wanted_links(tags, attributes)
        if self._xml_type and selector is None:
            self.has_no_links = True
            return []
        nodes: Iterable[LexborNode]
        if selector is not None:
            nodes = self._links_in(selector, wanted)
        elif self.has_many_links:
            nodes = self._tree.root.traverse()
        else:
            nodes = self._select(wanted.selector)
        pairs = (
            (address, node) for node in nodes for address in wanted.addresses((node,))
        )
        found = list(islice(pairs, self._max_links))
        self.links_cut += sum(1 for _ in pairs)
        room = self._room([address for address, _ in found])
        self.links_cut += len(found) - room
        return [
            (self._in_encoding(text), Node(n, self._tree)) for text, n in found[:room]
        ]

    def _room(self, references: list[str]) -> int:
        """Return how many of the links `references` the spider may receive: their
        number and the total size of their URLs are limited."""
        number = min(self._max_links, len(references))
        base = len(self.base_url)
        # All references together are not longer than the markup that contains them.
        if base * number + len(self.markup) <= _LINK_TEXT:
            return number
        return _first(references, number, base)

    def _in_encoding(self, reference: str) -> str:
        """Return a reference whose query is percent-encoded in the page's encoding."""
        if self.encoding == "utf-8":
            return reference
        return encoding.encode_query(reference, self.encoding)

    @lazy
    def has_many_links(self) -> bool:
        """Return whether the page may have over `max_links` links, too many to keep all
        of them as nodes in memory."""
        # A link takes at least eight bytes: "<a href>".
        if len(self.markup) <= max(_LARGE, 8 * self._max_links):
            return False
        return self.markup.lower().count(b"href") > self._max_links

    @lazy
    def first_links(self) -> tuple[list[str], int]:
        """Return the first `max_links` links of a page with very many links, and the
        number of skipped links."""
        return self._walk(Wanted())

    def _walk(self, wanted: Wanted) -> tuple[list[str], int]:
        """Return the first `max_links` links, and the number of skipped links. Only one
        node is in memory at a time."""
        found: list[str] = []
        cut = 0
        for node in self._tree.root.traverse():
            if not wanted.is_link(node.tag):
                continue
            if len(found) < self._max_links:
                found += wanted.addresses((node,))
            else:
                cut += len(wanted.addresses((node,)))
        return found, cut

    @property
    def _tree(self) -> Tree:
        return self.root._tree  # noqa: SLF001 - Page and Node share it

    @lazy
    def _with_href(self) -> list[LexborNode]:
        return self.root.lexbor.css("[href]")

    def _hrefs(self, wanted: Wanted) -> list[str]:
        pairs = zip(self._tags_with_href, self._with_href, strict=True)
        tags = wanted.tags
        try:
            if tags is None:
                return [node.attrs["href"] or "" for node in self._with_href]
            return [node.attrs["href"] or "" for tag, node in pairs if tag in tags]
        except KeyError:  # the link is in xlink:href, as in SVG
            return wanted.addresses(self._with_href)

    @lazy
    def _tags_with_href(self) -> list[str | None]:
        return [node.tag for node in self._with_href]

    def _links_in(self, selector: str, wanted: Wanted) -> Iterable[LexborNode]:
        """Yield the elements that match `selector` and are links, and the links inside
        other matching elements."""
        matches = self._select(selector)
        self._tree.note(selector, matched=bool(matches))
        found: dict[int, LexborNode] = {}
        for match in matches:
            # a link element contains no other links
            if match.tag in LINKS and wanted.is_link(match.tag):
                found[match.mem_id] = match
            else:
                nodes = find_all(match, wanted.selector, self._tree)
                found.update((node.mem_id, node) for node in nodes)
        return found.values()

    def _not_html(self, selector: str) -> SelectorError:
        return SelectorError(
            selector,
            self.url,
            "is a CSS selector, which matches only HTML; use response.xml or "
            f"response.xpath(...) for the XML document ({self._xml_type})",
        )

    def _select(self, selector: str) -> list[LexborNode]:
        if self._xml_type:
            raise self._not_html(selector)
        return find_all(self._tree.root, selector, self._tree)


def _first(references: list[str], number: int, base: int) -> int:
    """Return how many of the references may be kept: at most `number`, and at most
    `_LINK_TEXT` characters in total. The length of the base URL, `base`, is added for
    each reference."""
    text = 0
    for index, reference in enumerate(references[:number]):
        text += base + len(reference)
        if text > _LINK_TEXT:
            return index
    return number
