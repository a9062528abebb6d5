"""The outermost layer of a run with layers that the user wrote: it turns their
exceptions into FetchErrors."""

from __future__ import annotations

from crawler.errors import Blame, FetchError, Reason
from crawler.layers.protocol import Fetch
from crawler.request import Request
from crawler.response import Response
from crawler.run.user_code import user_frame


class Translated:
    """Turns any exception of a user's layer into a FetchError that names the line in
    the user's code."""

    def __init__(self, fetch: Fetch, what: str = "a layer") -> None:
        self._fetch = fetch
        self._what = what

    async def __call__(self, request: Request, /) -> Response:
        try:
            return await self._fetch(request)
        except FetchError:
            raise
        except Exception as exc:
            where = user_frame(exc)
            detail = f"{self._what} raised {type(exc).__name__}: {exc}"
            raise FetchError(
                Reason.SPIDER_ERROR,
                detail + (f" ({where})" if where else ""),
                url=request.url,
                blame=Blame.CODE,
            ) from exc
