"""Turns the selectors tried in `crawl shell` into code for a callback. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from crawler.page import Page

_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
_SHOWN = 60


def code_of(pages: Iterable[Page]) -> list[str]:
    """Return the lines of a callback with all selectors that matched on the pages.

    Selectors without a match become comments. The result is empty if no selector was
    tried.
    """
    lines: list[str] = []
    for page in pages:
        if page.asked:
            lines += _of_page(page, dict(page.asked))
    if not lines:
        return []
    return [
        "async def parse(self, response: Response) -> Results:",
        *(f"    {line}" for line in lines),
    ]


def _of_page(page: Page, asked: Mapping[str, bool]) -> list[str]:
    names: dict[str, str] = {}
    values = []
    comments = []
    for selector, has_matched in asked.items():
        found = page.css(selector) if has_matched else []
        if not found:
            comments.append(f"# {selector} matched nothing")
            continue
        name = _name_of(selector, names)
        names[name] = selector
        quoted = repr(selector) if '"' in selector else f'"{selector}"'
        text = f"response.page.text({quoted})"
        if len(found) > 1:
            text = f"[node.text() for node in response.css({quoted})]"
        values.append(f'    "{name}": {text},  # {_excerpt(found[0].text())}')
    if not values:
        return [f"# {page.url}", *comments]
    return [f"# {page.url}", *comments, "yield {", *values, "}"]


def _name_of(selector: str, names: Mapping[str, str]) -> str:
    """Return the key of an item for a selector's value: the selector's last word.

    A number is added if `names` has this key already.
    """
    words = _WORDS.findall(selector.rpartition("=")[0] or selector) or ["value"]
    name: str = words[-1].lower()
    number = 2
    while name in names:
        name, number = f"{words[-1].lower()}_{number}", number + 1
    return name


def _excerpt(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
