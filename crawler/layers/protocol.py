"""The one interface between the crawl and the network: `Fetch`, and its layers.

    class Signed:
        def __init__(self, fetch: Fetch) -> None:
            self._fetch = fetch

        async def __call__(self, request: Request) -> Response:
            signature = sign(request.url)
            return await self._fetch(request.with_headers({"X-Signature": signature}))

A layer takes the next `Fetch` and is itself a `Fetch`. It sees each request of the
crawl, including robots.txt and logins (see `request.purpose`). It may change the
request, choose a proxy, or answer without the network (`respond`). The order of layers
is the order of the lines in `run/assembly.py`.

Rule: a layer never retries and never follows a redirect. The crawl does both by its own
rules, and the new requests pass through the layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from crawler.request import Request
from crawler.response import Response

__all__ = ["Fetch", "Layer"]


class Fetch(Protocol):
    """Sends one request and returns its response when the head has arrived; the body
    may still be on its way.

    Raises FetchError. The caller closes the response.
    """

    async def __call__(self, request: Request, /) -> Response: ...


#: A callable that takes the next `Fetch` and returns a `Fetch`: the class of a layer,
#: or a function.
Layer: TypeAlias = Callable[[Fetch], Fetch]
