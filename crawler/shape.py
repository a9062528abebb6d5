"""How deep and how wide a page is, told before it is parsed.

The parser is quadratic in places: in the depth of open elements, in the attributes of
one element, and in formatting elements that are left open (a `<b>` in each of 2,000
paragraphs makes two million). It cannot be stopped, so that such a page must not
reach it. Pure, linear, and nothing but a count for an ordinary page.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from crawler.errors import FetchError, Reason

# Below these a page takes the parser 0.2 s at the very worst, whatever it holds.
_FEW_TAGS = 3_000
_FEW_BYTES = 24_576
# Beyond them: more unclosed elements than this, or a sample deeper than that, are
# counted. (Unclosed: images and line breaks too, so that it is no verdict.)
_UNCLOSED = 1_500
_SAMPLED, _WINDOW, _WINDOW_DEPTH = 65_536, 768, 24

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
_DOCUMENT = re.compile(rb"<(?:body|html)[\s/]", re.I)
_OPENING = re.compile(rb"<([a-z][^\s/>]*+)")
_SCRIPT = re.compile(rb"<!--|-->|<script(?=[\s/>])|</script(?=[\s/>])")

# fmt: off
_TEXT = frozenset({
    b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed",
    b"noframes",
})
# Never open for long: without content, or closed by their like or their table.
_FLAT = frozenset({
    b"area", b"base", b"basefont", b"bgsound", b"br", b"col", b"embed", b"frame", b"hr",
    b"img", b"image", b"input", b"keygen", b"link", b"meta", b"param", b"source",
    b"track", b"wbr", b"option", b"html", b"head", b"body", b"colgroup",
}) | _TEXT
# Opened again in each block until their end tag comes (HTML §13.2.4.3).
_FORMATTING = frozenset({
    b"a", b"b", b"big", b"code", b"em", b"font", b"i", b"nobr", b"s", b"small",
    b"strike", b"strong", b"tt", b"u",
})
# An end tag of these leaves open what was opened within (adoption agency, forms).
_LOOSE = _FORMATTING | {b"form"}
# No end tag reaches out of these.
_WALLS = frozenset({
    b"table", b"select", b"object", b"applet", b"marquee", b"template", b"svg", b"math",
})
_UNNESTED = frozenset({b"table", b"select"})
_CELLS = frozenset({b"td", b"th", b"tr", b"tbody", b"thead", b"tfoot", b"caption"})
_ITEMS = {b"li": (b"li",), b"dd": (b"dd", b"dt"), b"dt": (b"dd", b"dt")}
_HEADINGS = frozenset({b"h1", b"h2", b"h3", b"h4", b"h5", b"h6"})
# Another of these ends the one that is open.
_ONE_AT_A_TIME = frozenset({b"a", b"nobr", b"button"})
_ALIKE = 3  # HTML §13.2.4.3: of equal formatting elements three are opened again
# "Special" in HTML §13.2.4.2: an end tag of any other element stops at these.
_SPECIAL = frozenset({
    b"address", b"article", b"aside", b"blockquote", b"button", b"center", b"dd",
    b"details", b"dir", b"div", b"dl", b"dt", b"fieldset", b"figcaption", b"figure",
    b"footer", b"form", b"frameset", b"h1", b"h2", b"h3", b"h4", b"h5", b"h6",
    b"header", b"hgroup", b"li", b"listing", b"main", b"menu", b"nav", b"noscript",
    b"ol", b"p", b"plaintext", b"pre", b"search", b"section", b"summary", b"ul",
}) | _WALLS
_CLOSE_NO_P = _WALLS - {b"table"} | {b"button", b"noscript", b"frameset"}
# fmt: on


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
    body: bytes, *, max_depth: int = 512, max_attributes: int = 1_000, url: str = ""
) -> None:
    """Raise PageTooComplex where parsing this (UTF-8) page could take seconds.

    A page of few tags and few bytes is let through whatever its shape.
    """
    tags = body.count(b"<")
    deep = tags > _FEW_TAGS and _may_be_deep(body, tags)
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
    nesting = _Nesting()
    position = tags = widest = document = 0
    while nesting.depth <= enough and (token := _TOKEN.search(lowered, position)):
        position = token.end()
        name, attributes, cdata = token["name"], token["attributes"], token["cdata"]
        if name is None:
            nesting.open_all(cdata)
            continue
        tags += 1
        if name[0] == 47:  # a slash
            nesting.close(name[1:])
            continue
        nesting.open(name, attributes)
        if len(attributes) > 2 * widest:
            widest = max(widest, len(_ATTRIBUTE.findall(attributes)))
        if attributes and name in (b"html", b"body"):
            document += len(_ATTRIBUTE.findall(attributes))
        if name in _TEXT:
            end = _end_of_text(lowered, name, position)
            if foreign:  # within <svg> a <style> holds markup
                nesting.open_all(lowered[position:end])
            position = end
    return Shape(tags, nesting.deepest, max(widest, document))


def _may_be_deep(body: bytes, tags: int) -> bool:
    """Whether many elements stay open: by all end tags, or by those of a sample.

    A sieve: what passes has few unclosed elements for its size, or hides them well.
    """
    if tags - 2 * body.count(b"</") > _UNCLOSED:
        return True
    return any(
        measure(body[at : at + _WINDOW]).depth > _WINDOW_DEPTH
        for at in range(_SAMPLED // 4, len(body), _SAMPLED)
    )


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
    if _ROW.match(body, at):
        return True
    for quote in (b'"', b"'"):
        start = at
        for _ in range(2):
            start = body.find(quote, start) + 1
            if not start:
                break
            if _ROW.match(body, start):
                return True
    return False


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


class _Frame:
    """What is open since the innermost element that no end tag reaches out of."""

    __slots__ = ("in_cell", "left", "open", "stack", "wall")

    def __init__(self, wall: bytes) -> None:
        self.wall = wall
        self.in_cell = False
        self.stack: list[tuple[bytes, bytes]] = []
        self.open: Counter[bytes] = Counter()
        # Formatting elements that their block's end left to be opened again.
        self.left: Counter[tuple[bytes, bytes]] = Counter()

    @property
    def depth(self) -> int:
        return len(self.stack) + self.left.total()


def _is_within_reach(frame: _Frame, name: bytes) -> bool:
    """Whether the end tag of an ordinary element meets it before any special one."""
    for above, _ in reversed(frame.stack):
        if above == name:
            return True
        if above in _SPECIAL:
            return False
    return False


def _open_item(frame: _Frame, name: bytes) -> bytes | None:
    """The item that this one follows, and so ends."""
    alike = _ITEMS[name]
    for above, _ in reversed(frame.stack):
        if above in alike:
            return above
        if above in _SPECIAL and above not in (b"address", b"div", b"p"):
            return None
    return None


class _Nesting:
    """The stack of open elements, roughly: never less deep than the parser's."""

    def __init__(self) -> None:
        self.depth = self.deepest = 0
        self._frames = [_Frame(b"")]

    def open_all(self, markup: bytes | None) -> None:
        """Open what may be markup or may be text: its end tags close nothing."""
        for name in _OPENING.findall(markup or b""):
            self.open(name, b"")

    def open(self, name: bytes, attributes: bytes) -> None:
        """A start tag."""
        frame = self._frames[-1]
        if name in _FLAT:
            return
        if name in _CELLS:
            self._end_cell(frame, begins=name)
            return
        self._make_room(frame, name)
        if name == frame.wall and name in _UNNESTED and not frame.in_cell:
            return  # ends the one that it stands in
        if name == b"form" and frame.open[name]:
            return  # is ignored within another
        frame.stack.append((name, attributes))
        frame.open[name] += 1
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if name in _WALLS:
            self._frames.append(_Frame(name))

    def close(self, name: bytes) -> None:
        """An end tag."""
        frame = self._frames[-1]
        if name in _WALLS:
            self._close_wall(name)
        elif name in _CELLS:
            self._end_cell(frame, begins=b"")
        elif name in _LOOSE:
            self._close_alone(frame, name)
        elif frame.open[name] and (name in _SPECIAL or _is_within_reach(frame, name)):
            self._close_to(frame, name)

    def _make_room(self, frame: _Frame, name: bytes) -> None:
        """Close what this start tag closes."""
        if frame.open[b"p"] and name in _SPECIAL and name not in _CLOSE_NO_P:
            self._close_to(frame, b"p")
        if name in _ONE_AT_A_TIME:
            self._close_alone(frame, name)
        elif name in _HEADINGS:
            if frame.stack and frame.stack[-1][0] in _HEADINGS:
                self._close_to(frame, frame.stack[-1][0])
        elif name in _ITEMS:
            item = _open_item(frame, name)
            if item:
                self._close_to(frame, item)

    def _end_cell(self, frame: _Frame, *, begins: bytes) -> None:
        if frame.wall != b"table":
            return
        if frame.in_cell:
            self.depth -= frame.depth
            frame.stack.clear()
            frame.open.clear()
            frame.left.clear()
        frame.in_cell = begins in (b"td", b"th", b"caption")

    def _close_wall(self, name: bytes) -> None:
        walls = [frame.wall for frame in self._frames]
        if walls[-1] != name and (name != b"table" or name not in walls):
            return
        if b"template" in walls[len(walls) - walls[::-1].index(name) :]:
            return
        while True:
            frame = self._frames.pop()
            outer = self._frames[-1]
            self.depth -= frame.depth
            self._leave(outer, [] if frame.in_cell else frame.stack, frame.left)
            self._close_to(outer, frame.wall)
            if frame.wall == name:
                return

    def _leave(
        self,
        frame: _Frame,
        closed: list[tuple[bytes, bytes]],
        left: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        """Formatting elements that were closed from outside go on in what follows."""
        for tag in (*closed, *left):
            if tag[0] in _FORMATTING and frame.left[tag] < _ALIKE:
                frame.left[tag] += 1
                self.depth += 1

    def _close_to(self, frame: _Frame, name: bytes) -> None:
        closed = []
        while (tag := frame.stack.pop())[0] != name:
            frame.open[tag[0]] -= 1
            closed.append(tag)
        frame.open[name] -= 1
        self.depth -= len(closed) + 1
        self._leave(frame, closed)

    def _close_alone(self, frame: _Frame, name: bytes) -> None:
        """Close this element, and nothing that was opened within it."""
        for index in range(len(frame.stack) - 1, -1, -1):
            if frame.stack[index][0] == name:
                del frame.stack[index]
                frame.open[name] -= 1
                self.depth -= 1
                return
        for tag in reversed(frame.left):
            if tag[0] == name:
                frame.left[tag] -= 1
                if not frame.left[tag]:
                    del frame.left[tag]
                self.depth -= 1
                return
