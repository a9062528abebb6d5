"""The spider's hook `prepare`: changes each request just before the request is sent.

Rule: the prepared request is not stored. The next try, and a resumed run, prepare the
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
    """Runs a spider's hooks, such as logins, with a time limit; a hook can send
    requests with the spider's `fetch`."""

    async def run(self, hook: Callable[[], Any], session: str = "") -> Any: ...

    def lent(self) -> AbstractAsyncContextManager[None]: ...


Prepare = Callable[[Request], Awaitable[Request] | Request]


class Prepared:
    """A layer that sends the request which the spider's `prepare` returns.

    Requests of hooks and of robots.txt are sent unchanged. Headers, cookies, query,
    body, proxy and timeout may change. Method, origin and path must not, because
    rate limits, robots.txt and scope were checked for them.
    """

    def __init__(self, fetch: Fetch, prepare: Prepare, hooks: HookRunner) -> None:
        self._fetch = fetch
        self._prepare = prepare
        self._hooks = hooks

    async def __call__(self, request: Request, /) -> Response:
        if request.purpose not in ("page", "file"):
            return await self._fetch(request)
        prepared = await self._hooks.run(partial(self._prepare, request))
        check_prepared(request, prepared)
        response = await self._fetch(prepared)
        # A signature that `prepare` added to the URL must not appear in items, or in
        # links of the page that are resolved against its URL.
        response.url = request.url
        return response


def check_prepared(request: Request, prepared: object) -> None:
    """Raise TypeError or ValueError if `prepared` cannot replace the request."""
    if not isinstance(prepared, Request):
        kind = type(prepared).__name__
        raise TypeError(
            f"the spider's prepare() returned a value of type {kind}, not a Request; "
            "return the request"
        )
    for what, of in (
        ("method", lambda each: each.method),
        ("origin", lambda each: urls.origin_of(each.url)),
        ("path", lambda each: each.url.partition("?")[0]),
    ):
        if of(prepared) != of(request):
            raise ValueError(
                f"the spider's prepare() changed the {what} of the request from "
                f"{of(request)} to {of(prepared)}; prepare() may only change headers, "
                "cookies, query, body, proxy and timeout. For another request, yield a "
                "Request in the callback"
            )
