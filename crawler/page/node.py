"""An element of a parsed page: its text, its attributes, the elements around it. No I/O
and no clock.

The parser's node is wrapped, so that spiders do not depend on the parser's version.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeVar, overload

from selectolax.lexbor import LexborNode

from crawler.errors import SelectorError
from crawler.errors.foreign_names import NODE, NODES, refuses
from crawler.web.finding import find_all, find_first, matches
from crawler.web.selectors import Tree
from crawler.web.urls import Pattern
from crawler.web.visible_text import own_text_of, text_after, text_of

T = TypeVar("T")

MISSING: Any = object()
# Maximum number of attributes that `repr` shows.
_SHOWN = 5
# Maximum number of characters of an attribute that `repr` shows.
_EXCERPT = 40


@refuses(NODE)
class Node:
    """An element of a page.

        for book in response.css("article.book"):
            yield {"title": book.text("h3"), "price": book.text(".price", default="")}

    `lexbor` is the parser's node, for features that Node lacks.

    This class has over fifteen methods, because users ask an element for many things;
    most methods have a few lines.
    """

    __slots__ = ("_tree", "lexbor")

    def __init__(self, lexbor: LexborNode, tree: Tree) -> None:
        self.lexbor = lexbor
        self._tree = tree

    @overload
    def text(self, selector: str | None = None) -> str: ...
    @overload
    def text(self, selector: str | None = None, *, default: T) -> str | T: ...

    def text(self, selector: str | None = None, *, default: Any = MISSING) -> Any:
        """Return the text of this element, or of the first matching element inside it.

        Each run of white space becomes one space; so does a `<br>` or the boundary of a
        block element. As in HTML, a no-break space is not white space. Scripts and
        styles are skipped. If nothing matches, return `default` or raise SelectorError.
        """
        node = self if selector is None else self.css_first(selector)
        return text_or(node, selector, self._tree.url, default)

    @overload
    def own_text(self, selector: str | None = None) -> str: ...
    @overload
    def own_text(self, selector: str | None = None, *, default: T) -> str | T: ...

    def own_text(self, selector: str | None = None, *, default: Any = MISSING) -> Any:
        """Like `text`, but without the text of inner elements.

        For `<p>from <b>9</b> euros</p>` the own text is "from euros".
        """
        node = self if selector is None else self.css_first(selector)
        if node is not None:
            return own_text_of(node.lexbor)
        return default_or_error(default, selector or "", self._tree.url)

    @property
    def tail(self) -> str:
        """Return the text after this element, up to the next element.

        In `<b>Price</b> 9 euros<br>` the tail of `<b>` is "9 euros".
        """
        return text_after(self.lexbor)

    @overload
    def attr(self, name: str, selector: str | None = None) -> str: ...
    @overload
    def attr(
        self, name: str, selector: str | None = None, *, default: T
    ) -> str | T: ...

    def attr(
        self, name: str, selector: str | None = None, *, default: Any = MISSING
    ) -> Any:
        """Return an attribute of this element, or of the first matching element inside
        it.

        An attribute without a value gives "". If the element or the attribute is
        missing, return `default` or raise SelectorError.
        """
        node = self if selector is None else self.css_first(selector)
        return attr_or(node, name, selector, self._tree.url, default)

    @property
    def attrs(self) -> dict[str, str]:
        """All attributes by name; an attribute without a value gives ""."""
        return {name: value or "" for name, value in self.lexbor.attrs.items()}

    def css(self, selector: str) -> "Nodes":
        """Return the elements inside this element that match a CSS selector, each once,
        in document order."""
        tree = self._tree
        found = find_all(self.lexbor, selector, tree)
        # lexbor also tests the element itself; a browser tests only elements inside it.
        if found and found[0].mem_id == self.lexbor.mem_id:
            del found[0]
        tree.note(selector, matched=bool(found))
        return Nodes([Node(node, tree) for node in found])

    def css_first(self, selector: str) -> "Node | None":
        """Return the first element inside this one that matches `selector`, or None."""
        tree = self._tree
        node = find_first(self.lexbor, selector, tree)
        if node is not None and node.mem_id == self.lexbor.mem_id:
            return next(iter(self.css(selector)), None)
        tree.note(selector, matched=node is not None)
        return None if node is None else Node(node, tree)

    def re(
        self,
        pattern: Pattern,
        selector: str | None = None,
        *,
        attribute: str | None = None,
    ) -> list[str]:
        """Return what a regular expression finds in the text, or in an attribute.

        The text is that of this element, or of all matching elements inside it. If the
        pattern has groups, each group is a result; otherwise each whole match is a
        result.
        """
        nodes = [self] if selector is None else self.css(selector)
        found: list[str] = []
        for node in nodes:
            text = node.text() if attribute is None else node.attrs.get(attribute, "")
            for match in re.finditer(pattern, text):
                found += match.groups("") or (match[0],)
        return found

    @overload
    def re_first(
        self,
        pattern: Pattern,
        selector: str | None = None,
        *,
        attribute: str | None = None,
    ) -> str: ...
    @overload
    def re_first(
        self,
        pattern: Pattern,
        selector: str | None = None,
        *,
        attribute: str | None = None,
        default: T,
    ) -> str | T: ...

    def re_first(
        self,
        pattern: Pattern,
        selector: str | None = None,
        *,
        attribute: str | None = None,
        default: Any = MISSING,
    ) -> Any:
        """Return the first result of `re`. If `re` finds nothing, return `default` or
        raise SelectorError."""
        for text in self.re(pattern, selector, attribute=attribute):
            return text
        shown = pattern if isinstance(pattern, str) else pattern.pattern
        return default_or_error(default, shown, self._tree.url)

    @property
    def parent(self) -> "Node | None":
        """The parent element; None for `<html>`."""
        above = self.lexbor.parent
        if above is None or not above.is_element_node:
            return None
        return Node(above, self._tree)

    @property
    def children(self) -> "Nodes":
        """The child elements of this element."""
        first = self.lexbor.first_child
        return Nodes([Node(each, self._tree) for each in _elements(first, "next")])

    @property
    def next(self) -> "Node | None":
        """The next element under the same parent, or None."""
        for each in _elements(self.lexbor.next, "next"):
            return Node(each, self._tree)
        return None

    @property
    def previous(self) -> "Node | None":
        """The previous element under the same parent, or None."""
        for each in _elements(self.lexbor.prev, "prev"):
            return Node(each, self._tree)
        return None

    def next_siblings(self, selector: str | None = None) -> "Nodes":
        """Return the siblings after this element that match `selector`, the nearest
        first; without a selector, all of them."""
        return self._of_those(_elements(self.lexbor.next, "next"), selector)

    def previous_siblings(self, selector: str | None = None) -> "Nodes":
        """Return the siblings before this element that match `selector`, the nearest
        first; without a selector, all of them."""
        return self._of_those(_elements(self.lexbor.prev, "prev"), selector)

    def closest(self, selector: str) -> "Node | None":
        """Return this element if it matches the selector, else the nearest ancestor
        that matches, or None."""
        node: LexborNode | None = self.lexbor
        while node is not None and not matches(node, selector, self._tree):
            node = node.parent
        self._tree.note(selector, matched=node is not None)
        return None if node is None else Node(node, self._tree)

    def matches(self, selector: str) -> bool:
        """Return whether this element is a match of the selector in the whole page."""
        return matches(self.lexbor, selector, self._tree)

    @property
    def html(self) -> str:
        """The element as HTML, written from the parsed tree."""
        return self.lexbor.html or ""

    @property
    def tag(self) -> str:
        """The element's name, in lower case: "a"."""
        return self.lexbor.tag or ""

    def _of_those(self, nodes: Iterable[LexborNode], selector: str | None) -> "Nodes":
        tree = self._tree
        if selector is None:
            return Nodes([Node(each, tree) for each in nodes])
        found = Nodes(
            [Node(each, tree) for each in nodes if matches(each, selector, tree)]
        )
        tree.note(selector, matched=bool(found))
        return found

    def __eq__(self, other: object) -> bool:
        """Return whether `other` is the same element of the same page."""
        if not isinstance(other, Node):
            return NotImplemented
        return self._tree is other._tree and self.lexbor.mem_id == other.lexbor.mem_id

    def __hash__(self) -> int:
        return self.lexbor.mem_id

    def __repr__(self) -> str:
        pairs = [
            f'{name}="{value if len(value) <= _EXCERPT else value[:_EXCERPT] + "…"}"'
            for name, value in self.attrs.items()
        ]
        more = ["…"] if len(pairs) > _SHOWN else []
        return f"<Node {' '.join([self.tag, *pairs[:_SHOWN], *more])}>"


@refuses(NODES)
class Nodes(list[Node]):
    """A list of elements in document order. A method name of another framework raises
    an error that names the method to use instead."""

    __slots__ = ()


def text_or(node: Node | None, selector: str | None, url: str, default: Any) -> Any:
    """Return the text of `node`. If `node` is None, return `default` or raise
    SelectorError."""
    if node is not None:
        return text_of(node.lexbor)
    return default_or_error(default, selector or "", url)


def attr_or(
    node: Node | None, name: str, selector: str | None, url: str, default: Any
) -> Any:
    """Return an attribute of an element. If the element or the attribute is missing,
    return `default` or raise SelectorError."""
    if node is not None:
        try:
            return node.lexbor.attrs[name] or ""
        except KeyError:
            pass
    if default is not MISSING:
        return default
    if node is None:
        raise SelectorError(selector or "", url)
    raise SelectorError(
        selector or node.tag,
        url,
        f"matched <{node.tag}>, but this element has no attribute {name!r}",
    )


def default_or_error(default: Any, selector: str, url: str) -> Any:
    """Return the default; raise SelectorError if no default was given."""
    if default is MISSING:
        raise SelectorError(selector, url)
    return default


def _elements(
    node: LexborNode | None, direction: Literal["next", "prev"]
) -> Iterator[LexborNode]:
    while node is not None:
        if node.is_element_node:
            yield node
        node = node.next if direction == "next" else node.prev
