"""Refresh redirects: the URL that a page shows next, by a Refresh header or a `<meta>`.

No I/O. Both follow the rules of HTML (4.2.5.3, "shared declarative refresh steps").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from crawler.web.lazy_regex import lazy_regex
from crawler.web.meta_elements import metas
from crawler.web.urls import InvalidUrl, join

#: Maximum delay, in seconds, of a refresh that is followed. A page with a longer delay
#: is meant to be read first.
MAX_DELAY = 10
#: Number of bytes in which a `<meta>` is searched; few, because every page is searched.
SEARCHED = 4 * 1024

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_REFRESH = lazy_regex(
    r"[ \t\n\f\r]*(?P<delay>[0-9]+|(?=\.))[0-9.]*"
    r"(?:[ \t\n\f\r]*[;,][ \t\n\f\r]*|[ \t\n\f\r]+|\Z)"
    r"(?:url[ \t\n\f\r]*=[ \t\n\f\r]*)?(?P<rest>.*)",
    re.I | re.S,
)


class Refresh(NamedTuple):
    """A refresh: after `delay` seconds the browser loads `reference`; "" means the page
    itself."""

    delay: int
    reference: str


def parse_refresh(text: str) -> Refresh | None:
    """Parse a Refresh header or a `content` attribute; None if it is not valid."""
    found = _REFRESH.match(text)
    if found is None:
        return None
    rest = found["rest"]
    if rest[:1] in ("'", '"'):
        rest = rest[1:].partition(rest[0])[0]
    return Refresh(int(found["delay"][:9] or 0), rest)


def refresh_target(
    url: str,
    header: str | None,
    markup: bytes,
    base_url: Callable[[], str],
    *,
    max_delay: float = MAX_DELAY,
) -> str | None:
    """Return the canonical URL that a page at `url` soon redirects to; None if there is
    none.

    `header` is the Refresh header, `markup` the page in UTF-8. `base_url` returns the
    page's base URL; it is called only if a `<meta>` needs it. A `<meta>` in
    `<noscript>`, in a script or in a comment does not count.
    """
    refresh = parse_refresh(header) if header else None
    base = url
    if refresh is None:
        refresh = _of_meta(markup[:SEARCHED])
        if refresh is None:
            return None
        base = base_url()
    if not refresh.reference or refresh.delay > max_delay:
        return None
    try:
        target = join(base, refresh.reference)
    except InvalidUrl:
        return None
    return None if target == url else target


def has_word(markup: bytes) -> bool:
    """Return whether a `<meta>` of this page may contain a refresh.

    This is a quick test: most pages do not contain the word "refresh". UTF-16 pages are
    not searched; for them the result is True.
    """
    return (
        markup.find(b"efresh", 0, SEARCHED) >= 0
        or markup.find(b"EFRESH", 0, SEARCHED) >= 0
        or markup[:2] in _UTF_16
    )


def _of_meta(markup: bytes) -> Refresh | None:
    if b"refresh" not in markup.lower():
        return None
    for meta in metas(markup):
        if meta.get(b"http-equiv", b"").lower() == b"refresh":
            from html import unescape  # imported here because few pages have a refresh

            content = meta.get(b"content", b"").decode("utf-8", "replace")
            if refresh := parse_refresh(unescape(content)):
                return refresh
    return None
