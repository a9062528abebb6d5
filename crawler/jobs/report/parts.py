"""What the sections of the page are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crawler.jobs.report.markup import Markup, element, joined


def section(question: str, *content: str) -> Markup:
    """A question and its answer."""
    return element("section", element("h2", question), *content)


def tile(name: str, value: str, more: str = "", *, is_off: bool = False) -> Markup:
    """A figure with its name; `more` is said below it."""
    shown = element("b", value, class_="off" if is_off else "")
    return element(
        "div", element("span", name), shown, element("span", more), class_="tile"
    )


def codes(names: Iterable[str]) -> Iterator[Markup]:
    """Names as they are written in code, with commas."""
    for place, name in enumerate(names):
        yield joined(", " if place else "", element("code", name))
