"""The innermost layer: sends requests with the shared HTTP client, and adds credentials
only for the right origins."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from crawler.http import Client
from crawler.layers.name_table import NameTable
from crawler.request import Request
from crawler.response import Response
from crawler.web import urls

_NO_CREDENTIALS: Mapping[str, str] = {}


class Wire:
    """Sends requests with the shared HTTP client.

    Credentials go only to `origins`, and never with robots.txt. `credentials` are
    Authorization headers by origin, from user and password in start URLs. A request
    fails at once if `names` knows that the lookup of its host has failed.
    """

    def __init__(
        self,
        client: Client,
        origins: Collection[str],
        credentials: Mapping[str, str] = _NO_CREDENTIALS,
        names: NameTable | None = None,
        identities: Collection[str] = (),
    ) -> None:
        self._names = names
        self._client = client
        self._origins = origins
        self._credentials = credentials
        #: Names of sessions that have their own connections.
        self._identities = frozenset(identities)

    async def __call__(self, request: Request, /) -> Response:
        names = self._names
        if names is not None and names.failures and not request.options.proxy:
            names.check(urls.host_of(request.url), request.url)
        if request.purpose == "robots":
            return await self._client.fetch(request, authorized=False)
        origin = urls.origin_of(request.url)
        is_ours = origin in self._origins
        own = request.options.authorization or self._credentials.get(origin)
        if own and not _is_authorized(request):
            request = request.with_headers({"Authorization": own})
        session = request.options.session
        partition = session if session in self._identities else ""
        return await self._client.fetch(
            request, authorized=is_ours, partition=partition
        )


def _is_authorized(request: Request) -> bool:
    return any(name.lower() == "authorization" for name, _ in request.options.headers)
