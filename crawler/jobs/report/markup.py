"""HTML whose text cannot break out of it.

Rule: a `str` is text and is escaped; only what `element` made is markup.
"""

from __future__ import annotations

import html
import re

#: Characters that turn the direction of writing, or that no page may hold.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *content: str, **attributes: str) -> Markup:
    """An element; `class_` and `for_` lose their underscore, `data_x` is `data-x`."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value
    )
    return Markup(f"<{name}{given}>{joined(*content)}</{name}>")


def joined(*content: str) -> Markup:
    """Markup as it is, and all else escaped."""
    return Markup(
        "".join(each if isinstance(each, Markup) else escaped(each) for each in content)
    )


def escaped(text: str) -> str:
    """`text` as it can stand in HTML, also in an attribute."""
    return html.escape(_CONTROLS.sub(" ", text), quote=True)


def link(url: str, shown: str = "") -> Markup:
    """A link that tells the site nothing about this page; other schemes are text."""
    text = shortened(shown or url)
    if not re.match(r"https?://", url):
        return element("span", text, class_="url")
    return element("a", text, href=url, rel="noreferrer noopener", class_="url")


def shortened(text: str, limit: int = 160) -> str:
    """`text`, its middle left out where it is long."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} … {text[-half:]}"
