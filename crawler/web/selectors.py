"""Runs CSS selectors within limited time. No I/O.

The parser's engine matches from right to left and tries every ancestor or sibling for
each combinator. `.a .b .c d` takes time proportional to the cube of a page's depth, and
nothing can stop the engine. On pages where that could take long such a selector is run
in steps. Each step finds the elements of one compound, and keeps those with the right
relation to the elements of the previous step. That takes linear time.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from math import isqrt
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from crawler.web.lazy_regex import lazy_regex

# Depth of a page above which the parser's CSS engine could take 0.1 s for a selector
# with ancestors (`a b c`).
_DEEP = 32
# On a page with more tags than this, the parser's CSS engine could take 0.1 s for a
# selector with a sibling (`a ~ b`).
_BROAD = 4_000
# On a page with more tags than this, the parser's CSS engine could take 0.1 s for a
# selector with several siblings (`a ~ b ~ c`).
_BROAD_TWICE = 400
# Approximate seconds that the parser's CSS engine takes to step to an ancestor.
_ANCESTOR_SECONDS = 20e-9
# Approximate seconds that the parser's CSS engine takes to step to a sibling.
_SIBLING_SECONDS = 3e-9
# Maximum number of seconds for one selector.
_SECONDS = 0.2
# Maximum number of elements of a page whose elements and depth are counted.
_MEASURED = 400_000
# Maximum number of elements that the parts of a selector may match.
_MATCHES = 120_000

_TOKEN = lazy_regex(
    r"(?P<text>(?:\\.|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')+)"
    r"|(?P<open>[\[(])|(?P<close>[\])])"
    r"|\s*(?P<sign>[>+~,])\s*(?!=)|(?P<space>\s+)|.",
    re.S,
)
_COUNTING = lazy_regex(
    r":(?:nth-(?:last-)?(?:child|of-type)\([^()]*\)|(?:last|only)-of-type)", re.I
)
_FUNCTION = lazy_regex(r":(?:has|is|not|where|current)\(", re.I)
_SEARCH = lazy_regex(r":has\(|(?<=[^\s,(>+~])[\s~]+(?=[^\s,)>+~])", re.I)
_DEEP_PATH = " > ".join(["*"] * _DEEP + [":first-child"])


class Complex(NamedTuple):
    """A complex selector, split into compound selectors and the combinators between
    them: (a, b) and (" ",) for `a b`."""

    compounds: tuple[str, ...]
    combinators: tuple[str, ...]


class SelectorPlan(NamedTuple):
    """A selector whose cost depends on the page's shape.

    The cost for the parser's CSS engine grows with two numbers: that of ancestors to
    the power of `ancestors`, and that of siblings to the power of `siblings`. For
    functions such as `:has(a b)` the cost grows with both numbers to the power of
    `inner`.
    """

    parts: tuple[Complex, ...]
    ancestors: int
    siblings: int
    counts: bool
    inner: int


class TooCostly(Exception):
    """A selector would take too long on a page, and cannot be run in steps."""


class Tree:
    """A parsed page and its shape, which is measured only when needed."""

    __slots__ = (
        "_is_deep",
        "_shape",
        "_tags",
        "asked",
        "is_odd",
        "matching",
        "root",
        "url",
    )

    def __init__(
        self,
        root: LexborNode,
        url: str,
        *,
        is_odd: bool = False,
        asked: dict[str, bool] | None = None,
    ) -> None:
        self.root = root
        self.url = url
        #: The selectors that were used, and whether each matched anywhere.
        self.asked = {} if asked is None else asked
        #: By selector: the elements of the whole page that match it, by their `mem_id`.
        self.matching: dict[str, frozenset[int]] = {}
        #: Whether the page is large or could take the parser long; then even a selector
        #: with one combinator (`a b`) is checked.
        self.is_odd = is_odd
        self._is_deep: bool | None = None
        self._shape: TreeShape | None = None
        self._tags: int | None = None

    def note(self, selector: str, *, matched: bool) -> None:
        """Record in `asked` that a selector was used, and whether it matched."""
        if matched:
            self.asked[selector] = True
        else:
            self.asked.setdefault(selector, False)

    @property
    def is_deep(self) -> bool:
        """Whether elements are nested so deeply that some selectors take long."""
        if self._is_deep is None:
            self._is_deep = self.root.css_first(_DEEP_PATH) is not None
        return self._is_deep

    @property
    def shape(self) -> "TreeShape":
        """Return the number of nodes and the depth, measured by visiting all nodes."""
        if self._shape is None:
            self._shape = _measured(self.root)
        return self._shape

    def has_tags(self, number: int) -> bool:
        """Return whether the page has over `number` tags. If not, no element has over
        `number` children."""
        if self._tags is None:
            self._tags = self.root.parser.raw_html.count(b"<")
        return self._tags > number


class TreeShape(NamedTuple):
    """The sizes of a tree: numbers of nodes and depth."""

    nodes: int
    depth: int


def select(node: LexborNode, selector: str, tree: Tree) -> list[LexborNode] | None:
    """Return the matches in the tree at `node`, found in steps; None if the parser's
    own CSS engine is fast enough.

    Raises TooCostly if the selector is slow and cannot be run in steps.
    """
    plan = plan_of(selector)
    if plan is None:
        return None
    if plan.counts and tree.has_tags(_BROAD):
        _check_counting(plan, tree)
    if not _is_slow(plan, tree):
        return None
    if plan.inner:
        _check_inner(plan, tree)
    return in_steps(node, plan.parts, tree.root)


@lru_cache(maxsize=4096)
def plan_of(selector: str) -> SelectorPlan | None:
    """Return the plan of a selector, from which its cost on a page follows; None if the
    selector is fast on every page."""
    parts = parts_of(selector)
    ancestors = max(part.combinators.count(" ") for part in parts)
    siblings = max(part.combinators.count("~") for part in parts)
    inner = sum(map(_inner, parts))
    counts = _COUNTING.search(selector) is not None
    if not ancestors and not siblings and not inner and not counts:
        return None
    return SelectorPlan(parts, ancestors, siblings, counts, inner)


def _inner(part: Complex) -> int:
    """Return how many searches the functions of a selector, such as `:has(a b)`, may
    run inside one another."""
    return sum(
        len(_SEARCH.findall(compound))
        for compound in part.compounds
        if _FUNCTION.search(compound)
    )


def _is_slow(plan: SelectorPlan, tree: Tree) -> bool:
    """Return whether the parser's CSS engine could take long for this selector on this
    page."""
    least = 1 if tree.is_odd else 2
    if plan.ancestors + plan.inner >= least and (plan.ancestors > 3 or tree.is_deep):
        return True
    if plan.siblings + plan.inner > 1 and plan.siblings:
        return tree.has_tags(_BROAD_TWICE)
    return plan.siblings > 0 and tree.has_tags(_BROAD)


def _check_inner(plan: SelectorPlan, tree: Tree) -> None:
    """Raise TooCostly unless the parser's CSS engine is fast for the functions of this
    selector, such as `:has(a b)`."""
    nodes, depth = tree.shape
    if nodes * depth**plan.inner * _ANCESTOR_SECONDS > _SECONDS:
        raise TooCostly(
            f"the page has {nodes:,} elements, nested up to {depth:,} levels deep"
        )


def _check_counting(plan: SelectorPlan, tree: Tree) -> None:
    """Raise TooCostly unless the parser's CSS engine is fast for functions that count,
    such as `:nth-child(2)`.

    The engine counts the siblings again for each element.
    """
    steps = 0
    for compound in {each for part in plan.parts for each in part.compounds}:
        rest = _COUNTING.sub("", compound)
        if rest != compound:
            steps += sum(map(_siblings, _by_parent(tree.root.css(rest or "*"))))
    if steps * _SIBLING_SECONDS > _SECONDS:
        raise TooCostly(
            f"the page has elements with about {isqrt(steps):,} siblings each"
        )


def _by_parent(nodes: list[LexborNode]) -> Iterable[tuple[LexborNode, int]]:
    """Return the parents of these elements, each with the number of its children among
    the elements. Raises TooCostly if there are too many elements."""
    if len(nodes) > _MATCHES:
        raise TooCostly(f"parts of the selector match over {_MATCHES:,} elements")
    parents = {
        parent.mem_id: parent for node in nodes if (parent := node.parent) is not None
    }
    numbers = Counter(node.parent.mem_id for node in nodes if node.parent is not None)
    return [(parents[key], number) for key, number in numbers.items()]


def _siblings(parent_and_number: tuple[LexborNode, int]) -> int:
    """Return how many steps the parser's CSS engine takes to count all children of a
    parent, once for each of `number` children."""
    parent, number = parent_and_number
    children = 0
    child = parent.first_child
    while child is not None:
        children += 1
        child = child.next
    return children * number


def parts_of(selector: str) -> tuple[Complex, ...]:
    """Return the complex selectors of a selector list, split at their combinators."""
    parts: list[Complex] = []
    compounds, combinators, text, level = [], [], "", 0  # type: ignore[var-annotated]
    for token in _TOKEN.finditer(selector.strip()):
        level += bool(token["open"]) - bool(token["close"])
        sign = token["sign"] or (" " if token["space"] else "")
        if level or not sign:
            text += token[0]
            continue
        compounds.append(text)
        text = ""
        if sign == ",":
            parts.append(Complex(tuple(compounds), tuple(combinators)))
            compounds, combinators = [], []
        else:
            combinators.append(sign)
    compounds.append(text)
    parts.append(Complex(tuple(compounds), tuple(combinators)))
    return tuple(parts)


def in_steps(
    node: LexborNode, parts: tuple[Complex, ...], root: LexborNode
) -> list[LexborNode]:
    """Return the elements in the tree at `node` that match one of the complex
    selectors, in document order. `root` is the root element of the page."""
    last = ", ".join(dict.fromkeys(part.compounds[-1] for part in parts))
    matching: set[int] = set()
    for part in parts:
        matching |= _matching(node, part, root)
    found = {each.mem_id: each for each in node.css(last)}
    return [each for key, each in found.items() if key in matching]


def _matching(node: LexborNode, part: Complex, root: LexborNode) -> set[int]:
    """Return the elements in the tree at `node` that match one complex selector."""
    kept: set[int] = set()
    matches = 0
    steps = len(part.combinators)
    for index, compound in enumerate(part.compounds):
        found = (node if index == steps else root).css(compound)
        matches += len(found)
        if index:
            if matches > _MATCHES:
                raise TooCostly(
                    f"parts of the selector match over {_MATCHES:,} elements"
                )
            found = _RELATIONS[part.combinators[index - 1]](found, kept)
        kept = {each.mem_id for each in found}
        if not kept:
            break
    return kept


def _within(nodes: Iterable[LexborNode], kept: set[int]) -> list[LexborNode]:
    """Return the nodes that have an ancestor in `kept` (memory ids of elements)."""
    known: dict[int, bool] = {}
    found = []
    for node in nodes:
        path: list[int] = []
        above = node.parent
        verdict = False
        while above is not None:
            key = above.mem_id
            if key in kept:
                verdict = True
                break
            if key in known:
                verdict = known[key]
                break
            path.append(key)
            above = above.parent
        known.update(dict.fromkeys(path, verdict))
        if verdict:
            found.append(node)
    return found


def _inside(nodes: Iterable[LexborNode], kept: set[int]) -> list[LexborNode]:
    """Return the nodes whose parent is in `kept` (memory ids of elements)."""
    return [
        node
        for node in nodes
        if (parent := node.parent) is not None and parent.mem_id in kept
    ]


def _behind(nodes: Iterable[LexborNode], kept: set[int]) -> list[LexborNode]:
    """Return the nodes whose previous element is in `kept` (memory ids of elements)."""
    found = []
    for node in nodes:
        before = node.prev
        while before is not None and not before.is_element_node:
            before = before.prev
        if before is not None and before.mem_id in kept:
            found.append(node)
    return found


def _after(nodes: Iterable[LexborNode], kept: set[int]) -> list[LexborNode]:
    """Return the nodes that come after an element in `kept` (memory ids of elements)
    under the same parent."""
    later: dict[int, set[int]] = {}
    found = []
    for node in nodes:
        parent = node.parent
        if parent is None:
            continue
        if parent.mem_id not in later:
            later[parent.mem_id] = _later(parent, kept)
        if node.mem_id in later[parent.mem_id]:
            found.append(node)
    return found


def _later(parent: LexborNode, kept: set[int]) -> set[int]:
    """Return the memory ids of the children that come after the parent's first child in
    `kept` (memory ids of elements)."""
    behind: set[int] = set()
    has_begun = False
    child = parent.first_child
    while child is not None:
        if has_begun:
            behind.add(child.mem_id)
        elif child.mem_id in kept:
            has_begun = True
        child = child.next
    return behind


_RELATIONS: dict[str, Callable[[list[LexborNode], set[int]], list[LexborNode]]] = {
    " ": _within,
    ">": _inside,
    "+": _behind,
    "~": _after,
}


def _measured(root: LexborNode) -> TreeShape:
    """Return the number of elements and the depth of a page. Raises TooCostly if the
    page has over 400,000 elements."""
    nodes = depth = 0
    level = [root]
    while level:
        depth += 1
        nodes += len(level)
        if nodes > _MEASURED:
            raise TooCostly(f"the page has over {_MEASURED:,} elements, the limit")
        level = [child for node in level for child in node.iter(include_text=False)]
    return TreeShape(nodes, depth)
