"""Guesses a CSS selector for the link to the next page of a list. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from crawler.page import Page
from crawler.page.node import Node

#: Maximum number of characters of a selector. A longer selector is hard to read.
LONGEST = 60
_WORD = re.compile(r"-?[A-Za-z_][\w-]*", re.ASCII)
_NEXT = re.compile(
    r"\W*(next|older|more results|weiter|nächste|suivant|siguiente|próxim[ao]|"
    r"successiv[ao]|volgende|następna|дальше|следующая|下一页|下一頁|次へ|»|›|→)\b.*",
    re.I | re.S,
)
_ARROWS = frozenset("»›→>")


def next_link_of(page: Page) -> str:
    """Return a selector whose first match is the link to the next page.

    "" if no such link was found.
    """
    for node in islice(page.css("a[href]"), 2000):
        if not _is_next(node):
            continue
        for selector in _selectors_of_next(node):
            if len(selector) <= LONGEST and page.css_first(selector) == node:
                return selector
    return ""


def _is_next(node: Node) -> bool:
    attrs = node.attrs
    if "next" in attrs.get("rel", "").lower().split():
        return True
    words = attrs.get("class", "").lower().split()
    label = attrs.get("aria-label", "") or attrs.get("title", "")
    text = node.text()
    if len(text) > 40 or attrs["href"].startswith(("#", "javascript:")):
        return False
    return (
        any(word == "next" or word.startswith(("next-", "next_")) for word in words)
        or _NEXT.fullmatch(text) is not None
        or _NEXT.fullmatch(label) is not None
        or (bool(text) and set(text) <= _ARROWS)
    )


def _selectors_of_next(node: Node) -> Iterable[str]:
    attrs, above = node.attrs, node.parent
    if "next" in attrs.get("rel", "").split():
        yield "a[rel~=next]"
    own = [word for word in attrs.get("class", "").split() if is_name(word)]
    yield from (f"a.{word}" for word in sorted(own, key=lambda w: "next" not in w))
    if above is not None and is_name(above.tag):
        words = [word for word in above.attrs.get("class", "").split() if is_name(word)]
        yield from (f"{above.tag}.{word} a" for word in words)
        yield from (f"{above.tag}.{word} a:last-child" for word in words)
    for name in ("aria-label", "title", "id"):
        value = attrs.get(name, "")
        if value and '"' not in value and "\\" not in value and value.isprintable():
            yield f'a[{name}="{value}"]'
    text = node.text()
    if text and '"' not in text and "\\" not in text:
        yield f'a:lexbor-contains("{text}")'


def first_class(node: Node) -> str:
    """Return the first class of an element that `is_name` accepts; "" if none."""
    words = node.attrs.get("class", "").split()
    return next((word for word in words if is_name(word)), "")


def is_name(word: str) -> bool:
    """Return whether a class, id or tag can stand in a selector as it is.

    The name must need no escape in CSS, and must not be long: long names are often
    generated, and change.
    """
    return _WORD.fullmatch(word) is not None and len(word) <= 30
