"""Creates responses without the network, for caches, replayers and tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from crawler.http import Headers
from crawler.request import Request
from crawler.response import Response


def respond(
    request: Request,
    status_code: int = 200,
    headers: Iterable[tuple[str, str]] = (),
    content: bytes = b"",
    *,
    url: str | None = None,
    http_version: str = "HTTP/1.1",
) -> Response:
    """Return a response made without the network; `content` is the decoded body.

    No request is sent, so the next request to the host need not wait.
    """
    return Response(
        request,
        status_code,
        GivenHead(headers),
        GivenBody(content),
        url=url,
        http_version=http_version,
        is_from_wire=False,
        content=content,
    )


class GivenHead:
    """The header fields of a response that was made without the network."""

    __slots__ = ("_pairs", "headers")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = list(pairs)
        self.headers = Headers(self._pairs)

    @property
    def transferred(self) -> Sequence[tuple[bytes, bytes]]:
        return [(name.encode(), value.encode()) for name, value in self._pairs]

    def value(self, name: bytes) -> str | None:
        value: str | None = self.headers.get(name.decode())
        return value

    def values(self, name: bytes) -> tuple[bytes, ...]:
        raw = self.headers.raw
        return tuple(value for field, value in raw if field.lower() == name)


class GivenBody:
    """The body of a response that was made without the network."""

    __slots__ = ("_content", "received")

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.received = 0

    def take_complete(self) -> bytes | None:
        return self._content

    async def read(self) -> bytes:
        return self._content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._content:
            yield self._content

    def keep_transferred(self) -> None:
        pass

    @property
    def transferred(self) -> bytes:
        return self._content

    async def aclose(self) -> None:
        pass
