"""Finds the links of a parsed page, as written, and the `<base>` of the page.

Rule: HTML defines which attribute of an element is a link; other attributes count only
if the caller names them. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from selectolax.lexbor import LexborNode

from crawler.errors import ConfigError
from crawler.web.lazy_regex import lazy_regex
from crawler.web.links import srcset_urls

#: Elements that count as links by default.
LINKS = ("a", "area")
#: The attribute that holds an element's link; `href` for elements that are not listed.
LINK_ATTRIBUTES = {
    **dict.fromkeys(
        ("img", "iframe", "frame", "script", "source", "video", "audio", "embed"), "src"
    ),
    **dict.fromkeys(("track", "input"), "src"),
    "object": "data",
    "form": "action",
}
_NAME = lazy_regex(r"[A-Za-z_][\w-]*", re.ASCII)
# Elements whose content belongs to SVG or MathML, not to HTML.
_FOREIGN = frozenset({"svg", "math"})
# Elements of SVG and MathML whose content belongs to HTML again.
_HTML_AGAIN = frozenset({"foreignObject", "desc", "title", "annotation-xml"})

Names = str | Sequence[str] | None


class Wanted:
    """Which elements are links, and which of their attributes hold them.

    Without `tags` the links are `<a>` and `<area>`, or with `attributes` all elements
    that have one of these attributes. Without `attributes` HTML defines the attribute
    of each element.
    """

    def __init__(self, tags: Names = None, attributes: Names = None) -> None:
        #: The attributes that hold links; None: for each element the one that HTML
        #: defines.
        self._attributes = _several(attributes)
        every = tags is None and self._attributes is not None
        #: The names of the elements that are links; None: all elements.
        self.tags = None if every else frozenset(_several(tags) or LINKS)
        names = self._attributes or {
            LINK_ATTRIBUTES.get(tag, "href") for tag in self.tags or ()
        }
        for name in names:
            if not _NAME.fullmatch(name):
                raise ConfigError(
                    f"{name!r} in attributes= is not the name of an HTML attribute; "
                    "give a name such as 'href'"
                )
        #: A selector of all elements that may be links.
        self.selector = ",".join(f"[{name}]" for name in sorted(names))

    @property
    def is_href(self) -> bool:
        """Whether only the attribute `href` counts; a page caches its elements with
        this attribute."""
        return self.selector == "[href]"

    def is_link(self, tag: str | None) -> bool:
        """Return whether elements of this name are links."""
        return self.tags is None or tag in self.tags

    def addresses(self, nodes: Iterable[LexborNode]) -> list[str]:
        """Return the addresses of the links among these elements, as written."""
        found: list[str] = []
        for node in nodes:
            tag = node.tag
            if not self.is_link(tag):
                continue
            attributes = node.attrs
            for name in self._attributes or (LINK_ATTRIBUTES.get(tag or "", "href"),):
                try:
                    value = attributes[name] or ""
                except KeyError:
                    continue
                if name.endswith("srcset"):
                    found += srcset_urls(value)
                else:
                    found.append(value)
        return found


def wanted_links(tags: Names = None, attributes: Names = None) -> Wanted:
    """Return which elements are links; without arguments always the same object."""
    return _USUAL if tags is None and attributes is None else Wanted(tags, attributes)


def base_reference(nodes: Sequence[LexborNode], tags: Sequence[str | None]) -> str:
    """Return the `<base href>` of a page; "" if there is none.

    The first `<base>` in HTML counts; elements of that name in SVG or MathML do not.
    """
    for node, tag in zip(nodes, tags, strict=True):
        if tag == "base" and "href" in node.attributes and not _is_foreign(node):
            return node.attributes["href"] or ""
    return ""


def _is_foreign(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None and parent.tag not in _HTML_AGAIN:
        if parent.tag in _FOREIGN:
            return True
        parent = parent.parent
    return False


def _several(names: Names) -> tuple[str, ...] | None:
    """Return names in lower case; a single string counts as one name."""
    if names is None:
        return None
    return tuple(
        name.lower() for name in ([names] if isinstance(names, str) else names)
    )


_USUAL = Wanted()
