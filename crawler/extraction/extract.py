"""Creates typed items from a page: one item for each given element."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from crawler.errors import SelectorError
from crawler.extraction.plan import MAX_ITEMS, FieldPlan, plan_of
from crawler.extraction.sources import Css, Reading
from crawler.page import Page
from crawler.page.node import Node
from crawler.web.linked_item import LinkedItem

T = TypeVar("T")

#: Where items are read from: a CSS selector, one element, or several elements.
Where = str | Node | Iterable[Node]


def items_of(
    page: Page, urljoin: Callable[[str], str], kind: type[T], where: Where
) -> list[T]:
    """Return one item of class `kind` for each element of `where`, in order. Raises
    ExtractError if a required value is missing, or does not fit its field."""
    if isinstance(where, str):
        nodes: Iterable[Node] = page.css(where)
    else:
        nodes = [where] if isinstance(where, Node) else where
    plan = plan_of(kind)
    reading = _reading(page, urljoin)
    items = [plan.item(node.lexbor, reading) for node in nodes]
    _note(page, reading)
    return items


def item_of(
    page: Page, urljoin: Callable[[str], str], kind: type[T], where: str | Node | None
) -> T:
    """Return one item of class `kind` from the element `where`; from the whole page if
    `where` is None. If `where` is a selector, its first match is used. Raises
    SelectorError if the selector matches nothing."""
    if where is None:
        node: Node | None = page.root
    else:
        node = page.css_first(where) if isinstance(where, str) else where
    if node is None:
        raise SelectorError(str(where), page.url)
    return items_of(page, urljoin, kind, node)[0]


def _reading(page: Page, urljoin: Callable[[str], str]) -> Reading:
    tree = page.root._tree  # noqa: SLF001 - internal to the package
    return Reading(tree, page.url, urljoin, MAX_ITEMS, partial(_linked, page))


def _linked(page: Page, kind: str) -> list[LinkedItem]:
    """Return the items of one type, such as "Product", in the page's linked data
    (JSON-LD, microdata, OpenGraph).

    Items nested in other items are returned only if no top-level item has the type.
    """
    data = page.linked_data
    found = data.of_kind(kind) or data.of_kind(kind, nested=True)
    page.note(f"linked_data({kind!r})", matched=bool(found))
    return found


def _note(page: Page, reading: Reading) -> None:
    """Count for each field how many items have been read, and how many of them have a
    value for the field."""
    fills = page.fills
    for plan, made in reading.made.items():
        for field in plan.fields:
            filled, asked = fills.get(field.label, (0, 0))
            missing = reading.missing.get(field, 0)
            fills[field.label] = (filled + made - missing, asked + made)
            _note_selector(field, reading, matched=made > missing)


def _note_selector(field: FieldPlan, reading: Reading, *, matched: bool) -> None:
    """Record for the report whether a field's selector matched. A field with several
    sources is not recorded, because its value may come from any of the sources."""
    source = field.sources[0]
    if len(field.sources) == 1 and isinstance(source, Css) and source.selector:
        reading.tree.note(source.selector, matched=matched)
