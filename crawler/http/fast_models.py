"""Builds httpx's URL and Request without the checks that a canonical request does not
need.

httpx parses and normalizes each URL and header. A crawl has already checked its URLs
and headers before it stores them. Only this module sets httpx's private attributes.
tests/http/test_fast_models.py fails if httpx has changed them.
"""

from __future__ import annotations

import httpx
from httpx._urlparse import ParseResult

__all__ = ["Pair", "request", "url"]

#: A header in httpx's form: name, lower-case name, value.
Pair = tuple[bytes, bytes, bytes]

_NOTHING = httpx.ByteStream(b"")


def url(canonical: str) -> httpx.URL:
    """Return the httpx.URL of a canonical URL, as `httpx.URL(canonical)` would.

    But `httpx.URL` escapes some characters that the WHATWG URL standard leaves as they
    are; this function changes no character.
    """
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
    content: bytes | httpx.AsyncByteStream,
    extensions: dict[str, object],
) -> httpx.Request:
    """Return the httpx.Request with these parts and exactly these headers."""
    made = httpx.Request.__new__(httpx.Request)
    made.method = method
    made.url = to
    made.extensions = extensions
    fields = httpx.Headers.__new__(httpx.Headers)
    fields._list = headers  # noqa: SLF001
    fields._encoding = None  # noqa: SLF001
    made.headers = fields
    if isinstance(content, bytes):
        made.stream = httpx.ByteStream(content) if content else _NOTHING
        made._content = content  # noqa: SLF001
    else:
        made.stream = content
    return made
