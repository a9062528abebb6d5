"""A response body that calls a function for each piece that arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from crawler.message.received import BodyStream


class ProgressBody:
    """A response body that calls `tell` for each piece of data that arrives, before it
    returns the piece."""

    def __init__(self, body: BodyStream, tell: Callable[[], None]) -> None:
        self._body = body
        self._tell = tell

    @property
    def received(self) -> int:
        return self._body.received

    def take_complete(self) -> bytes | None:
        return self._body.take_complete()

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            self._tell()
            yield piece

    def keep_transferred(self) -> None:
        self._body.keep_transferred()

    @property
    def transferred(self) -> bytes:
        return self._body.transferred

    async def aclose(self) -> None:
        await self._body.aclose()
