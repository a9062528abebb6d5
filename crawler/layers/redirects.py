"""Builds the request that follows a redirect, and decides which parts of the first
request it keeps (RFC 9110 15.4).

Rule: credentials, cookies and bodies are never sent to another origin. No I/O, no
clock.
"""

from __future__ import annotations

import msgspec

from crawler.errors import FetchError, Reason
from crawler.layers.protocol import Fetch
from crawler.request import DEFAULT_OPTIONS, Options, Request
from crawler.response import Response
from crawler.web import urls
from crawler.web.lazy_regex import lazy_regex

STATUSES = frozenset({301, 302, 303, 307, 308})
LIMIT = 10

#: Request headers that may be sent to another origin after a redirect.
_HARMLESS = frozenset(
    {"accept", "accept-language", "cache-control", "pragma", "user-agent"}
)
_NOT_ASCII = lazy_regex(rb"[\x80-\xff]")
_OF_A_BODY = ("content-", "transfer-encoding")


def target(request: Request, status: int, location: str | None) -> Request:
    """Return the request to the redirect's target `location`. Raise FetchError if
    the Location header is missing or invalid."""
    if not location:
        raise FetchError(
            Reason.REDIRECT_INVALID,
            f"the response has status {status}, but no Location header to follow",
            url=request.url,
        )
    try:
        url = urls.join(request.url, location)
    except urls.InvalidUrl as exc:
        is_scheme = exc.reason == "blocked_scheme"
        reason = Reason.BLOCKED_SCHEME if is_scheme else Reason.REDIRECT_INVALID
        raise FetchError(reason, str(exc), url=request.url) from exc
    options = _turned(request.options, status)
    if urls.origin_of(url) != urls.origin_of(request.url):
        options = _for_another_origin(options, url)
    return Request.build(
        url,
        request.callback,
        priority=request.priority,
        depth=request.depth,
        meta=request.encoded_meta,
        options=options if options != DEFAULT_OPTIONS else DEFAULT_OPTIONS,
    )


def location_of(response: Response) -> str | None:
    """Return the Location header; bytes outside ASCII become percent-escapes, because
    their encoding is unknown."""
    values = response.head.values(b"location")
    if not values:
        return None
    return _NOT_ASCII.sub(lambda found: b"%%%02X" % found[0][0], values[0]).decode()


async def follow(fetch: Fetch, request: Request) -> Response:
    """Return the final response with its body, after at most ten redirects. Raise
    FetchError after more redirects."""
    for _ in range(LIMIT + 1):
        response = await fetch(request)
        try:
            is_kept = not request.options.follow_redirects
            if response.status_code not in STATUSES or is_kept:
                await response.aread()
                return response
            location = location_of(response)
            request = target(request, response.status_code, location)
        finally:
            await response.aclose()
    raise FetchError(
        Reason.REDIRECT_LIMIT,
        f"the request was redirected over {LIMIT} times",
        url=request.url,
    )


def _turned(options: Options, status: int) -> Options:
    """Return the options of the request after a redirect, which may have another
    method.

    At 301 and 302 POST becomes GET, as in browsers. At 303 every method except HEAD
    becomes GET.
    """
    becomes_get = (status in (301, 302) and options.method == "POST") or (
        status == 303 and options.method not in ("GET", "HEAD")
    )
    if not becomes_get:
        return options
    headers = tuple(
        (name, value)
        for name, value in options.headers
        if not name.lower().startswith(_OF_A_BODY)
    )
    return msgspec.structs.replace(
        options, method="GET", content=b"", pieces=(), headers=headers
    )


def _for_another_origin(options: Options, url: str) -> Options:
    if options.content or options.pieces:
        raise FetchError(
            Reason.REDIRECT_INVALID,
            f"the crawler does not follow this redirect, because it would send the "
            f"body of a {options.method} request to another origin",
            url=url,
        )
    headers = tuple(
        (name, value) for name, value in options.headers if name.lower() in _HARMLESS
    )
    return msgspec.structs.replace(
        options, headers=headers, cookies=(), authorization=""
    )
