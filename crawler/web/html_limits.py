"""How deep and how wide a page is, told before it is parsed.

The parser is quadratic in places: in the depth of open elements, in the attributes of
one element, and in formatting elements that are left open (a `<b>` in each of 2,000
paragraphs makes two million). It cannot be stopped, so that such a page must not
reach it. Pure, linear, and nothing but a count for an ordinary page.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from random import random
from typing import NamedTuple

from crawler.errors import FetchError, Reason
from crawler.web.open_elements import TEXT, Nesting

# Below these a page takes the parser 0.2 s at the very worst, whatever it holds.
_FEW_TAGS = 3_000
_FEW_BYTES = 24_576
# Beyond them: more unclosed elements than this, or a sample deeper than that, are
# counted. (Unclosed: images and line breaks too, so that it is no verdict.)
_UNCLOSED = 1_500
_SAMPLED, _WINDOW, _WINDOW_DEPTH = 65_536, 768, 24
# They are counted where a probe in each cell of the page has found many.
_CELL, _PROBE = 4_096, 256

_ATTRIBUTES = (
    rb"(?:[\s/]++|[^\s/>][^\s/>=]*+"
    rb"(?:\s*+=\s*+(?:\"[^\"]*+\"?|'[^']*+'?|[^\s>\"'][^\s>]*+)?)?)"
)
# The tokenizer's states as one expression: a comment, CDATA, a tag, other markup.
_TOKEN = re.compile(
    rb"<(?:!--(?:-?>|.*?(?:--!?>|\Z))"
    rb"|!\[cdata\[(?P<cdata>.*?)(?:\]\]>|\Z)"
    rb"|(?P<name>/?[a-z][^\s/>]*+)(?P<attributes>" + _ATTRIBUTES + rb"*+)>?"
    rb"|[!/?][^>]*+>?)",
    re.S,
)
_ATTRIBUTE = re.compile(
    rb"[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"?|'[^']*+'?|[^\s>\"'][^\s>]*+)?)?"
)
# A tag that costs much is longer than two of these steps.
_STEP = 16_384
_ROW = re.compile(rb"(?:[\s/]*+" + _ATTRIBUTE.pattern + rb"){500}+")
_SHORTEST_ROW = 999
_DOCUMENT = re.compile(rb"<(?:body|html)[\s/]", re.I)
_SCRIPT = re.compile(rb"<!--|-->|<script(?=[\s/>])|</script(?=[\s/>])")


class Shape(NamedTuple):
    """What `measure` found: counts of a page's markup."""

    tags: int
    depth: int
    attributes: int


class PageTooComplex(FetchError):
    """The page would take the parser too long."""

    def __init__(self, detail: str, url: str = "") -> None:
        super().__init__(Reason.PARSE_ERROR, detail, url=url)


def check(
    body: bytes,
    *,
    max_depth: int = 512,
    max_attributes: int = 1_000,
    url: str = "",
    chance: Callable[[], float] = random,
) -> None:
    """Raise PageTooComplex where parsing this (UTF-8) page could take seconds.

    A page of few tags and few bytes is let through whatever its shape. `chance` gives
    numbers in [0, 1): where open elements are counted is not for a page's author to
    know. (Samples of depth and of wide tags are taken at fixed places.)
    """
    # A tag takes three bytes: of a short page they need not be counted.
    deep = len(body) > 3 * _FEW_TAGS and _may_be_deep(body, chance)
    wide = len(body) > _FEW_BYTES and _may_be_wide(body, max_attributes)
    if not deep and not wide:
        return
    shape = measure(body, enough=max_depth)
    if shape.attributes > max_attributes:
        raise PageTooComplex(
            f"an element has {shape.attributes:,} attributes "
            f"(at most {max_attributes:,})",
            url,
        )
    if deep and shape.depth > max_depth:
        raise PageTooComplex(f"elements are nested over {max_depth:,} deep", url)


def measure(body: bytes, *, enough: int = 1_000_000) -> Shape:
    """Count the tags, the depth of nesting and the most attributes of one element.

    It stops beyond a depth of `enough`. In doubt it counts too deep: an end tag that
    the parser could ignore closes nothing.
    """
    lowered = body.lower()
    foreign = b"<svg" in lowered or b"<math" in lowered
    nesting = Nesting()
    position = tags = widest = document = 0
    while nesting.depth <= enough and (token := _TOKEN.search(lowered, position)):
        if token.start() > position:
            nesting.text()
        position = token.end()
        name, attributes = token["name"], token["attributes"]
        if name is None:
            nesting.open_all(token["cdata"])
            continue
        tags += 1
        nesting.tag(name, attributes)
        if len(attributes) > 2 * widest:
            widest = max(widest, _width(attributes))
        if attributes and name in (b"html", b"body"):
            document += _width(attributes)
        if name in TEXT:
            end = _end_of_text(lowered, name, position)
            if foreign:  # within <svg> a <style> holds markup
                nesting.open_all(lowered[position:end])
            position = end
    return Shape(tags, nesting.deepest, max(widest, document))


def _width(attributes: bytes) -> int:
    return len(_ATTRIBUTE.findall(attributes))


def _may_be_deep(body: bytes, chance: Callable[[], float]) -> bool:
    """Whether many elements stay open: by all end tags, or by those of a sample.

    A sieve: what passes has few unclosed elements for its size, or hides them well.
    """
    if _leaves_open(body, chance):
        tags = body.count(b"<")
        if tags <= _FEW_TAGS:
            return False
        if tags - 2 * body.count(b"</") > _UNCLOSED:
            return True
    return any(
        _is_deep_at(body, at) for at in range(_SAMPLED // 4, len(body), _SAMPLED)
    )


def _leaves_open(body: bytes, chance: Callable[[], float]) -> bool:
    """Whether half of the unclosed elements that matter may be there, by probes.

    There is one at a random place of each cell. Three thousand tags in a row fill a
    whole cell; ten thousand in clumps are met by some of so many probes.
    """
    count = body.count
    unclosed = 0
    for cell in range(0, len(body), _CELL):
        start = cell + int(chance() * (_CELL - _PROBE))
        end = start + _PROBE
        unclosed += count(b"<", start, end) - 2 * count(b"</", start, end)
    return unclosed * _CELL // _PROBE > _UNCLOSED // 2


def _is_deep_at(body: bytes, at: int) -> bool:
    """Whether a sample is deep; one of few start tags need not be measured."""
    end = at + _WINDOW
    if body.count(b"<", at, end) - body.count(b"</", at, end) <= _WINDOW_DEPTH:
        return False
    return measure(body[at:end]).depth > _WINDOW_DEPTH


def _may_be_wide(body: bytes, max_attributes: int) -> bool:
    """Whether some tag may have too many attributes; what looks like a tag counts."""
    steps = range(0, len(body), _STEP)
    if any(_is_in_wide_tag(body, at) for at in steps):
        return _wide(max_attributes).search(body.lower()) is not None
    # Each further <body> adds its attributes to the first.
    return any(len(_DOCUMENT.findall(body, at, at + _WINDOW)) > 2 for at in steps)


def _is_in_wide_tag(body: bytes, at: int) -> bool:
    """Whether a long row of attributes may pass here: none is short of a whole step.

    What stands here may be in a quoted value; the row goes on behind its second quote
    at the latest.
    """
    if _is_row(body, at):
        return True
    for quote in (b'"', b"'"):
        start = at
        for _ in range(2):
            start = body.find(quote, start) + 1
            if not start:
                break
            if _is_row(body, start):
                return True
    return False


def _is_row(body: bytes, at: int) -> bool:
    """Whether hundreds of attributes begin here."""
    # They take two bytes each, and only in a quoted value does ">" end nothing.
    end = body.find(b">", at, at + _SHORTEST_ROW)
    if end >= 0 and body.find(b"=", at, end) < 0:
        return False
    return _ROW.match(body, at) is not None


@lru_cache(maxsize=8)
def _wide(attributes: int) -> re.Pattern[bytes]:
    return re.compile(
        rb"<[a-z][^\s/>]*+(?:[\s/]*+" + _ATTRIBUTE.pattern + b"){%d}+" % attributes
    )


def _end_of_text(lowered: bytes, name: bytes, position: int) -> int:
    """Where the content of an element that holds text alone ends."""
    if name == b"script":
        return _end_of_script(lowered, position)
    end = re.compile(rb"</" + name + rb"(?=[\s/>])").search(lowered, position)
    return end.start() if end else len(lowered)


def _end_of_script(lowered: bytes, position: int) -> int:
    """HTML §13.2.5.17: within `<!-- <script>` the first end tag ends nothing."""
    commented = doubled = False
    for mark in _SCRIPT.finditer(lowered, position):
        if mark[0] == b"<!--":
            commented = True
        elif mark[0] == b"-->":
            commented = doubled = False
        elif mark[0] == b"<script":
            doubled = commented
        elif doubled:
            doubled = False
        else:
            return mark.start()
    return len(lowered)
