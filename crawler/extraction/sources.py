"""The sources of an item's fields: `css(...)` or `linked_data(...)` in the annotation.

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

#: What a source returns if it has no value.
MISSING: Any = object()


@dataclass(slots=True)
class Reading:
    """A page while items are read from it."""

    tree: Tree
    url: str
    #: Returns the absolute URL of a reference on the page.
    urljoin: Callable[[str], str]
    #: Number of items that may still be created from this page.
    left: int
    #: Returns the linked data of the page with one type.
    linked: Callable[[str], list[LinkedItem]] = lambda kind: []
    #: How many items contain the one that is being read.
    depth: int = 0
    #: By plan: items created; and by field plan: values that no source had.
    made: dict[Any, int] = field(default_factory=dict)
    missing: dict[Any, int] = field(default_factory=dict)


@runtime_checkable
class FieldSource(Protocol):
    """A source of a field's values on a page."""

    def first(self, node: LexborNode, reading: Reading) -> Any:
        """Return the first value at an element, or MISSING."""
        ...

    def all(self, node: LexborNode, reading: Reading) -> list[Any]:
        """Return all values at an element, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Css:
    """The elements that a selector matches inside an item's element, or that
    element."""

    selector: str | None
    attr: str | None = None
    absolute: bool = False

    def node(self, node: LexborNode, reading: Reading) -> LexborNode | None:
        """Return the first matching element, or None."""
        if self.selector is None:
            return node
        found = find_first(node, self.selector, reading.tree)
        if found is not None and found.mem_id == node.mem_id:
            # The parser also tests the element itself; a browser tests only elements
            # inside it.
            return next(iter(self.nodes(node, reading)), None)
        return found

    def nodes(self, node: LexborNode, reading: Reading) -> list[LexborNode]:
        """Return all matching elements, in order."""
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
    """Take the text, or an attribute, of the elements that a selector matches.

    The elements are inside the item's element; without a selector it is that element
    itself. `attr` names the attribute. With `absolute` it is a link and becomes an
    absolute URL.
    """
    if absolute and attr is None:
        raise ConfigError(f"css({selector!r}, absolute=True): name the link's attr=")
    return Css(selector, attr, absolute)


@dataclass(frozen=True, slots=True)
class Linked:
    """The values at a path of the page's linked data with one type."""

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
    """Take a value from the page's linked data.

    It is the value at `path`, a path of names such as "offers.price", in the first item
    of type `kind`, such as "Product". If the value is an item, its name is taken.
    Numbers become text, as in an element.
    """
    return Linked(kind, path)


def _as_text(value: Any) -> Any:
    """Return a value as text, as an element would have it; MISSING if it has none."""
    if isinstance(value, LinkedItem):
        return _as_text(value.get("name", MISSING))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) else MISSING
