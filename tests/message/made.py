"""Responses whose body comes in pieces, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx

from crawler import (
    Request,
    Response,
)
from crawler.http.response_body import HeadersHead

URL = "https://site.example/dir/page"


class Pieces:
    """A body that comes in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.received = 0
        self.is_closed = False
        self.transferred = b""

    def take_complete(self) -> bytes | None:
        return None

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.received += len(piece)
            yield piece

    def keep_transferred(self) -> None:
        raise AssertionError("no test asks for it")

    async def aclose(self) -> None:
        self.is_closed = True


def response(
    *pieces: bytes,
    kind: str = "text/html",
    request: Request | None = None,
    set_cookie: str = "",
) -> Response:
    fields = {"content-type": kind, "set-cookie": set_cookie}
    headers = httpx.Headers({name: value for name, value in fields.items() if value})
    return Response(request or Request(URL), 200, HeadersHead(headers), Pieces(*pieces))


async def read(*pieces: bytes, **options: Any) -> Response:
    made = response(*pieces, **options)
    await made.aread()
    return made
