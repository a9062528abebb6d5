"""The spider's own hand on each request, at the moment when it is sent: `prepare`.

Rule: what is prepared is not kept. The next try, and a run that is resumed, prepare the
request anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Protocol

from crawler.layers.protocol import Fetch
from crawler.request import Request
from crawler.response import Response
from crawler.web import urls


class HookRunner(Protocol):
    """What runs the hooks of a spider: within their time, and with `self.fetch`."""

    async def run(self, hook: Callable[[], Any], session: str = "") -> Any: ...

    def lent(self) -> AbstractAsyncContextManager[None]: ...


Prepare = Callable[[Request], Awaitable[Request] | Request]


class Prepared:
    """A layer: asks what `prepare` makes of a request for a page.

    What hooks themselves fetch, and robots.txt, goes as it is.

    Headers, cookies, query, body, proxy and timeout may change. Method, origin and path
    may not: pace, robots.txt and scope have judged them.
    """

    def __init__(self, fetch: Fetch, prepare: Prepare, hooks: HookRunner) -> None:
        self._fetch = fetch
        self._prepare = prepare
        self._hooks = hooks

    async def __call__(self, request: Request, /) -> Response:
        if request.purpose != "page":
            return await self._fetch(request)
        prepared = await self._hooks.run(partial(self._prepare, request))
        check_prepared(request, prepared)
        response = await self._fetch(prepared)
        # Signatures belong in no item, and in no link that is relative to the page.
        response.url = request.url
        return response


def check_prepared(request: Request, prepared: object) -> None:
    """TypeError or ValueError for what cannot go in a request's place."""
    if not isinstance(prepared, Request):
        kind = type(prepared).__name__
        raise TypeError(f"it gave {kind}, not a Request; return the request")
    for what, of in (
        ("method", lambda each: each.method),
        ("origin", lambda each: urls.origin_of(each.url)),
        ("path", lambda each: each.url.partition("?")[0]),
    ):
        if of(prepared) != of(request):
            raise ValueError(
                f"it changed the {what}: {prepared.url} in place of {request.url}; it "
                "may change headers, cookies, query and body. Yield another Request"
            )
