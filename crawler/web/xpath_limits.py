"""Limits the cost of an XPath expression on a large document. No I/O.

libxml2 compares each node that a step finds with all nodes found before, and cannot be
stopped. `//p/following-sibling::p` takes 1.4 s for 2,000 siblings, and eight times that
for twice as many. `//div//a` takes 14 s for 40,000 elements that are nested 200 deep.
So the cost is estimated first, from the document's shape and the number of nodes with
which a step begins.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

#: Maximum number of estimated seconds for one expression.
_SECONDS = 1.0
# Seconds that libxml2 takes to compare two nodes.
_COMPARE = 2e-10
# Seconds that libxml2 takes to step to another node.
_WALK = 1.5e-8
_LONGEST_TEST = 200
#: A document with fewer elements needs no estimate: any expression is fast.
FEW = 1_000

_TOKEN = re.compile(
    r"(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<open>[(\[])|(?P<close>[)\]])"
    r"|(?P<axis>/?\s*(?:(?:following|preceding)(?P<sibling>-sibling)?"
    r"|(?P<up>ancestor(?:-or-self)?)|(?P<down>descendant(?:-or-self)?))\s*::)"
    r"|(?P<all>(?<![\w)\]*.@'\"])\s*//)|(?P<inner>//)"
    r"|(?P<cut>[,|]|(?<=\s)(?:or|and|mod|div)\b|[=<>+]|!=|(?<=\s)-)|.",
    re.S,
)
# The name or kind of the nodes that a step finds (`p` in `following-sibling::p`). If a
# position follows, as in `following-sibling::p[1]`, the step finds at most one node
# from each starting node.
_TEST = re.compile(r"\s*([\w.:*-]+(?:\(\s*\))?)")
_ONE = re.compile(_TEST.pattern + r"\s*\[\s*(?:\d+|last\(\s*\))\s*\]")


class XPathTooCostly(Exception):
    """An expression could take too long on a document."""


class XmlShape(NamedTuple):
    """The size of a document: the number of elements, the maximum number of children of
    one element, and the maximum nesting."""

    elements: int
    siblings: int
    depth: int


def check(
    expression: str, measure: Callable[[], XmlShape], count: Callable[[str], float]
) -> None:
    """Raise XPathTooCostly if evaluating the expression could take over a second.

    `measure` returns the document's shape, and is called only if needed. `count`
    returns the value of an expression, or raises ValueError if it is invalid.
    """
    for start, token in _steps(expression):
        shape = measure()
        if start is None:  # in a predicate, which is evaluated for each element
            reach = shape.siblings if token["sibling"] else shape.elements
            seconds = shape.elements * reach * _WALK
        else:
            before = expression[start : token.start()].strip() or "."
            contexts = _number(before, count, shape)
            behind = expression[token.end() : token.end() + _LONGEST_TEST]
            if token["inner"] or token["down"]:
                seconds = _downward(contexts, behind, shape, count)
            else:
                seconds = _sideways(contexts, token, behind, shape)
        if seconds > _SECONDS:
            raise XPathTooCostly


def _sideways(
    contexts: int, token: re.Match[str], behind: str, shape: XmlShape
) -> float:
    """Return the estimated seconds of a step to siblings, to ancestors, or to all nodes
    before or after a node."""
    reach = shape.siblings if token["sibling"] else shape.elements
    reach = shape.depth if token["up"] else reach
    found = contexts * (1 if _ONE.match(behind) else reach)
    seconds = found * min(found, shape.elements) * _COMPARE
    return seconds + contexts * reach * _WALK


def _downward(
    contexts: int, behind: str, shape: XmlShape, count: Callable[[str], float]
) -> float:
    """Return the estimated seconds of a step to all inner nodes (descendants). An inner
    node is found once for each starting node that contains it."""
    test = _TEST.match(behind)
    there = _number(f"//{test[1]}", count, shape) if test else shape.elements
    around = min(contexts, shape.depth)
    return around * there * there * _COMPARE + around * shape.elements * _WALK


def _steps(expression: str) -> Iterator[tuple[int | None, re.Match[str]]]:
    """Yield the steps that may find many nodes, each with the position where its path
    begins.

    The position is None for a step in a predicate.
    """
    open_brackets: list[str] = []
    begins = [0]
    for token in _TOKEN.finditer(expression):
        if token["open"]:
            open_brackets.append(token["open"])
            begins.append(token.end())
        elif token["close"] and open_brackets:
            open_brackets.pop()
            begins.pop()
        elif token["cut"]:
            begins[-1] = token.end()
        elif "[" in open_brackets:
            is_local = token["up"] or token["down"]
            if token["all"] or (token["axis"] and not is_local):
                yield None, token
        elif token["axis"] or token["inner"]:
            yield begins[-1], token


def _number(path: str, count: Callable[[str], float], shape: XmlShape) -> int:
    """Return how many nodes a path finds in the document. If the path cannot be
    evaluated alone, return the number of all elements."""
    try:
        return int(count(f"count({path})"))
    except ValueError:
        return shape.elements
