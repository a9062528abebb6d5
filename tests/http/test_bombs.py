"""Bodies and heads that would exhaust the memory of a client, by both protocols."""

import asyncio
import contextlib
import gzip
import itertools
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import brotli  # type: ignore[import-untyped]
import httpx
import pytest

from crawler.http.content_decoding import Bounds
from crawler.http.errors import BombError, HeaderTooLargeError, TooLargeError
from crawler.http.transport import Transport
from tests.http import frames
from tests.http.peers import Peer, peer
from tests.http.servers import Served, client, options, serve

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MiB = 1024 * 1024

Fields = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    """What a server says, whichever protocol it says it in."""

    fields: Fields
    #: Sent over and over if it is endless.
    body: bytes = b""
    is_endless: bool = False


def over_http1(said: Answer) -> AbstractAsyncContextManager[Served]:
    async def handler(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            request = await reader.readuntil(b"\r\n\r\n")
            served.requests.append(request.split()[1].decode())
            if b"/healthy" in request:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage")
                continue
            lines = b"".join(b"%b: %b\r\n" % field for field in said.fields)
            writer.write(b"HTTP/1.1 200 OK\r\n" + lines)
            if said.is_endless:
                writer.write(b"\r\n")
                while True:
                    writer.write(said.body)
                    await writer.drain()
            writer.write(b"Content-Length: %d\r\n\r\n" % len(said.body) + said.body)
            await writer.drain()

    return serve(handler)


def over_http2(said: Answer) -> AbstractAsyncContextManager[Served]:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        while True:
            stream_id, request = await peer.request()
            if request[b":path"] == b"/healthy":
                peer.answer(stream_id)
                continue
            peer.head(stream_id, (b":status", b"200"), *said.fields)
            await send_body(peer, stream_id, said)

    return peer(behaviour)


async def send_body(peer: Peer, stream_id: int, said: Answer) -> None:
    """As much as the client's windows take, until it has all or wants no more."""
    pieces = [said.body[at : at + 16_384] for at in range(0, len(said.body), 16_384)]
    window = 512 * 1024  # of the stream; the connection's is larger
    for piece in itertools.cycle(pieces) if said.is_endless else pieces:
        while window < len(piece):
            got = await peer.frame()
            if got.stream_id != stream_id:
                continue
            if got.type == frames.RST_STREAM:
                return
            window += int.from_bytes(got.payload, "big")
        window -= len(piece)
        peer.send(frames.data(stream_id, piece, is_last=False))
        await peer.writer.drain()
    peer.send(frames.data(stream_id, b"", is_last=True))


Over = Callable[[Answer], AbstractAsyncContextManager[Served]]
protocols = pytest.mark.parametrize("over", [over_http1, over_http2])


@asynccontextmanager
async def asking(
    over: Over, said: Answer, **changes: object
) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A client of the server; once the block ends it has to reach a healthy page."""
    transport = Transport(http1=over is over_http1, options=options(**changes))
    async with over(said) as served, client(transport) as http:
        yield http, served.url
        assert (await http.get(f"{served.url}/healthy")).text == "page"
        assert transport.statistics().open_connections == 1


@contextlib.contextmanager
def little_memory(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def fast_brotli(data: bytes) -> bytes:
    return bytes(brotli.compress(data, quality=1))


ZEROS = bytes(32 * MiB)
BOMBS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,  # without its frame; names know no case
    "br": fast_brotli,
    "zstd": zstd.compress,
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
    "br, gzip": lambda data: gzip.compress(fast_brotli(data)),
    "zstd, br": lambda data: fast_brotli(zstd.compress(data)),
    "deflate, zstd": lambda data: zstd.compress(zlib.compress(data)),
}


@protocols
@pytest.mark.parametrize("encoding", BOMBS)
async def test_a_decompression_bomb_takes_little_memory(
    over: Over, encoding: str
) -> None:
    fields = [(b"content-encoding", encoding.encode())]
    said = Answer(fields, BOMBS[encoding](ZEROS))

    async with asking(over, said) as (http, url):
        with little_memory(10 * MiB), pytest.raises(BombError):
            await http.get(url)


@protocols
async def test_an_unread_decompression_bomb_is_not_decoded(over: Over) -> None:
    said = Answer([(b"content-encoding", b"gzip")], gzip.compress(ZEROS))

    async with asking(over, said) as (http, url):
        with little_memory(2 * MiB):
            async with http.stream("GET", url) as response:
                assert response.status_code == 200


@protocols
async def test_an_endless_body_is_cut_and_takes_little_memory(over: Over) -> None:
    said = Answer([], bytes(65_536), is_endless=True)
    bounds = Bounds(max_body=64 * MiB)

    async with asking(over, said, bounds=bounds) as (http, url):
        sizes: list[int] = []

        async def read() -> None:
            async with http.stream("GET", url) as response:
                async for piece in response.aiter_raw():
                    sizes.append(len(piece))  # noqa: PERF401 - it raises in between

        with little_memory(8 * MiB), pytest.raises(TooLargeError):
            await read()
        assert sum(sizes) >= 63 * MiB


@protocols
async def test_ten_announced_gigabytes_are_rejected_at_once(over: Over) -> None:
    length = [(b"content-length", b"10000000000")]
    said = Answer(length, bytes(65_536), is_endless=True)

    async with asking(over, said) as (http, url):
        with pytest.raises(TooLargeError, match="has 10,000,000,000 bytes"):
            await http.get(url)


@protocols
async def test_a_head_has_a_maximum_size(over: Over) -> None:
    large = [(b"x-%d" % index, b"y" * 100) for index in range(400)]
    async with asking(over, Answer(large, b"page")) as (http, url):
        response = await http.get(url)

        assert response.headers["x-399"] == "y" * 100
    too_large = [(b"x-%d" % index, b"y" * 1000) for index in range(400)]
    transport = Transport(http1=over is over_http1, options=options())
    async with over(Answer(too_large)) as served, client(transport) as http:
        with pytest.raises(HeaderTooLargeError):
            await http.get(served.url)
        assert (await http.get(f"{served.url}/healthy")).text == "page"


@protocols
async def test_ten_thousand_header_fields_are_too_many(over: Over) -> None:
    said = Answer([(b"a", b"b")] * 10_000, b"page")

    transport = Transport(http1=over is over_http1, options=options())
    async with over(said) as served, client(transport) as http:
        with pytest.raises(HeaderTooLargeError):
            await http.get(served.url)
        assert (await http.get(f"{served.url}/healthy")).text == "page"
