"""The byte stream to a proxy while a tunnel is being opened."""

from __future__ import annotations

import asyncio
import re
from typing import cast

from crawler.http.errors import ProxyError

__all__ = ["ProxyWire"]

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class ProxyWire(asyncio.Protocol):
    """The connection to a proxy until its tunnel is open. The caller reads a given
    number of bytes, or all bytes up to the end of a response's head."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self._received = b""
        self._reader: asyncio.Future[None] | None = None
        self._is_over = False

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    async def read(self, size: int) -> bytes:
        """Read exactly `size` bytes. Raise ConnectionError if the proxy closes the
        connection first."""
        while len(self._received) < size:
            await self._more()
        data, self._received = self._received[:size], self._received[size:]
        return data

    async def read_head(self, most: int) -> bytes:
        """Read a response's head with its empty line. Raise ProxyError if the head is
        larger than `most` bytes."""
        while (end := _END_OF_HEAD.search(self._received)) is None:
            if len(self._received) > most:
                raise ProxyError(
                    f"The proxy answered with a head of over {most:,} bytes; use "
                    "another proxy"
                )
            await self._more()
        return await self.read(end.end())

    def take_rest(self) -> bytes:
        """Return the bytes received beyond those that were read."""
        rest, self._received = self._received, b""
        return rest

    async def _more(self) -> None:
        if self._is_over:
            raise ConnectionResetError(
                "The proxy closed the connection before it answered"
            )
        self._reader = asyncio.get_running_loop().create_future()
        await self._reader

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast is needed, because uvloop's transports are not subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._wake()

    def eof_received(self) -> None:
        self._is_over = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)
