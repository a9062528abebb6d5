"""httpx's values without the work that a canonical request does not need.

httpx parses, checks and normalises a URL and each header, for whoever calls it; here
they come from the store, checked already. This is the one place that writes httpx's
private fields, and tests/http/test_lean.py says at once when they have moved.
"""

from __future__ import annotations

import httpx
from httpx._urlparse import ParseResult

__all__ = ["Pair", "request", "url"]

#: A header as httpx keeps it: name, lower-case name, value.
Pair = tuple[bytes, bytes, bytes]

_NOTHING = httpx.ByteStream(b"")


def url(canonical: str) -> httpx.URL:
    """The httpx.URL of a canonical URL; equal to `httpx.URL(canonical)` but for what
    httpx would escape beyond the WHATWG."""
    scheme, _, rest = canonical.partition("://")
    authority, slash, target = rest.partition("/")
    path, mark, query = target.partition("?")
    host, port = authority, None
    if authority[-1:].isdigit() and ":" in authority:
        host, _, digits = authority.rpartition(":")
        port = int(digits)
    made = httpx.URL.__new__(httpx.URL)
    made._uri_reference = ParseResult(  # noqa: SLF001
        scheme, "", host.strip("[]"), port, slash + path, query if mark else None, None
    )
    return made


def request(
    method: str,
    to: httpx.URL,
    headers: list[Pair],
    content: bytes,
    extensions: dict[str, object],
) -> httpx.Request:
    """The httpx.Request of these parts; `headers` are taken as they are."""
    made = httpx.Request.__new__(httpx.Request)
    made.method = method
    made.url = to
    made.extensions = extensions
    fields = httpx.Headers.__new__(httpx.Headers)
    fields._list = headers  # noqa: SLF001
    fields._encoding = None  # noqa: SLF001
    made.headers = fields
    made.stream = httpx.ByteStream(content) if content else _NOTHING
    made._content = content  # noqa: SLF001
    return made
