"""XPath and JMESPath, by parsel.

Rule: only a document that passed the checks of `Page.check()` (HTML) or
`xml_tree.as_checked_utf8()` (XML) is parsed in this module. An expression that could
take long on the document is refused before it is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, ClassVar, cast

import lxml.html
from lxml import etree
from parsel import Selector, SelectorList

from crawler.errors import FetchError, Reason
from crawler.web.html_limits import PageTooComplex, is_wide
from crawler.web.xpath_limits import FEW, XmlShape, XPathTooCostly, check

#: Maximum number of elements of a document on which XPath is evaluated.
MAX_ELEMENTS = 50_000
#: Maximum nesting of elements of a document on which XPath is evaluated.
MAX_DEPTH = 512

_deep = etree.XPath("/*" * MAX_DEPTH)
_every = etree.XPath("count(//*)")


class PageSelector(Selector):
    """parsel's Selector of a document on which every expression is fast."""

    __slots__ = ()


class LargePageSelector(PageSelector):
    """parsel's Selector of a document on which an expression may be slow, so each
    expression is checked first."""

    __slots__ = ()

    #: Returns the size of the document, which is measured at the first call. Each
    #: document has its own subclass with this attribute, because parsel creates the
    #: selectors of an expression's results with the same class, and passes them no
    #: other data.
    shape: ClassVar[Callable[[], XmlShape]]
    url: ClassVar[str]

    def xpath(
        self, query: str, namespaces: Mapping[str, str] | None = None, **kwargs: Any
    ) -> SelectorList[Any]:
        """Return the results. Raises PageTooComplex if XPath could take too long."""

        def count(expression: str) -> float:
            found = Selector.xpath(self, expression, namespaces, **kwargs)
            return float(found[0].root)

        shape = type(self).shape
        try:
            check(query, shape, count)
        except XPathTooCostly:
            raise PageTooComplex(
                f"the XPath expression {query!r} could take too long on a page of "
                f"{shape().elements:,} elements; make its steps more specific, or "
                "select one element with [1]",
                self.url,
            ) from None
        return super().xpath(query, namespaces, **kwargs)


def html_selector(markup: bytes, url: str, is_large: bool) -> Selector:
    """Return parsel's selector of an HTML page in UTF-8. Call `Page.check()` first,
    which refuses a page that could take the parser too long."""
    if is_large and is_wide(markup):
        raise PageTooComplex(
            "an element of the page has over 1,000 attributes, which is too many for "
            "XPath; use css()",
            url,
        )
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True)
    text = markup.replace(b"\0", b"").strip()
    root = etree.fromstring(text or b"<html/>", parser, base_url=url)
    if root is None:  # the page contains only a comment
        root = etree.fromstring(b"<html/>", parser, base_url=url)
    return _bounded(root, url, "html")


def xml_selector(text: bytes, url: str) -> Selector:
    """Return parsel's selector of an XML document in UTF-8. The text must come from
    `xml_tree.as_checked_utf8()`, which refuses DTDs and documents with too many
    nodes."""
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False
    )
    try:
        root = etree.fromstring(text, parser, base_url=url)
    except etree.XMLSyntaxError as exc:
        raise FetchError(
            Reason.PARSE_ERROR, f"the response cannot be read as XML: {exc}", url=url
        ) from exc
    return _bounded(root, url, "xml")


def json_selector(value: Any) -> Selector:
    """Return parsel's selector of a JSON value, for JMESPath."""
    return PageSelector(root=value, type="json")


def _bounded(root: etree._Element, url: str, kind: str) -> Selector:
    elements = int(cast("float", _every(root)))
    if elements <= FEW // 2:
        return PageSelector(root=root, type=kind, base_url=url)
    if elements > MAX_ELEMENTS:
        raise PageTooComplex(
            f"the page has over {MAX_ELEMENTS:,} elements, which is too many for "
            "XPath; use css(), or response.xml for XML",
            url,
        )
    if _deep(root):
        raise PageTooComplex(
            f"the page's elements are nested over {MAX_DEPTH} levels deep, which is "
            "too deep for XPath; use css(), or response.xml for XML",
            url,
        )
    if elements <= FEW:
        return PageSelector(root=root, type=kind, base_url=url)
    names = {
        "shape": staticmethod(cache(partial(_shape, root, elements))),
        "url": url,
        "__slots__": (),
    }
    bounded = type("LargePageSelector", (LargePageSelector,), names)
    made: Selector = bounded(root=root, type=kind, base_url=url)
    return made


def _shape(root: etree._Element, elements: int) -> XmlShape:
    siblings, depth, level = 0, 0, [root]
    while level:
        depth += 1
        siblings = max(siblings, *map(len, level))
        level = [child for element in level for child in element]
    return XmlShape(elements, siblings, depth)
