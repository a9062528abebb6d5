"""Limits the bandwidth of the whole crawl, with aiolimiter: a task that reads a body
waits until more bytes are allowed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiolimiter import AsyncLimiter

from crawler.layers.protocol import Fetch
from crawler.message.received import BodyStream
from crawler.request import Request
from crawler.response import Response

#: In seconds: the limiter's bucket holds the bytes of this period. With a larger bucket
#: the first second could receive twice the rate.
_PERIOD = 0.1


class Bandwidth:
    """Limits the crawl to `rate` bytes a second: a task that has read a part of a body
    waits before the next part."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.share(1)

    def share(self, workers: int) -> None:
        """Share the rate equally among this many processes."""
        self._bucket = max(1.0, self._rate / workers * _PERIOD)
        self._limiter = AsyncLimiter(self._bucket, _PERIOD)

    async def spend(self, amount: int) -> None:
        """Wait until `amount` more bytes are allowed."""
        left = float(amount)
        while left > 0:
            step = min(left, self._bucket)
            await self._limiter.acquire(step)
            left -= step


class Metered:
    """A layer that reads the bodies of responses at most at the crawl's bandwidth."""

    def __init__(self, fetch: Fetch, bandwidth: Bandwidth) -> None:
        self._fetch = fetch
        self._bandwidth = bandwidth

    async def __call__(self, request: Request, /) -> Response:
        response = await self._fetch(request)
        response.stream = MeteredBody(response.stream, self._bandwidth)
        return response


class MeteredBody:
    """A body that is read at most at the crawl's bandwidth."""

    def __init__(self, body: BodyStream, bandwidth: Bandwidth) -> None:
        self._body = body
        self._bandwidth = bandwidth
        self._spent = 0

    @property
    def received(self) -> int:
        return self._body.received

    def take_complete(self) -> bytes | None:
        return None  # even a complete body must wait for its share of the bandwidth

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            owed, self._spent = self.received - self._spent, self.received
            await self._bandwidth.spend(owed)
            yield piece

    def keep_transferred(self) -> None:
        self._body.keep_transferred()

    @property
    def transferred(self) -> bytes:
        return self._body.transferred

    async def aclose(self) -> None:
        await self._body.aclose()
