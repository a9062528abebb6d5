"""Finds pages that could keep the HTML parser busy for long, without parsing them.

The parser is fast, but takes quadratic time in some cases: in the depth of open
elements, in the attributes of one element, and in formatting elements that stay open.
Such a page is called suspicious: a child process parses it first, with a time limit
(html_trial.py). The check takes linear time and costs a few percent of parsing. It
reads samples at random places, so that the author of a page cannot know which parts are
read.
"""

import re
from collections.abc import Callable
from random import random

from selectolax.lexbor import LexborNode

from crawler.errors import FetchError, Reason
from crawler.web.html_parser import parse
from crawler.web.lazy_regex import lazy_regex

# In bytes. A smaller page takes the parser at most 30 ms, whatever it contains.
_SMALL = 2_560
# With fewer tags a page cannot have too deeply nested elements or too many open
# formatting elements.
_FEW_TAGS = 400
# In bytes. A page above this, or with over two bytes for each allowed node, is always
# parsed by the child process first: for such a page an error of the check would be too
# expensive.
_LARGE = 512 * 1024
_MANY_TAGS = 2_000

# In bytes. A page is divided into cells of this size; in each cell one sample (a short
# part of the page at a random position) is checked.
_CELL = 16_384
# Length in bytes of a sample (a part of the page at a random position).
_SAMPLE = 512
# Length in bytes of the beginning of a sample ("probe"), which is checked first.
_PROBE = 192
# Number of samples that are parsed together; few, because parsing must be fast even for
# the samples of the worst page.
_TOGETHER = 6
# Markup after each sample. It closes anything that the end of the sample may have cut:
# a quoted value, a tag, a comment, raw text.
_END = (
    b"x\"'>-->]]></script></style></title></textarea></xmp></iframe></noembed>"
    b"</noframes></select></table>"
)
# Number of start tags without an end tag in the average sample (512 bytes in each 16 kB
# of the page). If the samples have more, they are parsed, to count the open elements
# exactly. Ordinary pages have three.
_UNMATCHED = 5
# Allowed number of start tags without an end tag for each probe (the first 192 bytes of
# a sample). If the probes have more, the whole samples are checked. Two in 192 bytes
# are some 170 in 16 kB; even 500 still parse fast.
_OPEN_IN_PROBE = 2
# Number of start tags without an end tag that a page may have in addition to two for
# each probe (the first 192 bytes of a sample).
_OPEN_BY_CHANCE = 4
# Elements that contain only text: what looks like a tag in their text is not a tag.
_TEXT = frozenset(
    {
        b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed",
        b"noframes", b"plaintext",
    }
)  # fmt: skip
# A quoted attribute value up to a "<" or ">", which does not begin or end a tag.
_QUOTED = lazy_regex(rb"=\s*+(?:\"[^\"<>]*+[<>]|'[^'<>]*+[<>])")
_TAG = lazy_regex(rb"<(/?[a-z][^\s/>]*+)")
# fmt: off
_VOID = frozenset({
    b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link",
    b"meta", b"param", b"source", b"track", b"wbr",
})
# fmt: on

# Number of open elements that a page may have for each sample (512 bytes in each 16 kB
# of the page). A formatting element counts as several. Ordinary pages leave up to 38
# open in six samples.
_OPEN_EACH = 4
# Number of open elements that a page may have in addition to four for each sample (512
# bytes in each 16 kB of the page).
_OPEN = 24
# Formatting elements: the parser opens them again in each block until their end tag
# (HTML 13.2.4.3).
_FORMATTING = frozenset(
    {"b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"}
)
_REOPENED = 4
_SLASH = 47

_ATTRIBUTE = (
    rb"[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"?|'[^']*+'?|[^\s>\"'][^\s>]*+)?)?+"
)
# A row of attributes up to the end of the searched text; plain text can match, too.
_ROW = lazy_regex(rb"(?:[\s/]*+" + _ATTRIBUTE + rb"){8,}+[\s/]*+\Z")
# A row of attributes where the search begins, or after the next quote.
_ROW_OR_BEHIND = lazy_regex(
    b"|".join(start + _ROW.pattern for start in (b"", rb"[^\"]*+\"", rb"[^']*+'"))
)
# In bytes. The 4,300 attributes that fit into a page of this size take lexbor 23 ms.
_NO_WIDE_TAG = 16 * 1024
# In bytes. A row of attributes is searched in a text of this length; text between two
# tags is rarely longer.
_LONG = 4_096
_MAX_ATTRIBUTES = 1_000
# The part of a page up to the first tag with too many attributes.
_NARROW = lazy_regex(
    rb"(?:[^<]++"
    rb"|<!--(?:-?>|.*?(?:--!?>|\Z))"
    rb"|<[a-zA-Z][^\s/>]*+(?:[\s/]*+" + _ATTRIBUTE + rb"){0,%d}+[\s/]*+(?:>|\Z)"
    rb"|<(?![a-zA-Z]|!--))*+" % _MAX_ATTRIBUTES,
    re.S,
)


class PageTooComplex(FetchError):
    """Parsing the page would take too much time or memory."""

    def __init__(self, detail: str, url: str = "") -> None:
        super().__init__(Reason.PARSE_ERROR, detail, url=url)


def suspicion(
    body: bytes, *, max_nodes: int = 1_000_000, chance: Callable[[], float] = random
) -> str:
    """Return why parsing this page (UTF-8) could take much time or memory; "" if not.

    `chance` returns random numbers in [0, 1), which decide which parts of the page are
    read.
    """
    size = len(body)
    if size <= _SMALL:
        return ""
    places = _places(size, chance)
    if size > min(_LARGE, 2 * max_nodes):
        # A page with few tags can be slow only if a tag has many attributes.
        if _has_tags(body, _MANY_TAGS):
            return "the page is large"
    elif _leaves_open(body, places):
        return "the page leaves many elements open"
    if size <= _NO_WIDE_TAG:
        return ""
    return (
        "an element of the page has many attributes"
        if _is_wide_at(body, places)
        else ""
    )


def is_wide(body: bytes, chance: Callable[[], float] = random) -> bool:
    """Return whether a tag has too many attributes."""
    return _is_wide_at(body, _places(len(body), chance))


def _places(size: int, chance: Callable[[], float]) -> list[int]:
    """Return the positions of a page's samples (parts that are checked): a random
    position in each 16 kB of the page."""
    if size <= _CELL:
        return [int(chance() * max(0, size - _SAMPLE))]
    return [
        cell + int(chance() * max(0, min(_CELL, size - cell) - _SAMPLE))
        for cell in range(0, size, _CELL)
    ]


def _has_tags(body: bytes, number: int) -> bool:
    """Return whether a page has over `number` tags. The count stops at this number."""
    count = 0
    for at in range(0, len(body), _CELL):
        count += body.count(b"<", at, at + _CELL)
        if count > number:
            return True
    return False


def _leaves_open(body: bytes, samples: list[int]) -> bool:
    """Return whether many elements of a page have no end tag. First the tag names in
    samples (short parts of the page) are compared; if many have no end tag, the samples
    are parsed."""
    if not _may_leave_open(body, samples):
        return False
    pieces = [body[at : at + _SAMPLE].lower() for at in samples]
    if sum(map(_unmatched, pieces)) <= _UNMATCHED * len(pieces):
        return False
    # The tags of a short page are counted only now, because counting takes longer than
    # reading its sample.
    if len(body) <= _CELL and not _has_tags(body, _FEW_TAGS):
        return False
    left = _OPEN + _OPEN_EACH * len(pieces)
    for first in range(0, len(pieces), _TOGETHER):
        # The text b"." at the end makes the parser open all unclosed formatting
        # elements again, so that they are counted.
        markup = _END.join([*pieces[first : first + _TOGETHER], b"."])
        if b"plaintext" in markup:  # no tag ends <plaintext>
            return True
        left -= _open_at_end(parse(markup))
        if left < 0:
            return True
    return False


def _may_leave_open(body: bytes, places: list[int]) -> bool:
    """Return whether more start tags than usual have no end tag in the 192 bytes from
    each of these positions on.

    First the numbers of start and end tags are compared, then their names.
    """
    enough = _OPEN_IN_PROBE * len(places) + _OPEN_BY_CHANCE
    starts = 0
    for at in places:
        end = at + _PROBE
        starts += body.count(b"<", at, end) - body.count(b"</", at, end)
    if starts <= enough:
        return False
    probes = [body[at : at + _PROBE].lower() for at in places]
    return sum(map(_unmatched, probes)) > enough


def _unmatched(piece: bytes) -> int:
    """Return how many start tags have no end tag in a piece. The number may be too
    high, but not too low.

    If some tags may be inside a comment, a script or a quoted value, all start tags
    count.
    """
    names = _TAG.findall(piece)
    if b"<!" in piece or not _TEXT.isdisjoint(names) or _QUOTED.search(piece):
        return len([name for name in names if name[0] != _SLASH])
    return _unclosed(names)


def _unclosed(names: list[bytes]) -> int:
    """Return how many of these tags (such as b"a" and b"/a") open an element that stays
    open.

    An end tag closes only the element that was opened last.
    """
    opened: list[bytes] = []
    for name in names:
        if name[0] != _SLASH:
            if name not in _VOID:
                opened.append(name)
        elif opened and opened[-1] == name[1:]:
            opened.pop()
    return len(opened)


def _open_at_end(root: LexborNode | None) -> int:
    """Return how many elements are open at the end of a parsed page. A formatting
    element, such as `<b>`, counts as several."""
    count = 0
    node = root
    while node is not None:
        tag = node.tag
        if tag == "body":
            # The parser adds the attributes of each further <body> tag to the first
            # <body>.
            count += len(node.attributes)
        count += _REOPENED if tag in _FORMATTING else 1
        node = node.last_child
    return count


def _is_wide_at(body: bytes, places: list[int]) -> bool:
    """Return whether a tag has too many attributes. The whole page is searched only if
    a row of attributes crosses one of these positions."""
    for at in places:
        # A quick test: the expression matches wherever `_may_be_in_tag` may find a row
        # of attributes.
        if _ROW_OR_BEHIND.match(body, at, at + _SAMPLE) and _may_be_in_tag(body, at):
            narrow = _NARROW.match(body)
            return narrow is None or narrow.end() < len(body)
    return False


def _may_be_in_tag(body: bytes, at: int) -> bool:
    """Return whether a long row of attributes may cross this position.

    If the position is inside a quoted value, the row continues after the closing quote.
    """
    end = at + _SAMPLE
    for quote in (b"", b'"', b"'"):
        start = body.find(quote, at, end) + len(quote) if quote else at
        if start >= at and _ROW.match(body, start, at + _LONG):
            return True
    return False
