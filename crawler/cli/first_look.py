"""Guesses what a page holds, for `crawl new`: repeated elements, their fields, and the
link to the next page.

Rule: no I/O, and a limit on the work for one page. Every guess is checked against the
page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from crawler.cli.next_link import LONGEST, first_class, is_name, next_link_of
from crawler.page import Page
from crawler.page.node import Node
from crawler.response import Response
from crawler.web import media_type

#: Maximum number of elements examined on a page.
_ELEMENTS = 20_000
#: Maximum number of elements of a list whose fields are examined.
_SAMPLE = 20
#: Minimum number of repeated elements that count as a list.
_FEWEST = 3
#: Paths of values in linked data (JSON-LD or microdata) that a spider may want. Most of
#: the names are from schema.org.
# fmt: off
_PATHS = (
    "name", "headline", "sku", "offers.price", "offers.priceCurrency", "brand.name",
    "author.name", "datePublished", "startDate", "address.streetAddress",
    "address.addressLocality", "telephone", "aggregateRating.ratingValue",
)
# fmt: on
_JSON = ("application/json", "text/json")
_ITEM_TAGS = "article, li, div, section, tr, dd, a"
_ASIDE = "nav, header, footer, aside, form, head"


@dataclass(frozen=True)
class FirstPart:
    """A field of an item: the text of the first element that `selector` matches.

    If `attr` is given, the value is this attribute instead of the text.
    """

    name: str
    selector: str
    attr: str = ""
    #: Whether every item has a value for this field.
    is_everywhere: bool = True


@dataclass(frozen=True)
class Look:
    """The guesses about one page. A field is empty if nothing of its kind was found."""

    #: A CSS selector of the repeated elements.
    items: str = ""
    #: The number of repeated elements, of rows of JSON, or of entries of a feed.
    count: int = 0
    #: The fields that most of the repeated elements have.
    parts: tuple[FirstPart, ...] = ()
    #: A CSS selector of the link to the next page.
    next_link: str = ""
    #: A CSS selector of the title of the page.
    title: str = ""
    #: The type of the linked data in the page (JSON-LD or microdata), such as
    #: "Product".
    linked: str = ""
    #: The paths of the values in the linked data, such as "offers.price".
    paths: tuple[str, ...] = ()
    #: Whether the body is JSON with a list of objects (rows).
    is_json: bool = False
    #: For JSON: the key of the list of rows; "" if the body itself is the list.
    rows: str = ""
    #: For a feed: the name of its entry elements, with their namespace.
    entries: str = ""

    def __str__(self) -> str:
        """Return the guesses as text for a person."""
        if self.is_json:
            return f"{self.count:,} rows of JSON"
        if self.entries:
            return f"a feed of {self.count:,} entries"
        if not self.items and self.linked:
            return f"linked data: {self.linked} with {', '.join(self.paths)}"
        if not self.items:
            return "no repeated elements; the spider takes the title of each page"
        names = ", ".join(part.name for part in self.parts)
        found = f"{self.count:,} elements `{self.items}` with {names}"
        return found + f", the next page at `{self.next_link}`" * bool(self.next_link)


def look_at(response: Response) -> Look | None:
    """Return what the response seems to offer a spider, such as links, repeated
    elements and structured data; None if none of these is found.

    Raise CrawlError if the body cannot be decoded.
    """
    kind = response.content_type
    if kind.endswith("+json") or kind in _JSON:
        return _of_json(response.json())
    if media_type.is_xml(kind) and kind != "application/xhtml+xml":
        return _of_feed(response)
    return _of_page(response.page)


def _of_json(value: object) -> Look | None:
    if isinstance(value, list):
        return Look(is_json=True, count=len(value)) if _are_rows(value) else None
    if not isinstance(value, dict):
        return None
    for key, inner in value.items():
        if _are_rows(inner):
            return Look(is_json=True, rows=key, count=len(inner))
    return None


def _are_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _of_feed(response: Response) -> Look | None:
    for name in ("item", "{http://www.w3.org/2005/Atom}entry"):
        if count := sum(1 for _ in response.xml.iter(name)):
            return Look(entries=name, count=count)
    return None


def _of_page(page: Page) -> Look:
    title = "h1" if _text(page.root, "h1") else "title" if page.css("title") else ""
    items, count, parts = _list_of(page)
    linked, paths = _linked_data_of(page)
    return Look(items, count, parts, next_link_of(page), title, linked, paths)


def _linked_data_of(page: Page) -> tuple[str, tuple[str, ...]]:
    """Return the type of the first useful item of linked data (JSON-LD or microdata),
    and the paths of its values.

    ("", ()) if the page has no such item.
    """
    for item in page.linked_data.items:
        if item.source not in ("json-ld", "microdata") or not item.types:
            continue
        paths = tuple(path for path in _PATHS if _is_plain(item.get(path)))
        if item.types[0].isalnum() and len(paths) > 1:
            return item.types[0], paths
    return "", ()


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def _list_of(page: Page) -> tuple[str, int, tuple[FirstPart, ...]]:
    """Return the repeated elements that look most like items: their selector, number
    and fields."""
    aside = set(islice(page.css(_ASIDE), 1000))
    best: tuple[float, str, int, tuple[FirstPart, ...]] = (0.0, "", 0, ())
    for selector in _candidates(page):
        nodes = page.css(selector)
        parts = _parts(nodes[:_SAMPLE])
        if not parts or len(nodes) < _FEWEST:
            continue
        # Score a list by its number of items and by the number of fields in each.
        score = min(len(nodes), 40) ** 0.5 * len(parts)
        if _is_in(nodes[0], aside):
            score /= 10
        if score >= best[0]:  # of equal scores, the innermost list wins
            best = (score, selector, len(nodes), parts)
    return best[1:]


def _candidates(page: Page) -> list[str]:
    """Return at most 100 selectors of elements that repeat, each selector once.

    Elements repeat if at least three have the same tag and class. Elements without a
    class must also have the same parent.
    """
    groups: dict[tuple[object, str, str], list[Node]] = {}
    for node in islice(page.css(_ITEM_TAGS), _ELEMENTS):
        above = node.lexbor.parent
        name = first_class(node)
        key = (above.mem_id if above is not None else 0, node.tag, name)
        groups.setdefault(key, []).append(node)
        if name:  # also a group of all elements of this class, whatever their parents
            groups.setdefault((0, node.tag, name), []).append(node)
    selectors = (
        _selector_of(nodes) for nodes in groups.values() if len(nodes) >= _FEWEST
    )
    found = dict.fromkeys(text for text in selectors if 0 < len(text) <= LONGEST)
    return list(found)[:100]


def _selector_of(nodes: Sequence[Node]) -> str:
    """Return a selector that matches all of the given elements.

    "" if every such selector would also match many other elements.
    """
    first = nodes[0]
    if name := first_class(first):
        return f"{first.tag}.{name}"
    above = first.parent
    if above is not None and not is_name(above.tag):
        above = None  # the parent's tag is malformed, such as <a<b>
    if above is not None and (name := first_class(above)):
        return f"{above.tag}.{name} > {first.tag}"
    if above is not None and is_name(above.attrs.get("id", "")):
        return f"#{above.attrs['id']} > {first.tag}"
    return "article" if first.tag == "article" else ""


#: For each field: its name, the selectors to try, and the attribute that holds the
#: value ("": the text).
_GUESSES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "title",
        ("h1", "h2", "h3", "h4", "h5", "h6", "[itemprop=name]", ".title", ".name", "a"),
        "",
    ),
    ("url", ("h1 a", "h2 a", "h3 a", "h4 a", "h5 a", "h6 a", ".title a", "a"), "href"),
    ("price", ("[itemprop=price]", ".price", "[class*=price]"), ""),
    ("date", ("time",), ""),
    ("author", ("[rel=author]", "[itemprop=author]", ".author", ".byline"), ""),
    ("image", ("img",), "src"),
    ("text", (".summary", ".description", ".text", "p"), ""),
)


def _parts(nodes: Sequence[Node]) -> tuple[FirstPart, ...]:
    """Return the fields that most of the given elements have.

    The result is empty if the elements do not look like items.
    """
    found: dict[str, FirstPart] = {}
    for name, selectors, attr in _GUESSES:
        for selector in selectors:
            part = _tried(name, selector, attr, nodes)
            if part is not None and not _repeats(part, found.values(), nodes):
                found[name] = part
                break
    if len(found) < 2 or not found.keys() & {"title", "text"}:
        return ()
    return tuple(found.values())


def _tried(
    name: str, selector: str, attr: str, nodes: Sequence[Node]
) -> FirstPart | None:
    """Return the field if at least half of the elements have a plausible value for it.

    Otherwise return None.
    """
    if "*=" in selector and (own := _own_selector(selector, nodes)):
        selector = own
    values = [_value(node, selector, attr) for node in nodes]
    good = [value for value in values if _is_like(name, value)]
    if len(good) * 2 < len(nodes):
        return None
    if name in ("title", "url") and len(set(good)) * 2 < len(good):
        return None  # the text is the same in most elements, such as "more"
    if name == "title" and not attr and _is_cut(good):
        whole = _tried(name, f"{selector} a", "title", nodes)
        if whole is not None:
            return whole
    return FirstPart(name, selector, attr, is_everywhere=len(good) == len(nodes))


def _own_selector(selector: str, nodes: Sequence[Node]) -> str:
    """Return a selector for the class of an element that `selector` matches.

    Of the matches whose text has a digit, such as a price, the one with the shortest
    text is used. "" if there is no such match with a class.
    """
    for node in nodes:
        named = [each for each in node.css(selector) if first_class(each)]
        with_number = [each for each in named if re.search(r"\d", each.text())]
        if with_number:
            smallest = min(with_number, key=lambda each: len(each.text()))
            return f".{first_class(smallest)}"
    return ""


def _is_cut(texts: Sequence[str]) -> bool:
    """Return whether most texts end in "...", because the site has shortened them."""
    cut = [text for text in texts if text.endswith(("...", "…"))]
    return len(cut) * 2 > len(texts)


def _repeats(
    part: FirstPart, others: Iterable[FirstPart], nodes: Sequence[Node]
) -> bool:
    """Return whether one of the `others` has the same values as the field `part`."""
    if part.attr:
        return False
    own = [_text(node, part.selector) for node in nodes]
    return any(
        own == [_text(node, other.selector) for node in nodes]
        for other in others
        if not other.attr
    )


def _is_like(name: str, value: str) -> bool:
    if name == "price":
        return len(value) <= 40 and any(char.isdigit() for char in value)
    if name == "text":
        return len(value) >= 30
    if name == "url":
        return not value.startswith(("#", "javascript:")) and value != ""
    return 0 < len(value) <= 300


def _value(node: Node, selector: str, attr: str) -> str:
    if not attr:
        return _text(node, selector)
    found: str = node.attr(attr, selector, default="")
    return found


def _text(node: Node, selector: str) -> str:
    found: str = node.text(selector, default="")
    return found


def _is_in(node: Node, aside: set[Node]) -> bool:
    above = node.parent
    while above is not None:
        if above in aside:
            return True
        above = above.parent
    return False
