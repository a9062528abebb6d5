"""Which elements a parser has open, tag by tag: HTML §13.2.6 without the tree.

Rough, and in doubt too deep: it must not take a page that nests without end for a
flat one, and may take an odd page for deeper than it is. Pure.
"""

import re
from collections import Counter
from collections.abc import Iterable

_OPENING = re.compile(rb"<([a-z][^\s/>]*+)")

# fmt: off
TEXT = frozenset({
    b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed",
    b"noframes",
})
# Never open for long: without content, or closed by their like or their table.
_FLAT = frozenset({
    b"area", b"base", b"basefont", b"bgsound", b"br", b"col", b"embed", b"frame", b"hr",
    b"img", b"image", b"input", b"keygen", b"link", b"meta", b"param", b"source",
    b"track", b"wbr", b"html", b"head", b"body", b"colgroup",
}) | TEXT
# Opened again in each block until their end tag comes (HTML §13.2.4.3).
_FORMATTING = frozenset({
    b"a", b"b", b"big", b"code", b"em", b"font", b"i", b"nobr", b"s", b"small",
    b"strike", b"strong", b"tt", b"u",
})
# No end tag reaches out of these.
_WALLS = frozenset({
    b"table", b"select", b"object", b"applet", b"marquee", b"template", b"svg", b"math",
})
_UNNESTED = frozenset({b"table", b"select"})
_CELLS = frozenset({b"td", b"th", b"tr", b"tbody", b"thead", b"tfoot", b"caption"})
_ALIKE = 3  # HTML §13.2.4.3: of equal formatting elements three are opened again
# "Special" in HTML §13.2.4.2: an end tag of any other element stops at these.
_SPECIAL = frozenset({
    b"address", b"article", b"aside", b"blockquote", b"button", b"center", b"dd",
    b"details", b"dir", b"div", b"dl", b"dt", b"fieldset", b"figcaption", b"figure",
    b"footer", b"form", b"frameset", b"h1", b"h2", b"h3", b"h4", b"h5", b"h6",
    b"header", b"hgroup", b"li", b"listing", b"main", b"menu", b"nav", b"noscript",
    b"ol", b"p", b"plaintext", b"pre", b"search", b"section", b"summary", b"ul",
}) | _WALLS
_FOREIGN = frozenset({b"svg", b"math"})
# Within <svg> and <math>: where HTML begins again, and what ends them elsewhere.
_INTEGRATION = (
    b"foreignobject", b"desc", b"title", b"annotation-xml", b"mi", b"mo", b"mn", b"ms",
    b"mtext",
)
_BREAKOUT = frozenset({
    b"b", b"big", b"blockquote", b"body", b"br", b"center", b"code", b"dd", b"div",
    b"dl", b"dt", b"em", b"embed", b"h1", b"h2", b"h3", b"h4", b"h5", b"h6", b"head",
    b"hr", b"i", b"img", b"li", b"listing", b"menu", b"meta", b"nobr", b"ol", b"p",
    b"pre", b"ruby", b"s", b"small", b"span", b"strike", b"strong", b"sub", b"sup",
    b"table", b"tt", b"u", b"ul", b"var",
})
_ITEMS = {b"li": (b"li",), b"dd": (b"dd", b"dt"), b"dt": (b"dd", b"dt")}
_LISTS = (b"ul", b"ol")
# What end tags go past: those of special elements all others, but an item its list.
_PASSED = dict.fromkeys(_SPECIAL, _SPECIAL) | {b"li": _SPECIAL.difference(_LISTS)}
_PARAGRAPH = (b"p", b"button")
_RUBY = frozenset({b"rb", b"rp", b"rt", b"rtc"})
_IMPLIED = _RUBY | {b"dd", b"dt", b"li", b"optgroup", b"option", b"p"}
_HEADINGS = frozenset({b"h1", b"h2", b"h3", b"h4", b"h5", b"h6"})
# One of these right behind another of its kind takes its place.
_ALIKE_TOP = (_HEADINGS, frozenset({b"option"}))
_CLOSE_NO_P = _WALLS - {b"table"} | {b"button", b"noscript", b"frameset"}
# fmt: on


class Frame:
    """What is open since the innermost element that no end tag reaches out of."""

    __slots__ = ("cell", "left", "open", "stack", "wall")

    def __init__(self, wall: bytes) -> None:
        self.wall = wall
        self.cell = b""
        self.stack: list[tuple[bytes, bytes]] = []
        self.open: Counter[bytes] = Counter()
        # Formatting elements that their block's end left to be opened again.
        self.left: Counter[tuple[bytes, bytes]] = Counter()

    @property
    def depth(self) -> int:
        return len(self.stack) + self.left.total()

    @property
    def top(self) -> bytes:
        return self.stack[-1][0] if self.stack else b""

    @property
    def is_foreign(self) -> bool:
        """Whether markup is SVG's or MathML's here."""
        return self.wall in _FOREIGN and not any(self.open[n] for n in _INTEGRATION)

    def reach(self, names: Iterable[bytes], past: Iterable[bytes] = ()) -> bytes:
        """The innermost of these elements, if no special one but `past` is inside."""
        for above, _ in reversed(self.stack):
            if above in names:
                return above
            if above in _SPECIAL and above not in past:
                break
        return b""


class Nesting:
    """The stack of open elements (HTML §13.2.6), roughly, and rather too deep."""

    def __init__(self) -> None:
        self.depth = self.deepest = 0
        self._frames = [Frame(b"")]
        # Where the one form is that can be open; it may have been closed since.
        self._form: Frame | None = None

    def tag(self, name: bytes, attributes: bytes) -> None:
        """A start tag, or an end tag ("/div")."""
        if name[0] == 47:  # a slash
            self.close(name[1:])
        else:
            self.open(name, attributes)

    def text(self) -> None:
        """Text, before which formatting elements are opened again."""
        frame = self._frames[-1]
        if frame.left:
            frame.stack.extend(frame.left.elements())
            frame.open.update(tag[0] for tag in frame.left.elements())
            frame.left.clear()

    def open_all(self, markup: bytes | None) -> None:
        """Open what may be markup or may be text: it closes nothing, by no tag."""
        for _ in _OPENING.findall(markup or b""):
            self._push(self._frames[-1], b"?", b"")

    def open(self, name: bytes, attributes: bytes) -> None:
        """A start tag."""
        if name in _BREAKOUT:
            self._break_out()
        frame = self._frames[-1]
        if frame.is_foreign:
            if not attributes.endswith(b"/"):
                self._push(frame, name, attributes)
        elif name in _CELLS:
            table = self._reach_table()
            if table:
                self._end_cell(table)
                table.cell = name if name in (b"td", b"th", b"caption") else b""
        elif not self._makes_no_room(frame, name):
            self._push(self._frames[-1], name, attributes)

    def close(self, name: bytes) -> None:
        """An end tag."""
        self._turn_to_html(name)
        frame = self._frames[-1]
        if name in _WALLS:
            self._close_wall(name)
        elif name in _CELLS:
            table = self._reach_table()
            if (
                table
                and table.cell
                and (name == table.cell or (name == b"tr" and table.cell != b"caption"))
            ):
                self._end_cell(table)
        elif name == b"form":
            form, self._form = self._form, None
            if form is frame:
                self._close_alone(frame, name)
        elif name in _FORMATTING:
            self._close_alone(frame, name)
        elif frame.open[name] and frame.reach((name,), _PASSED.get(name, ())):
            self._close_to(frame, name)

    def _push(self, frame: Frame, name: bytes, attributes: bytes) -> None:
        frame.stack.append((name, attributes))
        frame.open[name] += 1
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if name in (_FOREIGN if frame.is_foreign else _WALLS):
            self._frames.append(Frame(name))

    def _makes_no_room(self, frame: Frame, name: bytes) -> bool:
        """Close what this start tag closes; true if the element does not stay open."""
        if name == b"form":
            if self._form is not None:
                return True
            self._form = frame
        ends_paragraph = name in _SPECIAL and name not in _CLOSE_NO_P
        if ends_paragraph and frame.reach(_PARAGRAPH, _SPECIAL) == b"p":
            self._close_to(frame, b"p")
        if name == frame.wall and name in _UNNESTED and not frame.cell:
            self._end_frame()
            return name == b"select"
        self._end_like(frame, name)
        if not ends_paragraph:
            self.text()
        return name in _FLAT

    def _end_like(self, frame: Frame, name: bytes) -> None:
        """Close the element that this one takes the place of."""
        if name in _ITEMS:
            item = frame.reach(_ITEMS[name], (b"address", b"div", b"p"))
            if item:
                self._close_to(frame, item)
        elif name in (b"a", b"nobr"):
            self._close_alone(frame, name)
        elif name == b"button" and frame.open[name]:
            self._close_to(frame, name)
        elif any(name in like and frame.top in like for like in _ALIKE_TOP):
            self._close_to(frame, frame.top)
        elif name in _RUBY and frame.open[b"ruby"]:
            while frame.top in _IMPLIED:
                self._close_to(frame, frame.top)

    def _reach_table(self) -> Frame | None:
        """The table that a part of a table here belongs to."""
        for frame in reversed(self._frames):
            if frame.wall == b"table":
                return frame
            if frame.wall == b"template":
                break
        return None

    def _end_cell(self, table: Frame) -> None:
        while self._frames[-1] is not table:
            self._end_frame()
        if table.cell:
            self.depth -= table.depth
            table.stack.clear()
            table.open.clear()
            table.left.clear()
            table.cell = b""

    def _break_out(self) -> None:
        while self._frames[-1].is_foreign:
            self._end_frame()

    def _turn_to_html(self, name: bytes) -> None:
        """Leave SVG and MathML where the end tag is that of an element around them."""
        while len(self._frames) > 1 and self._frames[-1].is_foreign:
            inner, outer = self._frames[-1], self._frames[-2]
            around = outer.open[name] or outer.wall == name or name in (b"p", b"br")
            if not around or inner.open[name] or name in _FOREIGN:
                break
            self._end_frame()

    def _end_frame(self) -> None:
        frame = self._frames.pop()
        outer = self._frames[-1]
        self.depth -= frame.depth
        self._leave(outer, [] if frame.cell else frame.stack, frame.left)
        self._close_to(outer, frame.wall)

    def _close_wall(self, name: bytes) -> None:
        walls = [frame.wall for frame in self._frames]
        if walls[-1] != name and (name != b"table" or name not in walls):
            return
        if b"template" in walls[len(walls) - walls[::-1].index(name) :]:
            return
        inner = self._frames[-1]
        if name in _FOREIGN and not inner.is_foreign and not inner.reach(_INTEGRATION):
            return
        while walls[-1] != name:
            walls.pop()
            self._end_frame()
        self._end_frame()

    def _leave(
        self,
        frame: Frame,
        closed: list[tuple[bytes, bytes]],
        left: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        """Formatting elements that were closed from outside go on in what follows."""
        for tag in (*closed, *left):
            if tag[0] in _FORMATTING and frame.left[tag] < _ALIKE:
                frame.left[tag] += 1
                self.depth += 1

    def _close_to(self, frame: Frame, name: bytes) -> None:
        closed = []
        while (tag := frame.stack.pop())[0] != name:
            frame.open[tag[0]] -= 1
            closed.append(tag)
        frame.open[name] -= 1
        self.depth -= len(closed) + 1
        self._leave(frame, closed)

    def _close_alone(self, frame: Frame, name: bytes) -> None:
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
