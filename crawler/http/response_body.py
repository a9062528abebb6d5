"""The body of one response from any transport, decoded and size-limited."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

import httpx
import msgspec

from crawler.errors import FetchError, Reason
from crawler.http.body import Body
from crawler.http.content_decoding import Bounds, Decoder
from crawler.http.errors import fetch_error_of

#: A transport that has already decoded the body sets this key in `response.extensions`.
DECODED = "crawler"


class LowestRate(msgspec.Struct, frozen=True):
    """The lowest allowed rate of a body: `rate` bytes a second, measured over each
    `window` of seconds."""

    rate: int = 1000
    window: float = 30.0


class FieldsHead:
    """The header fields of a response as received; httpx's Headers are built on first
    use."""

    __slots__ = ("_by_name", "_fields", "_headers", "transferred")

    def __init__(
        self,
        fields: Sequence[tuple[bytes, bytes]],
        transferred: Sequence[tuple[bytes, bytes]],
    ) -> None:
        self._fields = fields
        self.transferred = transferred
        self._headers: httpx.Headers | None = None
        self._by_name: dict[bytes, tuple[bytes, ...]] | None = None

    def value(self, name: bytes) -> str | None:
        found = self.values(name)
        return _text(found[0]) if found else None

    def values(self, name: bytes) -> tuple[bytes, ...]:
        by_name = self._by_name
        if by_name is None:
            # One pass over the fields is faster than one pass for each lookup.
            fields = self._fields
            by_name = {field.lower(): (value,) for field, value in fields}
            if len(by_name) < len(fields):  # a field name appears twice
                by_name = {}
                for field, value in fields:
                    lower = field.lower()
                    by_name[lower] = (*by_name.get(lower, ()), value)
            self._by_name = by_name
        return by_name.get(name, ())

    @property
    def headers(self) -> httpx.Headers:
        if self._headers is None:
            self._headers = httpx.Headers(list(self._fields))
        return self._headers


class HeadersHead:
    """The header fields of a response that httpx has parsed."""

    __slots__ = ("headers",)

    def __init__(self, headers: httpx.Headers) -> None:
        self.headers = headers

    @property
    def transferred(self) -> Sequence[tuple[bytes, bytes]]:
        return self.headers.raw

    def value(self, name: bytes) -> str | None:
        value: str | None = self.headers.get(name.decode())
        return value

    def values(self, name: bytes) -> tuple[bytes, ...]:
        raw = self.headers.raw
        return tuple(value for field, value in raw if field.lower() == name)


class TransportBody:
    """The body from the project's own transport; errors are FetchErrors."""

    __slots__ = ("_stream", "_url")

    def __init__(self, stream: Body, url: str) -> None:
        self._stream = stream
        self._url = url

    @property
    def received(self) -> int:
        return self._stream.received

    def take_complete(self) -> bytes | None:
        try:
            return self._stream.take_complete()
        except httpx.HTTPError as exc:
            raise fetch_error_of(exc, self._url) from exc

    async def read(self) -> bytes:
        pieces = [piece async for piece in self]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                yield piece
        except httpx.HTTPError as exc:
            raise fetch_error_of(exc, self._url) from exc

    def keep_transferred(self) -> None:
        self._stream.keep_transferred()

    @property
    def transferred(self) -> bytes:
        return self._stream.transferred

    async def aclose(self) -> None:
        await self._stream.aclose()


class ExchangeBody:
    """The body of a response from another transport than the crawler's own, such as one
    that the user passes. It can be read at most once. Errors are raised as FetchErrors.
    """

    def __init__(
        self, answer: httpx.Response, bounds: Bounds, pace: LowestRate
    ) -> None:
        self._answer = answer
        self._pace = pace
        self._marked, self._marked_at = time.monotonic(), 0
        self._kept: bytearray | None = None
        self._url = str(answer.request.url)
        names = answer.headers.get("content-encoding", "")
        if DECODED in answer.extensions or answer.request.method == "HEAD":
            names = ""
        length = answer.headers.get("content-length", "")
        if length.isdecimal() and int(length) > bounds.max_body:
            detail = (
                f"The response's body has {int(length):,} bytes; to allow over "
                f"{bounds.max_body:,} bytes, raise http.max_body"
            )
            raise FetchError(Reason.TOO_LARGE, detail, url=self._url)
        try:
            self._decoder = Decoder(names.split(",") if names else (), bounds)
        except httpx.DecodingError as exc:
            raise fetch_error_of(exc, self._url) from exc

    @property
    def received(self) -> int:
        complete = self.take_complete()
        return self._decoder.received if complete is None else len(complete)

    def take_complete(self) -> bytes | None:
        """Return the whole body if an event hook or the transport has already read it,
        else None."""
        if self._answer.is_stream_consumed and hasattr(self._answer, "_content"):
            return self._answer.content  # a hook has made httpx decode the body
        return None

    async def read(self) -> bytes:
        pieces = [piece async for piece in self]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self.take_complete()
        if content is not None:
            yield content
            return
        decoder = self._decoder
        stream = self._answer.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        try:
            async for chunk in stream:
                self._check_pace()
                if self._kept is not None:
                    self._kept += chunk
                for piece in decoder.decode(chunk):
                    yield piece
            decoder.finish()
        except httpx.HTTPError as exc:
            raise fetch_error_of(exc, self._url) from exc
        finally:
            await self.aclose()

    def _check_pace(self) -> None:
        """Check the rate in each time window separately, so that a fast beginning does
        not hide a later stall."""
        now, pace = time.monotonic(), self._pace
        if now - self._marked < pace.window:
            return
        brought = self.received - self._marked_at
        if brought < pace.rate * (now - self._marked):
            detail = (
                f"Only {brought:,} bytes of the response's body arrived in "
                f"{now - self._marked:.0f} s; http.min_rate asks for "
                f"{pace.rate:,.0f} bytes a second"
            )
            raise FetchError(Reason.TOO_SLOW, detail, url=self._url)
        self._marked, self._marked_at = now, self.received

    def keep_transferred(self) -> None:
        self._kept = bytearray()

    @property
    def transferred(self) -> bytes:
        return bytes(self._kept or b"")

    async def aclose(self) -> None:
        await self._answer.aclose()


def _text(value: bytes) -> str:
    # Decode the header value as httpx does: as Latin-1 if the value is not UTF-8 (RFC
    # 9110 section 5.5).
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
