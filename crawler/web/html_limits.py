"""Finds pages that could keep the HTML parser busy for long, without parsing them.

The parser is fast, but takes quadratic time in some cases: in the depth of open
elements, in the attributes of one element, and in formatting elements that stay open.
Such a page is `suspicious`: a child process parses it first, with a time limit
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

# Sizes in bytes of a cell, a probe and a sample; and the number of samples that are
# parsed together. A page is divided into cells with one sample each; the sample's
# beginning, the probe, is read first. Few samples are parsed together, because even
# those of the worst page must not take long.
_CELL, _PROBE, _SAMPLE, _TOGETHER = 16_384, 192, 512, 6
# Closes anything that a sample may have cut: a quoted value, a tag, a comment, raw
# text.
_END = (
    b"x\"'>-->]]></script></style></title></textarea></xmp></iframe></noembed>"
    b"</noframes></select></table>"
)
# If more elements than this stay open in the average sample, judged by tag names, the
# samples are parsed to be sure. Ordinary pages leave three open.
_UNMATCHED = 5
# Number of elements that may stay open in the average probe, and in addition on the
# whole page; with more, the samples are checked. 500 open elements in 16 kB cost
# little.
_OPEN_IN_PROBE, _OPEN_BY_CHANCE = 2, 4
# Parts of a page in which tags do not count: elements that contain only text, and
# quoted values with brackets.
_TEXT = frozenset(
    {
        b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed",
        b"noframes", b"plaintext",
    }
)  # fmt: skip
_QUOTED = lazy_regex(rb"=\s*+(?:\"[^\"<>]*+[<>]|'[^'<>]*+[<>])")
_TAG = lazy_regex(rb"<(/?[a-z][^\s/>]*+)")
# fmt: off
_VOID = frozenset({
    b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link",
    b"meta", b"param", b"source", b"track", b"wbr",
})
# fmt: on

# How many elements may stay open when samples are parsed: for the page, and for each
# sample. A formatting element counts as several. Ordinary pages leave up to 38 open in
# six samples.
_OPEN, _OPEN_EACH = 24, 4
# Formatting elements: opened again in each block until their end tag (HTML §13.2.4.3).
_FORMATTING = frozenset(
    {"b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"}
)
_REOPENED = 4
_SLASH = 47

_ATTRIBUTE = (
    rb"[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"?|'[^']*+'?|[^\s>\"'][^\s>]*+)?)?+"
)
# A row of attributes up to the end of the sample; plain text can look like one, too.
_ROW = lazy_regex(rb"(?:[\s/]*+" + _ATTRIBUTE + rb"){8,}+[\s/]*+\Z")
# A row of attributes at this position, or after the next quote.
_ROW_OR_BEHIND = lazy_regex(
    b"|".join(start + _ROW.pattern for start in (b"", rb"[^\"]*+\"", rb"[^']*+'"))
)
# In bytes. The 4,300 attributes that fit into a page of this size take lexbor 23 ms.
_NO_WIDE_TAG = 16 * 1024
# In bytes; text between two tags is rarely longer.
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

    `chance` returns random numbers in [0, 1), which decide the places of samples.
    """
    size = len(body)
    if size <= _SMALL:
        return ""
    places = _places(size, chance)
    if size > min(_LARGE, 2 * max_nodes):
        # A page with few tags can be slow only if a tag has many attributes.
        if _has_tags(body, _MANY_TAGS):
            return "it is large"
    elif _leaves_open(body, places):
        return "it leaves many elements open"
    if size <= _NO_WIDE_TAG:
        return ""
    return "an element has many attributes" if _is_wide_at(body, places) else ""


def is_wide(body: bytes, chance: Callable[[], float] = random) -> bool:
    """Return whether a tag has too many attributes."""
    return _is_wide_at(body, _places(len(body), chance))


def _places(size: int, chance: Callable[[], float]) -> list[int]:
    """Return the positions of a page's samples: a random one in each cell of `_CELL`
    bytes."""
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
    """Return whether many elements stay open: first judged by tag names in samples,
    then by parsing the samples."""
    if not _may_leave_open(body, samples):
        return False
    pieces = [body[at : at + _SAMPLE].lower() for at in samples]
    if sum(map(_unmatched, pieces)) <= _UNMATCHED * len(pieces):
        return False
    # The number of tags is checked second, because for a short page counting costs more
    # than reading the sample.
    if len(body) <= _CELL and not _has_tags(body, _FEW_TAGS):
        return False
    left = _OPEN + _OPEN_EACH * len(pieces)
    for first in range(0, len(pieces), _TOGETHER):
        # Before the last text the parser opens all unclosed formatting again.
        markup = _END.join([*pieces[first : first + _TOGETHER], b"."])
        if b"plaintext" in markup:  # no tag ends <plaintext>
            return True
        left -= _open_at_end(parse(markup))
        if left < 0:
            return True
    return False


def _may_leave_open(body: bytes, places: list[int]) -> bool:
    """Return whether more elements than usual stay open in the probes, which are the
    beginnings of the samples at these places.

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
    """Return how many elements are open at the end of a tree; a formatting element
    counts as several."""
    count = 0
    node = root
    while node is not None:
        tag = node.tag
        if tag == "body":
            # Each further <body> adds its attributes to the first.
            count += len(node.attributes)
        count += _REOPENED if tag in _FORMATTING else 1
        node = node.last_child
    return count


def _is_wide_at(body: bytes, places: list[int]) -> bool:
    """Return whether a tag has too many attributes. The page is searched only if a row
    of attributes crosses one of these places."""
    for at in places:
        # This expression matches all three kinds of rows that `_may_be_in_tag` looks
        # for.
        if _ROW_OR_BEHIND.match(body, at, at + _SAMPLE) and _may_be_in_tag(body, at):
            narrow = _NARROW.match(body)
            return narrow is None or narrow.end() < len(body)
    return False


def _may_be_in_tag(body: bytes, at: int) -> bool:
    """Return whether a long row of attributes may cross this place.

    If the place is inside a quoted value, the row continues after the closing quote.
    """
    end = at + _SAMPLE
    for quote in (b"", b'"', b"'"):
        start = body.find(quote, at, end) + len(quote) if quote else at
        if start >= at and _ROW.match(body, start, at + _LONG):
            return True
    return False
