"""Microdata of a page, by the algorithms of HTML (5.2, "Microdata"). No I/O.

Rule: limited work. An item is built once, and an item inside itself is dropped. If the
items of a page have over `MAX_VALUES` values, further values are omitted.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from selectolax.lexbor import LexborAttributes, LexborNode

from crawler.web.linked_item import LinkedItem, short_type
from crawler.web.urls import InvalidUrl, absolute
from crawler.web.visible_text import text_of

#: Maximum nesting of items.
MAX_DEPTH = 64
#: Maximum number of values in an item with its inner items, and in a page.
MAX_VALUES = 20_000
#: Maximum number of elements of a page to which items may refer by `itemref`.
MAX_REFERENCES = 50
#: A property inside more properties than this gives no text. Otherwise deeply nested
#: properties would repeat the same text too often.
MAX_AROUND = 8
#: Maximum number of characters in all texts of a page.
MAX_TEXT = 8 * 1024**2
# Elements whose property value is a text in an attribute, with the attribute's name.
_TEXT_IN = {"meta": "content", "data": "value", "meter": "value"}
# Elements whose property value is a URL in an attribute, with the attribute's name.
_URL_IN = {
    **dict.fromkeys(("a", "area", "link"), "href"),
    **dict.fromkeys(("audio", "embed", "iframe", "img"), "src"),
    **dict.fromkeys(("source", "track", "video"), "src"),
    "object": "data",
}


def items(root: LexborNode, base_url: str) -> list[LinkedItem]:
    """Return the top-level items of a page."""
    marks = _Marks(root)
    making = _Making(marks, base_url)
    tops = [
        node
        for node in marks.nodes
        if node.mem_id in marks.scopes and node.mem_id not in marks.names
    ]
    return [made[0] for node in tops if (made := making.item(node)) is not None]


class _Marks:
    """The elements of a page that are items or properties, and how they belong
    together."""

    def __init__(self, root: LexborNode) -> None:
        self._root = root
        # A list of selectors returns an element once for each selector that it matches.
        marked = {node.mem_id: node for node in root.css("[itemscope],[itemprop]")}
        #: Elements that are items or properties, in document order.
        self.nodes = list(marked.values())
        self._place = {key: place for place, key in enumerate(marked)}
        attributes = [node.attrs for node in self.nodes]
        pairs = list(zip(marked, attributes, strict=True))
        #: The memory ids of the elements that are items.
        self.scopes = {key for key, attrs in pairs if "itemscope" in attrs}
        #: The memory ids of the elements that are properties.
        self.names = {key for key, attrs in pairs if "itemprop" in attrs}
        #: By the memory id of an element: the memory id of the item to which the
        #: element's content belongs, and the number of properties around this content.
        self._around: dict[int, tuple[int, int]] = {}

    def above(self, node: LexborNode) -> tuple[int, int]:
        """Return the memory id of the item around an element (0: none), and the number
        of properties around the element.

        Each element of the page is visited once.
        """
        path: list[int] = []
        above = node.parent
        while above is not None and above.mem_id not in self._around:
            path.append(above.mem_id)
            above = above.parent
        state = (0, 0) if above is None else self._around[above.mem_id]
        for key in reversed(path):
            owner = key if key in self.scopes else state[0]
            state = self._around[key] = (owner, state[1] + (key in self.names))
        return state

    def own(self, node: LexborNode) -> list[int]:
        """Return the positions in `nodes` of an item's own properties."""
        return self._own.get(node.mem_id, [])

    def with_references(self, node: LexborNode) -> list[int]:
        """Return the positions in `nodes` of an item's own properties, and of the
        properties in elements to which the item refers by `itemref`."""
        references = _words(node.attrs, "itemref")
        if not references:
            return self.own(node)
        places = set(self.own(node))
        for reference in references:
            places.update(self._referred.get(reference, ()))
        return sorted(places)

    @cached_property
    def _own(self) -> dict[int, list[int]]:
        own: dict[int, list[int]] = {}
        for place, node in enumerate(self.nodes):
            if node.mem_id in self.names:
                own.setdefault(self.above(node)[0], []).append(place)
        return own

    @cached_property
    def _referred(self) -> dict[str, list[int]]:
        """Return, by the `id` of each element to which an item refers, the positions in
        `nodes` of the properties in this element."""
        wanted = {word for node in self.nodes for word in _words(node.attrs, "itemref")}
        elements: dict[str, LexborNode] = {}
        for node in self._root.css("[id]"):
            name = node.attrs["id"] or ""
            if name in wanted and len(elements) < MAX_REFERENCES:
                elements.setdefault(name, node)
        return {name: self._inside(node) for name, node in elements.items()}

    def _inside(self, node: LexborNode) -> list[int]:
        """Return the positions in `nodes` of the properties in an element, including
        the element itself, but not those of inner items."""
        key = node.mem_id
        itself = [self._place[key]] if key in self.names else []
        if key in self.scopes:
            return itself
        owner, _ = self.above(node)
        inside = [
            self._place[each.mem_id]
            for each in node.css("[itemprop]")
            if each.mem_id != key and self.above(each)[0] == owner
        ]
        return itself + inside


class _Making:
    """Builds the items of one page."""

    def __init__(self, marks: _Marks, base_url: str) -> None:
        self._marks = marks
        self._base_url = base_url
        self._made: dict[int, tuple[LinkedItem, int]] = {}
        self._texts: dict[int, str] = {}
        self._open: set[int] = set()
        #: Number of values that may still be added.
        self._left = MAX_VALUES
        #: Number of characters of text that may still be added.
        self._room = MAX_TEXT

    def item(self, node: LexborNode) -> tuple[LinkedItem, int] | None:
        """Return an item and the number of its values; None if the item is inside
        itself, or nested too deeply."""
        key = node.mem_id
        if key in self._made:
            return self._made[key]
        if key in self._open or len(self._open) > MAX_DEPTH:
            return None
        self._open.add(key)
        found, size = self._properties(node)
        self._open.discard(key)
        attributes = node.attrs
        types = tuple(map(short_type, _words(attributes, "itemtype")))
        name = (attributes.get("itemid") or "").strip() if types else ""
        properties = {
            name: values[0] if len(values) == 1 else values
            for name, values in found.items()
        }
        item = LinkedItem(
            "microdata", types, properties, self._absolute(name) if name else ""
        )
        self._made[key] = item, size
        return item, size

    def _properties(self, node: LexborNode) -> tuple[dict[str, list[Any]], int]:
        """Return the values of an item by name, and the number of all values inside
        it."""
        marks = self._marks
        places = marks.own(node) if self._left < 0 else marks.with_references(node)
        found: dict[str, list[Any]] = {}
        size = 1
        for place in places:
            names = _words(marks.nodes[place].attrs, "itemprop")
            self._left -= 1 + len(names)
            value = self._value(marks.nodes[place])
            if value is None:
                continue
            size += value[1] * len(names)
            if size > MAX_VALUES or self._left < 0:
                break
            for name in names:
                found.setdefault(name, []).append(value[0])
        return found, size

    def _value(self, node: LexborNode) -> tuple[Any, int] | None:
        """Return the value of a property (HTML 5.2.4), and how many values it
        contains."""
        if node.mem_id in self._marks.scopes:
            return self.item(node)
        tag, attributes = node.tag or "", node.attrs
        if tag in _URL_IN:
            url = attributes.get(_URL_IN[tag]) or ""
            return _sized(self._absolute(url.strip()) if url else "")
        if tag in _TEXT_IN:
            return _sized(attributes.get(_TEXT_IN[tag]) or "")
        if tag == "time" and "datetime" in attributes:
            return _sized(attributes["datetime"] or "")
        return self._text(node)

    def _text(self, node: LexborNode) -> tuple[str, int] | None:
        """Return the text of a property; None if a limit is exceeded."""
        key = node.mem_id
        if key not in self._texts:
            if self._marks.above(node)[1] > MAX_AROUND or self._room < 0:
                return None
            text = self._texts[key] = text_of(node)
            self._room -= len(text)
        return _sized(self._texts[key])

    def _absolute(self, url: str) -> str:
        """Return a URL of the page as an absolute URL; an invalid URL is unchanged."""
        try:
            return absolute(self._base_url, url)
        except InvalidUrl:
            return url


def _sized(text: str) -> tuple[str, int]:
    """Return a text, and how much the text counts toward `MAX_VALUES`: 1, or more for a
    long text."""
    return text, 1 + len(text) // 1_000


def _words(attributes: LexborAttributes, name: str) -> list[str]:
    return (attributes.get(name) or "").split()
