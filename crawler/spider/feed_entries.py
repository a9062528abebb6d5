"""Turns the entries of RSS and Atom feeds into objects of one class."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from crawler.response import Response
from crawler.web import sitemaps, urls


@dataclass(frozen=True)
class FeedEntry:
    """An entry of a feed in RSS 2.0, RSS 1.0 (RDF) or Atom."""

    id: str
    url: str
    title: str
    #: The entry's content, or its summary if it has no content; usually HTML.
    summary: str = ""
    author: str = ""
    #: The time of publication as ISO 8601 in UTC; "" if the feed gives no valid date.
    published: str = ""
    updated: str = ""
    categories: list[str] = field(default_factory=list)
    #: URLs of attached files.
    enclosures: list[str] = field(default_factory=list)


def entry_of(element: Element, response: Response) -> FeedEntry:
    """Return an `<item>` or `<entry>` element as a FeedEntry with absolute URLs."""
    published = _text(element, "pubDate", "published", "issued", "date")
    updated = _text(element, "updated", "modified") or published
    url = _url(response, _link(element))
    return FeedEntry(
        id=_text(element, "guid", "id") or url,
        url=url,
        title=_text(element, "title"),
        summary=_text(element, "encoded", "content", "description", "summary"),
        author=_author(element),
        published=_date(published),
        updated=_date(updated),
        categories=_categories(element),
        enclosures=[_url(response, each) for each in _enclosures(element)],
    )


def _children(element: Element, name: str) -> list[Element]:
    return [child for child in element if child.tag.rpartition("}")[2] == name]


def _text(element: Element, *names: str) -> str:
    """Return the text of the first child element that has one of these names and is not
    empty; "" if no child has such text."""
    for name in names:
        for child in _children(element, name):
            if text := "".join(child.itertext()).strip():
                return text
    return ""


def _link(element: Element) -> str:
    """Return the entry's link.

    RSS gives the link as text. Atom gives it as `href` of a link element: of the
    "alternate" link if the entry has such a link, else of the first link.
    """
    links = _children(element, "link")
    for rel in ("alternate", None):
        for link in links:
            href = link.get("href")
            if href and rel in (None, link.get("rel", "alternate")):
                return href
    if text := _text(element, "link"):
        return text
    guids = _children(element, "guid")
    is_link = bool(guids) and guids[0].get("isPermaLink", "true") != "false"
    return _text(element, "guid") if is_link else ""


def _author(element: Element) -> str:
    for author in _children(element, "author"):
        if name := _text(author, "name"):
            return name
    return _text(element, "author", "creator")


def _categories(element: Element) -> list[str]:
    found = [
        each.get("term") or "".join(each.itertext()).strip()
        for name in ("category", "subject")
        for each in _children(element, name)
    ]
    return [each for each in dict.fromkeys(found) if each]


def _enclosures(element: Element) -> list[str]:
    found = [each.get("url", "") for each in _children(element, "enclosure")]
    links = _children(element, "link")
    found += [each.get("href", "") for each in links if each.get("rel") == "enclosure"]
    return [each for each in found if each]


def _url(response: Response, reference: str) -> str:
    if not reference:
        return ""
    try:
        return urls.absolute(response.url, reference.strip())
    except urls.InvalidUrl:
        return reference


def _date(text: str) -> str:
    found = sitemaps.moment(text) if text else None
    return "" if found is None else found.isoformat()
