"""Linked data of a parsed page: JSON-LD, microdata, OpenGraph, Twitter cards. No I/O.

Rule: the parsed tree is only queried by selectors; Python does not visit every node.
"""

from __future__ import annotations

from typing import NamedTuple

from selectolax.lexbor import LexborNode

from crawler.web import json_ld, microdata, social_cards
from crawler.web.linked_item import LinkedItem, item_and_inner

#: Maximum number of JSON-LD scripts of a page that are read.
MAX_SCRIPTS = 1_000
#: Maximum number of errors in JSON-LD scripts that are kept for the log.
MAX_ERRORS = 10
_JSON_LD = "application/ld+json"


class LinkedData(NamedTuple):
    """The items of a page, in the order JSON-LD, microdata, OpenGraph, Twitter.

    `errors` are the reasons why JSON-LD scripts could not be read.
    """

    items: list[LinkedItem]
    errors: list[str]

    def of_kind(self, kind: str | None, *, nested: bool = False) -> list[LinkedItem]:
        """Return the items of the type `kind` (such as "Product"); None: the items of
        all types. With `nested`, items inside other items are included."""
        found = self.items
        if nested:
            found = [each for item in found for each in item_and_inner(item)]
        return [item for item in found if kind is None or item.is_a(kind)]


def read(root: LexborNode, markup: bytes, base_url: str) -> LinkedData:
    """Return the linked data of the page with this root element and this HTML text."""
    found: list[LinkedItem] = []
    errors: list[str] = []
    text = markup.lower()
    if b"ld+json" in text:
        for node in root.css("script[type]")[:MAX_SCRIPTS]:
            if _media_type(node) == _JSON_LD:
                try:
                    found += json_ld.items(node.text())
                except ValueError as exc:
                    errors.append(str(exc))
    if b"itemscope" in text:
        found += microdata.items(root, base_url)
    if b"<meta" in text:
        found += social_cards.items(root.css("meta"))
    return LinkedData(found, errors[:MAX_ERRORS])


def _media_type(node: LexborNode) -> str:
    return (node.attrs["type"] or "").partition(";")[0].strip().lower()
