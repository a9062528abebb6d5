"""Reads what a page says about itself for social networks. No I/O.

OpenGraph (ogp.me): `<meta property="og:title" content="...">`, with arrays and
structured properties. Twitter cards: `<meta name="twitter:card" content="...">`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from selectolax.lexbor import LexborNode

from crawler.web.linked_item import LinkedItem

# Maximum number of names that are read from one `<meta>` element.
_NAMES = 8
# OpenGraph properties that may have parts ("image:width"); each becomes an object with
# the key `url`.
_MEDIA = frozenset({"image", "video", "audio"})
# Prefixes of the other properties of ogp.me ("article:author"), which stay in the
# item's property names.
_PREFIXES = (
    "article:", "book:", "books:", "business:", "fb:", "fitness:", "game:", "music:",
    "place:", "product:", "profile:", "restaurant:", "video:",
)  # fmt: skip


def items(metas: Iterable[LexborNode]) -> list[LinkedItem]:
    """Return up to two items from a page's `<meta>` elements: OpenGraph and the Twitter
    card."""
    graph: dict[str, list[Any]] = {}
    card: dict[str, list[Any]] = {}
    for name, content in _said(metas):
        if name.startswith("og:"):
            _add(graph, name[3:], content)
        elif name.startswith("twitter:"):
            card.setdefault(name[8:], []).append(content)
        elif name.startswith(_PREFIXES):
            graph.setdefault(name, []).append(content)
    found = []
    if graph:
        found.append(LinkedItem("opengraph", _type(graph, "type"), _plain(graph)))
    if card:
        found.append(LinkedItem("twitter", _type(card, "card"), _plain(card)))
    return found


def _said(metas: Iterable[LexborNode]) -> Iterator[tuple[str, str]]:
    """Yield the name and the content of each `<meta>` element that has a content; with
    several names, one pair for each."""
    for node in metas:
        attributes = node.attrs
        if "content" in attributes:
            content = (attributes["content"] or "").strip()
            for name in _names(attributes.get("property"), attributes.get("name")):
                yield name, content


def _names(declared: str | None, name: str | None) -> list[str]:
    """Return the names of a `<meta>`: from `property`, which may hold several, or
    `name`."""
    words = (declared or "").split(maxsplit=_NAMES)[:_NAMES] or [name or ""]
    return [word.strip() for word in words]


def _add(graph: dict[str, list[Any]], name: str, content: str) -> None:
    """Add a value of OpenGraph. A part ("image:width") is added to the last property of
    that name ("image")."""
    root, _, part = name.partition(":")
    if root not in _MEDIA:
        graph.setdefault(name, []).append(content)
        return
    values = graph.setdefault(root, [])
    part = part or "url"
    if not values or (part == "url" and "url" in values[-1]):
        values.append({})
    values[-1].setdefault(part, content)


def _plain(values: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: each[0] if len(each) == 1 else each for name, each in values.items()}


def _type(values: dict[str, list[Any]], name: str) -> tuple[str, ...]:
    return tuple(values.get(name, ())[:1])
