"""The innermost fetch: the shared client, with credentials for the right origins."""

from __future__ import annotations

from collections.abc import Collection

from crawler.http import Client
from crawler.request import Request
from crawler.response import Response
from crawler.web import urls


class Wire:
    """Asks the client; its credentials go to `origins` only, and to no robots.txt."""

    def __init__(self, client: Client, origins: Collection[str]) -> None:
        self._client = client
        self._origins = origins

    async def __call__(self, request: Request, /) -> Response:
        is_ours = (
            request.purpose != "robots" and urls.origin_of(request.url) in self._origins
        )
        return await self._client.fetch(request, authorized=is_ours)
