"""Finds the `<meta>` elements of a page without parsing all of it. No I/O.

Markup is split into tokens by HTML's rules; comments and text that looks like tags are
skipped.
"""

import re
from collections.abc import Iterator

from crawler.web.lazy_regex import lazy_regex

# Attributes are searched only in this many bytes of an element.
_LONGEST = 8 * 1024
# A comment, a tag with its attributes, or any other markup, in this order.
_MARKUP = re.compile(
    rb"<!--(?:-?>|.*?-->|.*)"
    rb"|<(?P<name>/?[a-z][^\s/>]*)(?P<attributes>"
    rb"(?:[^>\"'=]++|=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"'][^\s>]*)?|[\"'])*)"
    rb"|<[!/?][^>]*",
    re.I | re.S,
)
_ATTRIBUTE = lazy_regex(
    rb"([^\s/>=][^\s/>=]*)(?:\s*=\s*(?:\"([^\"]*)\"?|'([^']*)'?|([^\s>]*)))?"
)
_META = lazy_regex(rb"<meta[\s/]", re.I)
# Elements whose content is only text for a browser, even if it looks like tags. As
# browsers run scripts, `<noscript>` is among these elements.
_RAW_TEXT = (
    b"iframe", b"noembed", b"noframes", b"noscript", b"script", b"style", b"textarea",
    b"title", b"xmp",
)  # fmt: skip
_END_TAGS = {name: lazy_regex(rb"</" + name + rb"[\s/>]", re.I) for name in _RAW_TEXT}
# Everything up to the next <meta> or element with raw text.
_PASSED = lazy_regex(
    rb"(?:[^<]++|<!--(?:-?>|.*?-->|.*)|<[!?][^>]*+"
    rb"|<(?!(?:meta|" + b"|".join(_RAW_TEXT) + rb")[\s/>])(?:/?[a-z]"
    rb"(?:[^>=]++|=\s*+(?:\"[^\"]*+\"?|'[^']*+'?)?+)*+)?+)*+",
    re.I | re.S,
)


def metas(markup: bytes) -> Iterator[dict[bytes, bytes]]:
    """Yield the attributes, by name, of each `<meta>` that a browser's parser meets."""
    if not _META.search(markup):
        return
    position = 0
    while True:
        passed = _PASSED.match(markup, position)
        tag = _MARKUP.match(markup, passed.end() if passed else position)
        if tag is None:
            return
        name, position = tag["name"].lower(), tag.end()
        if name == b"meta":
            yield _attributes(tag["attributes"])
        elif end := _END_TAGS[name].search(markup, position):
            position = end.start()
        else:
            return


def metas_of_prefix(markup: bytes) -> Iterator[dict[bytes, bytes]]:
    """Yield the attributes of each `<meta>` in a page's first bytes, even of one inside
    a script.

    HTML demands this simple search (HTML 13.2.3.2, "prescan a byte stream").
    """
    for tag in _MARKUP.finditer(markup):
        if (tag["name"] or b"").lower() == b"meta":
            yield _attributes(tag["attributes"])


def _attributes(text: bytes) -> dict[bytes, bytes]:
    """Return an element's attributes by lower-case name; of two with the same name the
    first one counts."""
    found: dict[bytes, bytes] = {}
    for name, *values in _ATTRIBUTE.findall(text[:_LONGEST]):
        found.setdefault(name.lower(), b"".join(values))
    return found
