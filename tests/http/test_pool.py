"""How requests get connections; a cancelled request leaves nothing open."""

import asyncio
import gc
import random
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import httptools
import httpx
import pytest

from crawler.http.options import Timeouts
from crawler.http.transfer import Transfer
from crawler.http.transport import Transport
from tests.http import frames
from tests.http.peers import CONCURRENT, Peer, peer
from tests.http.servers import (
    Served,
    answer,
    certificates,
    client,
    options,
    scripted,
    serve,
    sockets,
    until,
)


@asynccontextmanager
async def servers(count: int) -> AsyncIterator[list[Served]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(serve(scripted([answer()])))
            for _ in range(count)
        ]


class Gate:
    """A server that answers when it is told to, and counts who waits."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.waiting = 0

    async def __call__(
        self, served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            self.waiting += 1
            await self.open.wait()
            writer.write(answer())


async def test_no_more_connections_than_allowed_are_opened() -> None:
    gate = Gate()
    transport = Transport(options=options(max_connections=3))
    async with serve(gate) as served, client(transport) as http:
        requests = [asyncio.ensure_future(http.get(served.url)) for _ in range(10)]
        await until(lambda: gate.waiting == 3)
        assert transport.statistics().open_connections == 3
        gate.open.set()
        await asyncio.gather(*requests)

        assert served.connections == 3
        assert transport.statistics().pool_waits == 7


async def test_no_more_connections_to_one_origin_than_allowed_are_opened() -> None:
    transport = Transport(options=options(max_per_origin=2))
    async with servers(2) as sites, client(transport) as http:
        await asyncio.gather(*(http.get(site.url) for _ in range(10) for site in sites))

        assert [site.connections for site in sites] == [2, 2]


async def test_the_oldest_idle_connection_makes_room_for_a_new_one() -> None:
    transport = Transport(options=options(max_connections=3))
    async with servers(5) as sites, client(transport) as http:
        for site in sites:
            await http.get(site.url)
        assert transport.statistics().open_connections == 3
        for site in reversed(sites):
            await http.get(site.url)

        assert [site.connections for site in sites] == [2, 2, 1, 1, 1]
        assert transport.statistics().pool_waits == 0


async def test_an_origin_without_connections_gets_the_place_of_one_with_many() -> None:
    gate = Gate()
    transport = Transport(options=options(max_connections=4))
    async with serve(gate) as busy, servers(1) as (other,), client(transport) as http:
        many = [asyncio.ensure_future(http.get(busy.url)) for _ in range(40)]
        await until(lambda: gate.waiting == 4)
        late = asyncio.ensure_future(http.get(other.url))
        await asyncio.sleep(0)
        gate.open.set()
        await late

        assert sum(request.done() for request in many) < 40
        await asyncio.gather(*many)


async def test_a_request_waits_at_most_for_the_pool_timeout() -> None:
    gate = Gate()
    transport = Transport(
        options=options(max_connections=1, timeouts=Timeouts(pool=0.3))
    )
    async with serve(gate) as served, client(transport) as http:
        first = asyncio.ensure_future(http.get(served.url))
        await until(lambda: gate.waiting == 1)
        with pytest.raises(httpx.PoolTimeout):
            await http.get(served.url)
        gate.open.set()

        assert (await first).text == "page"


async def test_idle_connections_are_closed_after_a_while() -> None:
    transport = Transport(options=options(keepalive=0.2))
    async with servers(3) as sites, client(transport) as http:
        for site in sites:
            await http.get(site.url)
        assert transport.statistics().idle_connections == 3
        await until(lambda: not transport.statistics().open_connections)


def parsers() -> int:
    """How many parsers of HTTP/1.1 there are in this process."""
    kind = httptools.HttpResponseParser
    return sum(type(thing) is kind for thing in gc.get_objects())


async def test_an_idle_connection_frees_its_parser_and_is_used_again() -> None:
    transport = Transport(options=options())
    gc.collect()
    others = parsers()
    async with servers(2) as sites, client(transport) as http:
        for site in sites:
            await http.get(site.url)
        assert parsers() == others + 2
        await until(lambda: parsers() <= others)
        for site in sites:
            assert (await http.get(site.url)).text == "page"
        assert transport.statistics().connections == 2


@contextmanager
def few_files(count: int) -> Iterator[None]:
    """A process that may open no more files than these."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_sockets_count_towards_the_limit_on_open_files() -> None:
    with few_files(40):
        transport = Transport(options=options(max_connections=1000))
    async with serve(scripted([answer()])) as served, client(transport) as http:
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(200)))

        assert {response.status_code for response in responses} == {200}
        assert served.connections == 8


async def test_a_connection_that_is_being_closed_counts_as_an_open_file() -> None:
    most: list[int] = []

    async def deaf(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        most.append(len(sockets() - before))
        writer.write(answer())
        if head.startswith(b"POST"):
            await asyncio.Event().wait()

    with few_files(34):
        transport = Transport(options=options())
    async with serve(deaf) as served, client(transport) as http:
        before = sockets()
        for _ in range(2):
            await http.post(served.url, content=bytes(30_000_000))
        assert (await http.get(served.url)).text == "page"

        assert max(most) == 2
        assert transport.statistics().pool_waits == 1


async def test_requests_that_wait_for_the_limit_of_an_origin_are_counted() -> None:
    context = certificates().server("http/1.1")
    trusting = certificates().client()
    narrow = Transport(trusting, options=options(max_per_origin=2))
    wide = Transport(trusting, options=options())
    async with serve(scripted([answer()]), context) as served:
        for transport, waits in ((narrow, 4), (wide, 0)):
            async with client(transport) as http:
                await asyncio.gather(*(http.get(served.url) for _ in range(6)))

                assert transport.statistics().pool_waits == waits


@pytest.mark.parametrize(("limit", "waits"), [(1, 10), (100, 0)])
async def test_requests_that_wait_for_a_stream_are_counted(
    limit: int, waits: int
) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({CONCURRENT: limit})
        # So many are opened before the peer has said how many it takes.
        first = [(await peer.request())[0] for _ in range(10)]
        await peer.until(frames.SETTINGS)
        for stream_id in first:
            peer.answer(stream_id)
        await peer.go_on()

    transport = Transport(http1=False, options=options())
    async with peer(behaviour) as served, client(transport) as http:
        await asyncio.gather(*(http.get(served.url) for _ in range(20)))

        assert transport.statistics().pool_waits == waits


async def test_a_connection_attempt_without_waiting_requests_is_cancelled() -> None:
    async def silent(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()

    transport = Transport(verify=False, options=options(timeouts=Timeouts()))
    async with serve(silent) as served, client(transport) as http:
        request = asyncio.ensure_future(http.get(f"https://localhost:{served.port}/"))
        await until(lambda: served.connections == 1)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await until(lambda: "0 being opened" in repr(transport))


async def test_a_released_connection_goes_to_a_waiting_request() -> None:
    transport = Transport(options=options(max_connections=1))
    async with servers(1) as (site,), client(transport) as http:
        await asyncio.gather(*(http.get(site.url) for _ in range(50)))

        assert site.connections == 1


async def test_a_closed_transport_accepts_no_requests() -> None:
    transport = Transport(options=options())
    await transport.aclose()

    with pytest.raises(httpx.ConnectError, match="closed"):
        await transport.handle_async_request(httpx.Request("GET", "http://127.0.0.1/"))


async def test_requests_in_flight_fail_when_the_transport_is_closed() -> None:
    gate = Gate()
    transport = Transport(options=options())
    async with serve(gate) as served:
        http = httpx.AsyncClient(transport=transport)
        request = asyncio.ensure_future(http.get(served.url))
        await until(lambda: gate.waiting == 1)
        await transport.aclose()

        with pytest.raises(httpx.TransportError):
            await request
        await http.aclose()


async def restless(
    served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answers of all sizes, in pieces, now and then late."""
    chance = random.Random(served.connections)
    while True:
        await reader.readuntil(b"\r\n\r\n")
        size = chance.choice([0, 10, 1000, 100_000])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        writer.write(bytes(size))
        await writer.drain()


async def restless_peer(peer: Peer) -> None:
    """The same over HTTP/2."""
    chance = random.Random(peer.number)
    await peer.start({CONCURRENT: 20})
    while True:
        stream_id, _ = await peer.request()
        peer.head(stream_id)
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        peer.send(frames.data(stream_id, bytes(chance.randrange(9000)), is_last=False))
        peer.send(frames.data(stream_id, b"", is_last=True))
        await peer.writer.drain()


class Storm:
    """Requests, most of them cancelled at random moments, some of them twice."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self.http, self.url = http, url
        self.chance = random.Random(5)
        self.finished = self.cancelled = 0

    async def blow(self, count: int) -> None:
        """Go on until so many requests have been cancelled."""
        await asyncio.gather(*(self.worker(count) for _ in range(40)))

    async def worker(self, count: int) -> None:
        while self.cancelled < count:
            request = asyncio.ensure_future(self.request())
            await self.turns()
            for _ in range(self.chance.randrange(3)):
                request.cancel()
                await self.turns()
            await asyncio.wait([request])
            if request.cancelled():
                self.cancelled += 1
            else:
                request.result()

    async def request(self) -> None:
        if self.chance.random() < 0.3:
            async with self.http.stream("GET", self.url) as response:
                await self.turns()
                async for _ in response.aiter_raw():
                    break
        else:
            await self.http.get(self.url)
        self.finished += 1

    async def turns(self) -> None:
        for _ in range(self.chance.randrange(12)):
            await asyncio.sleep(0)


async def weather_a_storm(
    served: Served, transport: Transport, cancellations: int
) -> None:
    """Whatever is cancelled, nothing is left of it and the next request works."""
    async with client(transport) as http:
        storm = Storm(http, served.url)
        await storm.blow(cancellations)
        assert storm.finished > 0
        await until(lambda: is_at_rest(transport))
        await until(lambda: "0 being opened" in repr(transport))

        assert (await http.get(served.url)).status_code == 200
        await until(nothing_is_remembered)


def nothing_is_remembered() -> bool:
    gc.collect()
    return not any(isinstance(left, Transfer) for left in gc.get_objects())


async def storm_over_http1(cancellations: int) -> None:
    async with serve(restless) as served:
        transport = Transport(options=options(max_connections=30))
        await weather_a_storm(served, transport, cancellations)


async def storm_over_http2(cancellations: int) -> None:
    async with peer(restless_peer) as served:
        transport = Transport(http1=False, options=options())
        await weather_a_storm(served, transport, cancellations)


async def storm_over_tls(cancellations: int) -> None:
    """Most of it in handshakes, which end in the one protocol or the other."""

    async def brief(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"page", "Connection: close"))
        await writer.drain()

    for protocol, handler in (("http/1.1", brief), ("h2", by_alpn)):
        context = certificates().server(protocol)
        async with serve(handler, context) as served:
            transport = Transport(
                certificates().client(), options=options(max_connections=10)
            )
            await weather_a_storm(served, transport, cancellations)


async def by_alpn(
    served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await restless_peer(Peer(served, reader, writer))


@pytest.mark.parametrize("storm", [storm_over_http1, storm_over_http2])
async def test_ten_thousand_cancellations_leak_nothing(
    storm: Callable[[int], Awaitable[None]],
) -> None:
    await storm(10_000)


async def test_cancellations_in_handshakes_leak_nothing() -> None:
    await storm_over_tls(300)


def test_cancellations_leak_nothing_on_uvloop_either() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        await storm_over_http1(1000)
        await storm_over_http2(1000)
        await storm_over_tls(100)

    uvloop.run(main())


def is_at_rest(transport: Transport) -> bool:
    now = transport.statistics()
    return now.open_connections == now.idle_connections
