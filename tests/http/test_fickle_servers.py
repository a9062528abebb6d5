"""Servers that end streams and connections at any moment, under load."""

import asyncio
import random
import ssl
from collections import Counter

import httpx
import pytest
from h2.errors import ErrorCodes

from crawler.http.errors import ResetError, TruncatedError
from crawler.http.transport import Transport
from tests.http import frames
from tests.http.peers import CONCURRENT, Peer, peer
from tests.http.servers import (
    Served,
    answer,
    certificates,
    client,
    options,
    reset,
    serve,
    until,
)

WORKERS = 20


async def ask(http: httpx.AsyncClient, url: str, count: int) -> Counter[str]:
    """So many requests by some workers; how each of them ended."""
    ends: Counter[str] = Counter()

    async def worker() -> None:
        for index in range(count // WORKERS):
            try:
                response = await http.get(f"{url}/{index}")
                ends[response.text] += 1
            except httpx.HTTPError as exc:
                ends[type(exc).__name__] += 1

    await asyncio.gather(*(worker() for _ in range(WORKERS)))
    return ends


def tls() -> ssl.SSLContext:
    return certificates().server("http/1.1")


@pytest.mark.parametrize("make_context", [lambda: None, tls], ids=["clear", "tls"])
async def test_connections_that_end_at_any_moment_fail_no_request(
    make_context: object,
) -> None:
    async def fickle(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        chance = random.Random(served.connections)
        count = chance.randrange(1, 12)
        for _ in range(count):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer())
            await writer.drain()
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)
        # A reset may overtake an answer. A connection's first is not asked for again.
        if count > 1 and chance.random() < 0.5:
            reset(writer)

    context = make_context()  # type: ignore[operator]
    transport = Transport(certificates().client(), options=options())
    async with serve(fickle, context) as served, client(transport) as http:
        # Without a count in the answer nobody can know that it was the last.
        assert await ask(http, served.url, 1000) == {"page": 1000}
        assert served.connections > 50


async def test_many_resets_end_each_request_once_and_leave_nothing() -> None:
    """At every moment of a stream, with every code."""

    async def stormy(peer: Peer) -> None:
        chance = random.Random(peer.number)
        await peer.start({CONCURRENT: 100})
        while True:
            stream_id, _ = await peer.request()
            code = chance.choice(list(ErrorCodes))
            if code == ErrorCodes.HTTP_1_1_REQUIRED:
                code = ErrorCodes.CANCEL
            moment = chance.randrange(5)
            if moment > 0:
                peer.head(stream_id)
            if moment > 1:
                peer.send(frames.data(stream_id, b"pa", is_last=False))
            if moment > 2:
                peer.send(frames.data(stream_id, b"ge", is_last=moment > 3))
            if moment < 4:
                peer.send(frames.reset(stream_id, code))
            await peer.writer.drain()

    transport = Transport(http1=False, options=options())
    async with peer(stormy) as served, client(transport) as http:
        ends = await ask(http, served.url, 3000)

        assert set(ends) == {"page", TruncatedError.__name__, ResetError.__name__}
        assert ends["page"] > 500
        assert ends.total() == 3000
        # Only what was refused was asked for again, once each.
        assert len(served.requests) == 3000 + transport.statistics().resent
        assert served.connections == 1
        await until(lambda: transport.statistics().idle_connections == 1)


async def test_connections_that_break_at_any_moment_are_replaced() -> None:
    async def breaking(peer: Peer) -> None:
        chance = random.Random(peer.number)
        await peer.start({CONCURRENT: 100})
        for _ in range(chance.randrange(20, 60)):
            stream_id, _ = await peer.request()
            peer.answer(stream_id)
        if chance.random() < 0.5:
            reset(peer.writer)

    transport = Transport(http1=False, options=options())
    async with peer(breaking) as served, client(transport) as http:
        ends = await ask(http, served.url, 1000)

        # One request is sent at most three times; its last try may break as well.
        assert set(ends) <= {"page", ResetError.__name__, TruncatedError.__name__}
        assert ends["page"] > 500
        assert transport.statistics().fallbacks == 0
        await until(lambda: transport.statistics().open_connections <= 1)
