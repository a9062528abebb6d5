import asyncio
import gzip
import random

import httpx
import pytest

from crawler.http.body import Body
from crawler.http.content_decoding import Bounds, Decoder
from crawler.http.errors import TruncatedError


class Source:
    def __init__(self) -> None:
        self.consumed_bytes = 0
        self.is_abandoned = False

    def consumed(self, size: int) -> None:
        self.consumed_bytes += size

    def abandon(self) -> None:
        self.is_abandoned = True


async def whole(body: Body) -> bytes:
    return b"".join([piece async for piece in body])


async def test_a_small_complete_body_is_returned_at_once() -> None:
    body = Body(Source())
    body.feed(b"pa")
    body.feed(b"ge")
    assert body.take_complete() is None
    body.end()

    assert body.take_complete() == b"page"
    assert body.take_complete() is None


async def test_a_large_or_incomplete_body_is_read_instead() -> None:
    body = Body(Source())
    body.feed(bytes(300_000))
    body.end()

    assert body.take_complete() is None
    assert len(await whole(body)) == 300_000


async def test_a_body_is_read_as_it_arrives() -> None:
    source = Source()
    body = Body(source)
    reading = asyncio.ensure_future(whole(body))
    for index in range(50):
        body.feed(b"%d " % index)
        await asyncio.sleep(0)
    body.end()

    text = await reading

    assert text.split() == [b"%d" % index for index in range(50)]
    assert 0 < source.consumed_bytes <= len(text)
    assert not source.is_abandoned


async def test_a_body_can_be_read_only_once() -> None:
    body = Body(Source())
    body.end()
    await whole(body)

    with pytest.raises(httpx.StreamConsumed):
        await whole(body)


async def test_data_before_an_error_is_returned_first() -> None:
    body = Body(Source())
    body.feed(b"page")
    body.fail(TruncatedError("cut"))
    seen: list[bytes] = []

    async def read() -> None:
        async for piece in body:
            seen.append(piece)  # noqa: PERF401 - it raises in between

    with pytest.raises(TruncatedError):
        await read()
    assert seen == [b"page"]


async def test_a_body_closed_early_is_abandoned() -> None:
    source = Source()
    body = Body(source)
    body.feed(b"page")

    await body.aclose()

    assert source.is_abandoned
    assert body.queued == 0


async def test_a_reader_that_is_cancelled_leaves_a_body_that_can_be_closed() -> None:
    source = Source()
    body = Body(source)
    reading = asyncio.ensure_future(whole(body))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    await body.aclose()

    assert source.is_abandoned


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_a_body_is_decoded_on_the_loop_or_in_a_thread(size: int) -> None:
    page = random.Random(7).randbytes(size // 10) * 10
    body = Body(Source())
    body.decode_with(Decoder(["gzip"], Bounds()))
    wire = gzip.compress(page)
    for start in range(0, len(wire), 5000):
        body.feed(wire[start : start + 5000])
    body.end()

    assert await whole(body) == page


async def test_a_body_cut_within_its_encoding_is_truncated() -> None:
    body = Body(Source())
    body.decode_with(Decoder(["gzip"], Bounds()))
    body.feed(gzip.compress(b"page")[:-9])
    body.end()

    with pytest.raises(TruncatedError):
        body.take_complete()
