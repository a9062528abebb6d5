"""Bounds what an XPath expression may cost on a large document. Pure.

libxml2 compares each node that a step finds with all that were found before, and
nothing can stop it: `//p/following-sibling::p` takes 1.4 s for 2,000 siblings, and a
thousand times that for 20,000. The cost is estimated before: by the document's shape,
and by the number of nodes that a step begins with.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

#: Seconds that one expression may take, about.
_SECONDS = 1.0
# What libxml2 takes to compare two nodes, and to step to one.
_COMPARE, _WALK = 2e-10, 1.5e-8
#: A document with so few elements needs no estimate: whatever is asked is quick.
FEW = 1_000

_TOKEN = re.compile(
    r"(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<open>[(\[])|(?P<close>[)\]])"
    r"|(?P<axis>/?\s*(?P<name>following|preceding)(?P<sibling>-sibling)?\s*::)"
    r"|(?P<all>(?<![\w)\]*.@'\"])\s*//)"
    r"|(?P<cut>[,|]|(?<=\s)(?:or|and|mod|div)\b|[=<>+]|!=|(?<=\s)-)|.",
    re.S,
)
# A node test and a position behind an axis: it gives one node each time.
_ONE = re.compile(r"\s*[\w.:*-]+(?:\(\s*\))?\s*\[\s*(?:\d+|last\(\s*\))\s*\]")


class XPathTooCostly(Exception):
    """An expression could take too long on a document."""


class XmlShape(NamedTuple):
    """The measures of a document: elements, and those under one parent at most."""

    elements: int
    siblings: int


def check(expression: str, shape: XmlShape, count: Callable[[str], float]) -> None:
    """XPathTooCostly if evaluating the expression could take over a second.

    `count` gives the value of an expression, and raises ValueError for what is none.
    """
    for start, token in _steps(expression):
        reach = shape.siblings if token["sibling"] else shape.elements
        if start is None:  # in a predicate, which is asked for each element
            seconds = shape.elements * reach * _WALK
        else:
            before = expression[start : token.start()].strip() or "."
            is_one = _ONE.match(expression, token.end()) is not None
            contexts = _number(before, count, shape)
            found = contexts * (1 if is_one else reach)
            seconds = found * min(found, shape.elements) * _COMPARE
            seconds += contexts * reach * _WALK
        if seconds > _SECONDS:
            raise XPathTooCostly


def _steps(expression: str) -> Iterator[tuple[int | None, re.Match[str]]]:
    """The steps that may find much, each with the place where its path begins; None
    for one in a predicate."""
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
            if token["axis"] or token["all"]:
                yield None, token
        elif token["axis"]:
            yield begins[-1], token


def _number(path: str, count: Callable[[str], float], shape: XmlShape) -> int:
    """How many nodes a path finds; all of them if it is no path by itself."""
    try:
        return int(count(f"count({path})"))
    except ValueError:
        return shape.elements
