"""The innermost fetch: the shared client, with credentials for the right origins."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from crawler.http import Client
from crawler.request import Request
from crawler.response import Response
from crawler.web import urls

_NO_CREDENTIALS: Mapping[str, str] = {}


class Wire:
    """Asks the client; its credentials go to `origins` only, and to no robots.txt.

    `credentials` are Authorization headers by origin: user and password of start URLs.
    """

    def __init__(
        self,
        client: Client,
        origins: Collection[str],
        credentials: Mapping[str, str] = _NO_CREDENTIALS,
    ) -> None:
        self._client = client
        self._origins = origins
        self._credentials = credentials

    async def __call__(self, request: Request, /) -> Response:
        if request.purpose == "robots":
            return await self._client.fetch(request, authorized=False)
        origin = urls.origin_of(request.url)
        is_ours = origin in self._origins
        own = request.options.authorization or self._credentials.get(origin)
        if own and not _is_authorized(request):
            request = request.with_headers({"Authorization": own})
        return await self._client.fetch(request, authorized=is_ours)


def _is_authorized(request: Request) -> bool:
    return any(name.lower() == "authorization" for name, _ in request.options.headers)
