"""The body of a response: a connection fills it, one consumer reads it.

Received bytes are returned without waiting. With more than 256 KiB of unread bytes the
connection stops reading, so that a slow consumer slows down the peer (back-pressure).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

import httpx

from crawler.http.content_decoding import Decoder

__all__ = ["HIGH_WATER", "LOW_WATER", "Body", "BodySource"]

#: The connection stops reading above HIGH_WATER unread bytes, and resumes below
#: LOW_WATER.
HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024
#: If a chunk and its decoded pieces together reach this number of bytes, the rest of
#: the chunk is decoded in a thread.
_LARGE = 256 * 1024
_STEP = 1024 * 1024
#: An encoded body of up to this size is decoded on the event loop. Few bodies grow more
#: than tenfold, so this takes little time.
_SMALL_ENCODED = 64 * 1024


class BodySource(Protocol):
    """Receives a body's reports: how many bytes the consumer has read, and that the
    consumer has closed the body early."""

    def consumed(self, size: int) -> None: ...

    def abandon(self) -> None: ...


# The class has over 15 methods, because three sides use a body: the connection feeds
# the body, httpx reads it in pieces, and the crawl takes the body as a whole.
class Body(httpx.AsyncByteStream):
    """A response's body as an httpx stream.

    The connection calls `feed`, and then `end` or `fail`. The consumer iterates once,
    or takes the whole body if it has arrived, and closes it.
    """

    __slots__ = (
        "_chunks",
        "_decoder",
        "_error",
        "_kept",
        "_reader",
        "_source",
        "_taken",
        "is_complete",
        "queued",
        "received",
    )

    def __init__(self, source: BodySource) -> None:
        self._chunks: deque[bytes] = deque()
        self._decoder: Decoder | None = None
        self._error: Exception | None = None
        # The object that receives this body's reports. None once the body has ended,
        # because a reference cycle would delay freeing the memory.
        self._source: BodySource | None = source
        self._reader: asyncio.Future[None] | None = None
        self._taken = False
        self._kept: list[bytes] | None = None
        #: Whether the last byte has been received.
        self.is_complete = False
        #: Number of bytes that were received and that the consumer has not read yet.
        self.queued = 0
        #: Number of bytes received so far, before decoding.
        self.received = 0

    # Methods that the connection calls

    def decode_with(self, decoder: Decoder) -> None:
        """From now on, decode the body's Content-Encoding with this decoder."""
        self._decoder = decoder

    def feed(self, data: bytes) -> None:
        """Add bytes that the connection has received."""
        self._chunks.append(data)
        size = len(data)
        self.queued += size
        self.received += size
        if self._reader is not None:
            self._wake()

    def end(self) -> None:
        """Record that the last byte of the body has arrived."""
        self.is_complete = True
        self._source = None
        if self._reader is not None:
            self._wake()

    def end_by_coding(self) -> bool:
        """Let the decoder check whether the body is complete, because the connection
        may have been cut.

        Return False if the body has no encoding, because then its end is unknown.
        """
        if self._decoder is None or not self._decoder.has_codings:
            return False
        self._decoder.may_be_cut = True
        return True

    def fail(self, error: Exception) -> None:
        """End the body with an error. The consumer receives the error after all bytes
        that arrived before."""
        if not self.is_complete and self._error is None:
            self._error = error
            self._source = None
            if self._reader is not None:
                self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    # Methods that the consumer calls

    @property
    def is_failed(self) -> bool:
        return self._error is not None

    def take_complete(self) -> bytes | None:
        """Return the whole decoded body if it is complete and small, else None."""
        limit = _LARGE if self._decoder is None else _SMALL_ENCODED
        if not self.is_complete or self._taken or self.received > limit:
            return None
        self._taken = True
        chunks = self._chunks
        wire = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.queued = 0
        if self._kept is not None:
            self._kept.append(wire)
        return wire if self._decoder is None else self._decoder.complete(wire)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._taken:
            raise httpx.StreamConsumed
        small = self.take_complete()
        if small is not None:
            if small:
                yield small
            return
        self._taken = True
        try:
            async for piece in self._pieces():
                yield piece
        finally:
            self._let_go()

    async def _pieces(self) -> AsyncIterator[bytes]:
        decoder = self._decoder
        while True:
            chunk = await self._next()
            if chunk is None:
                break
            if decoder is None:
                yield chunk
                continue
            pieces = decoder.decode(chunk)
            async for piece in _in_steps(pieces, len(chunk)):
                yield piece
        if decoder is not None:
            decoder.finish()

    async def _next(self) -> bytes | None:
        chunks = self._chunks
        while not chunks:
            if self._error is not None:
                raise self._error
            if self.is_complete:
                return None
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        chunk = chunks.popleft()
        if len(chunks) > 16:
            # Join many small pieces, so that the consumer handles all in one step.
            chunk += b"".join(chunks)
            chunks.clear()
        self.queued -= len(chunk)
        if self._kept is not None:
            self._kept.append(chunk)
        if self._source is not None:
            self._source.consumed(len(chunk))
        return chunk

    def keep_transferred(self) -> None:
        """From now on, also keep the bytes as received, before decoding."""
        self._kept = []

    @property
    def transferred(self) -> bytes:
        """Return the undecoded bytes that the consumer has read since
        `keep_transferred`."""
        return b"".join(self._kept or ())

    async def aclose(self) -> None:
        self._taken = True
        self._chunks.clear()
        self.queued = 0
        self._let_go()

    def _let_go(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.abandon()


async def _in_steps(pieces: Iterator[bytes], size: int) -> AsyncIterator[bytes]:
    """Yield the decoded pieces of a chunk of `size` bytes. Once the chunk and its
    pieces reach 256 KiB together, the rest is decoded in a thread."""
    produced = size
    for piece in pieces:
        yield piece
        produced += len(piece)
        if produced >= _LARGE:
            break
    else:
        return
    loop = asyncio.get_running_loop()
    while batch := await loop.run_in_executor(None, _batch, pieces):
        for piece in batch:
            yield piece


def _batch(pieces: Iterator[bytes]) -> list[bytes]:
    produced, batch = 0, []
    for piece in pieces:
        batch.append(piece)
        produced += len(piece)
        if produced >= _STEP:
            break
    return batch
