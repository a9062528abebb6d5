"""The sources of an item's fields: `css(...)` or `linked_data(...)` in an annotation.

@dataclass
class Book:
    title: Annotated[str, css("h3")]
    url: Annotated[str, css("a", attr="href", absolute=True)]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from selectolax.lexbor import LexborNode

from crawler.errors import ConfigError
from crawler.web.finding import find_all, find_first
from crawler.web.linked_item import LinkedItem
from crawler.web.selectors import Tree
from crawler.web.visible_text import text_of

#: What a source, such as `css("h1")`, returns if the page has no value for a field.
MISSING: Any = object()


@dataclass(slots=True)
class Reading:
    """The state of one call that reads items from a page."""

    tree: Tree
    url: str
    #: Returns the absolute URL of a link on the page.
    urljoin: Callable[[str], str]
    #: Number of items that may still be created from this page.
    left: int
    #: Returns the page's linked data of one type, such as "Product".
    linked: Callable[[str], list[LinkedItem]] = lambda kind: []
    #: How many items contain the item that is being read.
    depth: int = 0
    #: By the Plan that reads the items of a class: the number of items created so far.
    made: dict[Any, int] = field(default_factory=dict)
    #: By the FieldPlan that reads a field: the number of items without a value for the
    #: field.
    missing: dict[Any, int] = field(default_factory=dict)


@runtime_checkable
class FieldSource(Protocol):
    """Where a field's values are on a page."""

    def first(self, node: LexborNode, reading: Reading) -> Any:
        """Return the first value for the item that is read from `node`, or MISSING."""
        ...

    def all(self, node: LexborNode, reading: Reading) -> list[Any]:
        """Return all values for the item that is read from `node`, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Css:
    """The source that `css(...)` makes: the elements that a selector matches inside
    the item's element; without a selector the item's element itself."""

    selector: str | None
    attr: str | None = None
    absolute: bool = False

    def node(self, node: LexborNode, reading: Reading) -> LexborNode | None:
        """Return the first element that the selector matches inside `node`, or None;
        without a selector, `node`."""
        if self.selector is None:
            return node
        found = find_first(node, self.selector, reading.tree)
        if found is not None and found.mem_id == node.mem_id:
            # The parser's match is `node` itself; as in a browser, only elements
            # inside `node` should match.
            return next(iter(self.nodes(node, reading)), None)
        return found

    def nodes(self, node: LexborNode, reading: Reading) -> list[LexborNode]:
        """Return all elements that the selector matches inside `node`, in order;
        without a selector, `node`."""
        if self.selector is None:
            return [node]
        found = find_all(node, self.selector, reading.tree)
        if found and found[0].mem_id == node.mem_id:
            del found[0]
        return found

    def first(self, node: LexborNode, reading: Reading) -> Any:
        found = self.node(node, reading)
        if found is None:
            return MISSING
        return text_of(found) if self.attr is None else self._attribute(found, reading)

    def all(self, node: LexborNode, reading: Reading) -> list[Any]:
        found = self.nodes(node, reading)
        if self.attr is None:
            return [text_of(each) for each in found]
        values = [self._attribute(each, reading) for each in found]
        return [value for value in values if value is not MISSING]

    def _attribute(self, node: LexborNode, reading: Reading) -> Any:
        assert self.attr is not None
        try:
            value = node.attrs[self.attr] or ""
        except KeyError:
            return MISSING
        return reading.urljoin(value) if self.absolute else value

    def __str__(self) -> str:
        arguments = [] if self.selector is None else [repr(self.selector)]
        arguments += [f"attr={self.attr!r}"] if self.attr is not None else []
        return f"css({', '.join(arguments)})"


def css(
    selector: str | None = None, *, attr: str | None = None, absolute: bool = False
) -> Css:
    """Read a field from the elements that a selector matches inside the item's element.

    Without a selector the field is read from the item's element itself. Its value is
    the text, or the attribute `attr`. With `absolute` the attribute is a link, and is
    returned as an absolute URL.
    """
    if absolute and attr is None:
        raise ConfigError(
            f"css({selector!r}, absolute=True) does not name the attribute that holds "
            "the link; add the attribute, such as attr='href'"
        )
    return Css(selector, attr, absolute)


@dataclass(frozen=True, slots=True)
class Linked:
    """The source that `linked_data(...)` makes: the values at `path` of the page's
    first item of type `kind`."""

    kind: str
    path: str

    def first(self, node: LexborNode, reading: Reading) -> Any:
        return next(iter(self.all(node, reading)), MISSING)

    def all(self, node: LexborNode, reading: Reading) -> list[Any]:
        values = [
            _as_text(value)
            for item in reading.linked(self.kind)[:1]
            for value in item.all(self.path)
        ]
        return [value for value in values if value is not MISSING]

    def __str__(self) -> str:
        return f"linked_data({self.kind!r}, {self.path!r})"


def linked_data(kind: str, path: str = "name") -> Linked:
    """Read a field from the page's linked data (JSON-LD, microdata, OpenGraph).

    The value is at `path`, such as "offers.price", in the page's first item of type
    `kind`, such as "Product". If the value is itself an item, its name is used. A
    number becomes text, like the text of an element.
    """
    return Linked(kind, path)


def _as_text(value: Any) -> Any:
    """Return a value of linked data as text; MISSING if it is neither text, a number, a
    bool nor an item with a name."""
    if isinstance(value, LinkedItem):
        return _as_text(value.get("name", MISSING))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) else MISSING
