"""One item of linked data: its types and its properties. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Source = Literal["json-ld", "microdata", "opengraph", "twitter"]

_SCHEMA = re.compile(r"(?:https?://(?:www\.)?schema\.org/+|schema:)(?=.)", re.I)


@dataclass(frozen=True, slots=True)
class LinkedItem:
    """An item that a page describes for machines: a product, an article, an offer.

        for product in response.linked_data("Product"):
            yield {"name": product["name"], "price": product.get("offers.price")}

    `properties` are as in the page: texts, numbers, items, or a list if there are
    several.
    """

    #: The format in which the page describes the item.
    source: Source
    #: The item's types; those of schema.org without the prefix: "Product".
    types: tuple[str, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)
    #: The item's identifier, usually a URL; "" if the page gives none.
    id: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.properties[name]

    def __contains__(self, name: object) -> bool:
        return name in self.properties

    def get(self, path: str, default: Any = None) -> Any:
        """Return the first value at a path of names, such as "offers.price"; `default`
        if there is none."""
        return next(self._values(path), default)

    def all(self, path: str) -> list[Any]:
        """Return all values at a path of names; lists are flattened."""
        return list(self._values(path))

    def is_a(self, kind: str) -> bool:
        """Return whether the item has a type, given with or without the prefix of
        schema.org."""
        return short_type(kind) in self.types

    def _values(self, path: str) -> Iterator[Any]:
        if path in self.properties:  # a name may contain a dot
            yield from _several(self.properties[path])
            return
        name, _, rest = path.partition(".")
        for value in _several(self.properties.get(name)):
            yield from _inside(value, rest)


def short_type(kind: str) -> str:
    """Return the name of a type without the prefix of schema.org."""
    return _SCHEMA.sub("", kind, count=1) if _SCHEMA.match(kind) else kind


def item_and_inner(item: LinkedItem) -> Iterator[LinkedItem]:
    """Yield the item and all items inside it; an outer item comes before its inner
    items."""
    waiting: list[Any] = [item]
    while waiting:
        value = waiting.pop()
        if isinstance(value, LinkedItem):
            yield value
            waiting += reversed([*value.properties.values()])
        elif isinstance(value, dict):
            waiting += reversed([*value.values()])
        elif isinstance(value, list):
            waiting += reversed(value)


def _inside(value: Any, path: str) -> Iterator[Any]:
    if not path:
        yield value
    elif isinstance(value, LinkedItem):
        yield from value._values(path)  # noqa: SLF001 - it is the same class
    elif isinstance(value, dict):
        yield from LinkedItem("json-ld", properties=value)._values(path)  # noqa: SLF001


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
