"""A parsed page: its elements, their text, its links. Pure: bytes in, values out.

A page is parsed once, at first use, by selectolax (its lexbor backend). A page that
could take the parser long is parsed only after a trial process has parsed it.
"""

from collections.abc import Callable, Iterable
from typing import Any, Generic, NoReturn, Self, TypeVar, overload

from selectolax.lexbor import LexborNode, SelectolaxError

from crawler.errors import SelectorError
from crawler.errors.foreign_names import (
    NODE,
    NODES,
    instead_of_pseudo,
    refuse_attribute,
)
from crawler.web import encoding
from crawler.web.html_limits import PageTooComplex, suspicion
from crawler.web.html_parser import parse
from crawler.web.references import LINKS, Names, Wanted, base_reference
from crawler.web.selectors import TooCostly, Tree, select
from crawler.web.urls import InvalidUrl, join

T = TypeVar("T")
Owner = TypeVar("Owner")
Value = TypeVar("Value")

_MISSING: Any = object()
# Bytes of a page above which its links may be too many.
_LARGE = 256 * 1024
# Characters of URLs that are taken of one page: 10,000 links of 400 each.
_LINK_TEXT = 4 * 1024**2
_HIDDEN = frozenset({"script", "style"})
# Elements at which text breaks: HTML renders them as blocks, list items or table parts.
# fmt: off
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center",
    "dd", "details", "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head",
    "header", "hgroup", "hr", "html", "legend", "li", "main", "menu", "nav", "ol",
    "optgroup", "option", "p", "pre", "search", "section", "summary", "table",
    "tbody", "td", "tfoot", "th", "thead", "title", "tr", "ul",
})
# fmt: on


class Node:
    """An element of a page.

        for book in response.css("article.book"):
            yield {"title": book.text("h3"), "price": book.text(".price", default="")}

    `lexbor` is the parser's own node, for features that Node lacks.
    """

    __slots__ = ("_tree", "lexbor")

    def __init__(self, lexbor: LexborNode, tree: Tree) -> None:
        self.lexbor = lexbor
        self._tree = tree

    @overload
    def text(self, selector: str | None = None) -> str: ...
    @overload
    def text(self, selector: str | None = None, *, default: T) -> str | T: ...

    def text(self, selector: str | None = None, *, default: Any = _MISSING) -> Any:
        """The text of this element, or of the first inside it that matches.

        Each run of white space is one space, as is the border of a block or a `<br>`;
        as in HTML, a no-break space is none. Scripts and styles are skipped. If
        nothing matches: `default`, or SelectorError.
        """
        node = self if selector is None else self.css_first(selector)
        return _text_or(node, selector, self._tree.url, default)

    @overload
    def attr(self, name: str, selector: str | None = None) -> str: ...
    @overload
    def attr(
        self, name: str, selector: str | None = None, *, default: T
    ) -> str | T: ...

    def attr(
        self, name: str, selector: str | None = None, *, default: Any = _MISSING
    ) -> Any:
        """An attribute of this element, or of the first inside it that matches.

        Empty for one without a value. No such element, or not this attribute:
        `default`, or SelectorError.
        """
        node = self if selector is None else self.css_first(selector)
        return _attr_or(node, name, selector, self._tree.url, default)

    def css(self, selector: str) -> "Nodes":
        """The elements inside this one that match, each once, in document order."""
        found = _select(self.lexbor, selector, self._tree)
        # lexbor tests the element itself, too; a browser tests only what is inside.
        if found and found[0].mem_id == self.lexbor.mem_id:
            del found[0]
        tree = self._tree
        return Nodes([Node(node, tree) for node in found])

    def css_first(self, selector: str) -> "Node | None":
        """The first element inside this one that matches, or None."""
        node = _select_first(self.lexbor, selector, self._tree)
        if node is None:
            return None
        if node.mem_id == self.lexbor.mem_id:
            return next(iter(self.css(selector)), None)
        return Node(node, self._tree)

    @property
    def html(self) -> str:
        """The element as HTML, written from the parsed tree."""
        return self.lexbor.html or ""

    @property
    def tag(self) -> str:
        """The element's name, in lower case: "a"."""
        return self.lexbor.tag or ""

    def __getattr__(self, name: str) -> NoReturn:
        refuse_attribute(self, name, NODE)

    def __repr__(self) -> str:
        return f"<Node {self.tag}>"


class Nodes(list[Node]):
    """Elements in document order: a list, with hints for names of other frameworks."""

    __slots__ = ()

    def __getattr__(self, name: str) -> NoReturn:
        refuse_attribute(self, name, NODES)


class lazy(Generic[Owner, Value]):
    """`functools.cached_property` without its lock.

    Before Python 3.12 that one lock is held for all instances of a class while a value
    is made: a page that is parsed in a thread would hold up the loop's pages.
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
        # From now on the instance's own attribute is found first.
        value = instance.__dict__[self._name] = self._make(instance)
        return value


class Page:
    """An HTML page, parsed at first use.

    `asked` keeps, for each selector that was asked of the page itself, whether it
    matched; `links_cut` counts the links beyond `max_links` that were left out. XML has
    a `Page`, too, without links; its elements are not HTML's, so that to ask for them
    is an error.
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
        #: Whether links were asked of XML, which has none.
        self.has_no_links = False
        self._body = body
        self._charset = charset
        self._max_links = max_links
        self._max_nodes = max_nodes
        #: Why the page must not be parsed: empty if a trial has shown that it may be,
        #: None if there was no trial.
        self.verdict: str | None = None
        #: The media type of XML, which is not parsed here; empty: it is HTML.
        self._xml_type = xml_type

    @lazy
    def root(self) -> Node:
        """The `<html>` element; parses the page, or raises PageTooComplex."""
        if self._xml_type:
            raise self._not_html("html")
        verdict = self.verdict
        if verdict is None and self.suspicion:
            verdict = f"{self.suspicion}, and no trial has shown that it can be parsed"
        if verdict:
            raise PageTooComplex(verdict, self.url)
        root = parse(self.markup)
        if root is None:
            raise SelectorError("html", self.url)
        return Node(root, Tree(root, self.url, is_odd=verdict is not None))

    @lazy
    def markup(self) -> bytes:
        """The page in UTF-8, as the parser gets it."""
        if self.encoding == "utf-8":
            return self._body.removeprefix(b"\xef\xbb\xbf")
        return self.source.encode("utf-8", "replace")

    @lazy
    def suspicion(self) -> str:
        """Why the page could take the parser too long; empty if it cannot."""
        if self._xml_type:
            return ""
        return suspicion(self.markup, max_nodes=self._max_nodes)

    @lazy
    def encoding(self) -> str:
        """The WHATWG name of the page's encoding: by BOM, header, `<meta>`, bytes."""
        return encoding.detect(self._body, self._charset)

    @lazy
    def source(self) -> str:
        """The page as text, as it came."""
        return encoding.decode_as(self._body, self.encoding)

    @lazy
    def base_url(self) -> str:
        """The URL that links are relative to: the page's own, or its `<base href>`."""
        base = "" if self._xml_type else self._base
        try:
            return join(self.url, base) if base else self.url
        except InvalidUrl:
            return self.url

    @property
    def _base(self) -> str:
        """The first `<base href>`; found among the links, unless they are many."""
        if self.has_many_links:
            bases = self._tree.root.css("base[href]")
            return base_reference(bases, ["base"] * len(bases))
        if "base" not in self._tags_with_href:
            return ""
        return base_reference(self._with_href, self._tags_with_href)

    def css(self, selector: str) -> Nodes:
        """The elements that match, each once, in document order."""
        matches = self._select(selector)
        tree = self._tree
        found = Nodes([Node(node, tree) for node in matches])
        self._note(selector, matched=bool(found))
        return found

    def css_first(self, selector: str) -> Node | None:
        """The first element that matches, or None."""
        if self._xml_type:
            raise self._not_html(selector)
        tree = self._tree
        node = _select_first(tree.root, selector, tree)
        self._note(selector, matched=node is not None)
        return None if node is None else Node(node, tree)

    @overload
    def text(self, selector: str | None = None) -> str: ...
    @overload
    def text(self, selector: str | None = None, *, default: T) -> str | T: ...

    def text(self, selector: str | None = None, *, default: Any = _MISSING) -> Any:
        """The text of the page, or of its first element that matches; as Node.text."""
        node = self.root if selector is None else self.css_first(selector)
        return _text_or(node, selector, self.url, default)

    @overload
    def attr(self, name: str, selector: str | None = None) -> str: ...
    @overload
    def attr(
        self, name: str, selector: str | None = None, *, default: T
    ) -> str | T: ...

    def attr(
        self, name: str, selector: str | None = None, *, default: Any = _MISSING
    ) -> Any:
        """An attribute of the first element that matches, or of `<html>`."""
        node = self.root if selector is None else self.css_first(selector)
        return _attr_or(node, name, selector, self.url, default)

    def references(
        self,
        selector: str | None = None,
        tags: Names = None,
        attributes: Names = None,
    ) -> list[str]:
        """The addresses of links as they are written, in document order.

        `tags` says which elements are links, `<a>` and `<area>` by default;
        `attributes` which of their attributes, by default the one that HTML has for
        each. A selector takes the links that it matches and those inside what it
        matches.
        """
        wanted = Wanted(tags, attributes)
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
        room = _room(found, self._max_links, len(self.base_url)) if found else 0
        self.links_cut += cut + len(found) - room
        found = found[:room]
        if self.encoding == "utf-8":
            return found
        return [encoding.encode_query(text, self.encoding) for text in found]

    @lazy
    def has_many_links(self) -> bool:
        """Whether there may be so many links that not all are made nodes of."""
        # A link takes eight bytes at least: "<a href>".
        if len(self.markup) <= max(_LARGE, 8 * self._max_links):
            return False
        return self.markup.lower().count(b"href") > self._max_links

    @lazy
    def first_links(self) -> tuple[list[str], int]:
        """The links that are taken of a page of very many, and how many are left."""
        return self._walk(Wanted())

    def _walk(self, wanted: Wanted) -> tuple[list[str], int]:
        """The first links, and how many are left: one node is held at a time."""
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
        return self.root._tree  # noqa: SLF001 - a page and its nodes are one

    @lazy
    def _with_href(self) -> list[LexborNode]:
        return self.root.lexbor.css("[href]")

    def _hrefs(self, wanted: Wanted) -> list[str]:
        pairs = zip(self._tags_with_href, self._with_href, strict=True)
        is_link = wanted.is_link
        try:
            return [node.attrs["href"] or "" for tag, node in pairs if is_link(tag)]
        except KeyError:  # what was found is xlink:href, as SVG has it
            return wanted.addresses(self._with_href)

    @lazy
    def _tags_with_href(self) -> list[str | None]:
        return [node.tag for node in self._with_href]

    def _links_in(self, selector: str, wanted: Wanted) -> Iterable[LexborNode]:
        """The links among the matches, and inside them: lexbor's search finds both."""
        matches = self._select(selector)
        self._note(selector, matched=bool(matches))
        found: dict[int, LexborNode] = {}
        for match in matches:
            if match.tag in LINKS and wanted.is_link(match.tag):  # holds no other
                found[match.mem_id] = match
            else:
                nodes = _select(match, wanted.selector, self._tree)
                found.update((node.mem_id, node) for node in nodes)
        return found.values()

    def _not_html(self, selector: str) -> SelectorError:
        detail = (
            f"asks for HTML, and {self._xml_type} is XML: read it with response.xml or "
            "response.xpath(...),"
        )
        return SelectorError(selector, self.url, detail)

    def _select(self, selector: str) -> list[LexborNode]:
        if self._xml_type:
            raise self._not_html(selector)
        return _select(self._tree.root, selector, self._tree)

    def _note(self, selector: str, *, matched: bool) -> None:
        self.asked[selector] = matched or self.asked.get(selector, False)


def _room(references: list[str], number: int, base: int) -> int:
    """How many references are taken: so many, and URLs of `_LINK_TEXT` in all."""
    number = min(number, len(references))
    if base * number + sum(map(len, references)) <= _LINK_TEXT:
        return number
    text = 0
    for index, reference in enumerate(references[:number]):
        text += base + len(reference)
        if text > _LINK_TEXT:
            return index
    return number


def _select(node: LexborNode, selector: str, tree: Tree) -> list[LexborNode]:
    """The elements that match in the tree at `node`, itself included."""
    try:
        found = _stepwise(node, selector, tree)
        if found is None:
            found = node.css(selector)
    except (SelectolaxError, UnicodeEncodeError) as exc:
        raise _not_css(selector, tree.url) from exc
    if "," in selector and len(found) > 1:
        # lexbor returns an element once for each part of the list that it matches.
        found = list({node.mem_id: node for node in found}.values())
    return found


def _select_first(node: LexborNode, selector: str, tree: Tree) -> LexborNode | None:
    try:
        found = _stepwise(node, selector, tree)
        if found is None:
            return node.css_first(selector)
    except (SelectolaxError, UnicodeEncodeError) as exc:
        raise _not_css(selector, tree.url) from exc
    return found[0] if found else None


def _stepwise(node: LexborNode, selector: str, tree: Tree) -> list[LexborNode] | None:
    """What matches, where lexbor itself could take long; else None."""
    try:
        return select(node, selector, tree)
    except TooCostly as exc:
        detail = f"the selector {selector!r} would take too long on a page {exc}"
        raise PageTooComplex(detail, tree.url) from exc


def _not_css(selector: str, url: str) -> SelectorError:
    detail = "is not a CSS selector"
    if instead := instead_of_pseudo(selector):
        detail += f": write {instead}"
    elif selector.lstrip().startswith(("/", "./", "(/")):
        detail += " (it looks like XPath; css() takes CSS)"
    elif ":contains(" in selector:
        detail += ' (write :lexbor-contains("...") for :contains(...))'
    return SelectorError(selector, url, f"{detail}, asked")


def _text_or(node: Node | None, selector: str | None, url: str, default: Any) -> Any:
    if node is not None:
        return _text(node.lexbor)
    if default is _MISSING:
        raise SelectorError(selector or "", url)
    return default


def _attr_or(
    node: Node | None, name: str, selector: str | None, url: str, default: Any
) -> Any:
    if node is not None:
        try:
            return node.lexbor.attrs[name] or ""
        except KeyError:
            pass
    if default is not _MISSING:
        return default
    if node is None:
        raise SelectorError(selector or "", url)
    raise SelectorError(selector or node.tag, url, f"has no attribute {name!r}")


def _text(node: LexborNode) -> str:
    """The text inside an element, as a person would read it in one line."""
    child = node.first_child
    if child is None or (child.next is None and child.is_text_node):
        text = node.text()
        return " ".join(text.split()) if text.isascii() else _folded(text)
    pieces: list[str] = []
    hidden = False
    for each in node.traverse(include_text=True):
        tag = each.tag or ""
        if tag == "-text":
            parent = each.parent
            if hidden and parent is not None and parent.tag in _HIDDEN:
                continue
            before = each.prev
            if before is not None and before.tag in _BLOCKS:
                pieces.append(" ")
            pieces.append(each.text_content or "")
        elif tag in _BLOCKS:
            pieces.append(" ")
        hidden = tag in _HIDDEN
    return _folded("".join(pieces))


def _folded(text: str) -> str:
    """`text` with each run of HTML's white space as one space: that is ASCII alone, so
    that a no-break space stays."""
    if text.isascii():
        return " ".join(text.split())
    # Bytes are split at ASCII white space only, and quicker than by a pattern.
    words = text.encode("utf-8", "surrogatepass").split()
    return b" ".join(words).decode("utf-8", "surrogatepass")
