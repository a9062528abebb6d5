"""JSON-LD of a page as items; each member of an `@graph` is an item. No I/O.

Rule: the text is read as JSON, not as an RDF graph: contexts are not loaded, and
identifiers are not resolved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crawler.web.linked_item import LinkedItem, short_type
from crawler.web.tolerant_json import loads

#: Maximum nesting of objects that become items; deeper ones stay plain objects.
MAX_DEPTH = 64
_KEYWORDS = frozenset({"@context", "@type", "@id", "@graph"})


def items(text: str) -> list[LinkedItem]:
    """Return the items of one script. Raises ValueError if the script is not JSON."""
    return [item for value in loads(text) for item in _top(value)]


def _top(value: Any, depth: int = 0) -> Iterator[LinkedItem]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for each in value:
            yield from _top(each, depth + 1)
    elif isinstance(value, dict):
        # An object with only these keys is a wrapper of its `@graph`, and not an item
        # itself.
        if "@graph" not in value or value.keys() - {"@context", "@graph", "@id"}:
            yield _item(value, 0)
        yield from _top(value.get("@graph", []), depth + 1)


def _item(value: dict[str, Any], depth: int) -> LinkedItem:
    properties = {
        name: _converted(each, depth + 1)
        for name, each in value.items()
        if name not in _KEYWORDS
    }
    name = value.get("@id")
    return LinkedItem(
        "json-ld",
        _types(value.get("@type")),
        properties,
        name if isinstance(name, str) else "",
    )


def _types(value: Any) -> tuple[str, ...]:
    types = value if isinstance(value, list) else [value]
    return tuple(short_type(each.strip()) for each in types if isinstance(each, str))


def _converted(value: Any, depth: int) -> Any:
    """Return the value with each object that has a type converted to an item."""
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [_converted(each, depth + 1) for each in value]
    if not isinstance(value, dict):
        return value
    if "@value" in value:
        return value["@value"]
    if value.keys() == {"@list"} or value.keys() == {"@set"}:
        return _converted(next(iter(value.values())), depth + 1)
    if "@type" in value:
        return _item(value, depth)
    return {name: _converted(each, depth + 1) for name, each in value.items()}
