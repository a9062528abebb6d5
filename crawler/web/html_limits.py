"""Finds pages that could keep the HTML parser busy for long, without parsing them.

The parser is fast, but quadratic in places: in the depth of open elements, in the
attributes of one element, and in formatting elements that stay open. A page that
looks so is `suspicious`: it is parsed in a child process first, under a deadline
(html_trial.py). The sieve is linear and costs a few percent of parsing. It reads
samples at random places, so that an author cannot write around them.
"""

import re
from collections.abc import Callable
from random import random

from selectolax.lexbor import LexborNode

from crawler.errors import FetchError, Reason
from crawler.web.html_parser import parse

# Below this a page takes the parser 30 ms at most, whatever it holds.
_SMALL = 2_560
# With so few tags a page is neither deep nor full of formatting that stays open.
_FEW_TAGS = 400
# A page above this, or above two bytes for each node that a page may have, is tried in
# any case: an error of the sieve would cost too much there.
_LARGE = 512 * 1024
_MANY_TAGS = 2_000

# One sample in each cell; its beginning, a probe, is looked at first. Samples are
# parsed some at a time: parsing one of the worst page must not take long either.
_CELL, _PROBE, _SAMPLE, _TOGETHER = 16_384, 192, 512, 6
# Ends what a sample may have cut: a quoted value, a tag, a comment, text without tags.
_END = (
    b"x\"'>-->]]></script></style></title></textarea></xmp></iframe></noembed>"
    b"</noframes></select></table>"
)
# Elements that stay open in a sample by name alone, on average, before the parser is
# asked; ordinary pages have three.
_UNMATCHED = 5
# The same in probes, and a few more: 500 open elements in 16 kB cost little.
_OPEN_IN_PROBE, _OPEN_BY_CHANCE = 2, 4
# What hides tags: elements that hold text alone, quoted brackets.
_TEXT = frozenset(
    {
        b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed",
        b"noframes", b"plaintext",
    }
)  # fmt: skip
_QUOTED = re.compile(rb"=\s*+(?:\"[^\"<>]*+[<>]|'[^'<>]*+[<>])")
_TAG = re.compile(rb"<(/?[a-z][^\s/>]*+)")
# fmt: off
_VOID = frozenset({
    b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link",
    b"meta", b"param", b"source", b"track", b"wbr",
})
# fmt: on
# Elements that stay open by the parser, formatting weighed: in all samples, and more
# for each. Ordinary pages leave up to 38 open in six samples.
_OPEN, _OPEN_EACH = 24, 4
# These are opened again in each block until their end tag comes (HTML §13.2.4.3).
_FORMATTING = frozenset(
    {"b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"}
)
_REOPENED = 4
_SLASH = 47

_ATTRIBUTE = (
    rb"[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"?|'[^']*+'?|[^\s>\"'][^\s>]*+)?)?+"
)
# A row of attributes up to the end of the sample. Text reads like one, too.
_ROW = re.compile(rb"(?:[\s/]*+" + _ATTRIBUTE + rb"){8,}+[\s/]*+\Z")
# The same, here or behind the next quote.
_ROW_OR_BEHIND = re.compile(
    b"|".join(start + _ROW.pattern for start in (b"", rb"[^\"]*+\"", rb"[^']*+'"))
)
# The 4,300 attributes that a page of this size can hold take lexbor 23 ms.
_NO_WIDE_TAG = 16 * 1024
# A longer row than text between two tags is, as a rule.
_LONG = 4_096
_MAX_ATTRIBUTES = 1_000
# All of a page up to the first tag with too many attributes.
_NARROW = re.compile(
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
    """Why parsing this (UTF-8) page could take long or much memory; "" if it cannot.

    `chance` gives numbers in [0, 1): the places of samples.
    """
    size = len(body)
    if size <= _SMALL:
        return ""
    places = _places(size, chance)
    if size > min(_LARGE, 2 * max_nodes):
        # With few tags only their attributes matter.
        if _has_tags(body, _MANY_TAGS):
            return "it is large"
    elif _leaves_open(body, places):
        return "it leaves many elements open"
    if size <= _NO_WIDE_TAG:
        return ""
    return "an element has many attributes" if _is_wide_at(body, places) else ""


def is_wide(body: bytes, chance: Callable[[], float] = random) -> bool:
    """Whether a tag has too many attributes."""
    return _is_wide_at(body, _places(len(body), chance))


def _places(size: int, chance: Callable[[], float]) -> list[int]:
    """Where the samples of a body of this size begin: one in each cell."""
    if size <= _CELL:
        return [int(chance() * max(0, size - _SAMPLE))]
    return [
        cell + int(chance() * max(0, min(_CELL, size - cell) - _SAMPLE))
        for cell in range(0, size, _CELL)
    ]


def _has_tags(body: bytes, number: int) -> bool:
    """Whether there are more tags; counted piece by piece, up to that number."""
    count = 0
    for at in range(0, len(body), _CELL):
        count += body.count(b"<", at, at + _CELL)
        if count > number:
            return True
    return False


def _leaves_open(body: bytes, samples: list[int]) -> bool:
    """Whether elements stay open: by the names in samples, then by the parser."""
    if not _may_leave_open(body, samples):
        return False
    pieces = [body[at : at + _SAMPLE].lower() for at in samples]
    if sum(map(_unmatched, pieces)) <= _UNMATCHED * len(pieces):
        return False
    # Asked second: to count costs more than to look at the sample of a short page.
    if len(body) <= _CELL and not _has_tags(body, _FEW_TAGS):
        return False
    left = _OPEN + _OPEN_EACH * len(pieces)
    for first in range(0, len(pieces), _TOGETHER):
        # Before the last text all formatting that was left open is opened again.
        markup = _END.join([*pieces[first : first + _TOGETHER], b"."])
        if b"plaintext" in markup:  # nothing ends it
            return True
        left -= _open_at_end(parse(markup))
        if left < 0:
            return True
    return False


def _may_leave_open(body: bytes, places: list[int]) -> bool:
    """Whether more elements stay open in probes at these places than in most pages: by
    their start and end tags, then by the names of these."""
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
    """How many start tags have no end tag in a piece; too many rather than too few.

    Where tags may be hidden, all start tags count.
    """
    names = _TAG.findall(piece)
    if b"<!" in piece or not _TEXT.isdisjoint(names) or _QUOTED.search(piece):
        return len([name for name in names if name[0] != _SLASH])
    return _unclosed(names)


def _unclosed(names: list[bytes]) -> int:
    """How many of these tags, such as b"a" and b"/a", open an element that stays open.

    An end tag closes the element that was opened last, or none.
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
    """How many elements are open at the end of a tree; formatting weighs more."""
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
    """Whether a tag has too many attributes: looked for if some pass at a place."""
    for at in places:
        # One expression for the three rows that `_may_be_in_tag` then looks at.
        if _ROW_OR_BEHIND.match(body, at, at + _SAMPLE) and _may_be_in_tag(body, at):
            narrow = _NARROW.match(body)
            return narrow is None or narrow.end() < len(body)
    return False


def _may_be_in_tag(body: bytes, at: int) -> bool:
    """Whether a long row of attributes may pass here.

    The place may be within a quoted value: the row goes on behind its end.
    """
    end = at + _SAMPLE
    for quote in (b"", b'"', b"'"):
        start = body.find(quote, at, end) + len(quote) if quote else at
        if start >= at and _ROW.match(body, start, at + _LONG):
            return True
    return False
