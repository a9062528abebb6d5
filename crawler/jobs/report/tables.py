"""Tables that a narrow screen can scroll."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crawler.jobs.report.markup import Markup, element


@dataclass(frozen=True)
class Number:
    """A cell that is set to the right."""

    text: str
    kind: str = ""


#: Text, markup, or a number.
Cell = str | Number


def number(text: str, kind: str = "") -> Number:
    """A number, in a colour of its own where `kind` names one."""
    return Number(text, kind)


def table(
    heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, wide: int | None = None
) -> Markup:
    """A table; heads that begin with `>` stand over numbers, column `wide` over
    bars."""
    head = element("tr", *map(_head, heads))
    body = [
        element("tr", *(_cell(cell, place == wide) for place, cell in enumerate(row)))
        for row in rows
    ]
    made = element("table", element("thead", head), element("tbody", *body))
    return element("div", made, class_="scroll")


def _head(text: str) -> Markup:
    if text.startswith(">"):
        return element("th", text[1:], class_="n")
    return element("th", text)


def _cell(cell: Cell, is_wide: bool) -> Markup:
    if isinstance(cell, Number):
        return element("td", cell.text, class_=f"n {cell.kind}".strip())
    return element("td", cell, class_="wide" if is_wide else "")
