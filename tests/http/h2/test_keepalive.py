"""Peers that are gone without closing the connection: silent, not reading, or both."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from h2.settings import SettingCodes

from crawler.http.errors import DeadlineError
from crawler.http.options import Timeouts
from crawler.http.transport import Transport
from tests.http import frames
from tests.http.peers import Peer, at_first, frame, peer
from tests.http.servers import (
    Served,
    answer,
    client,
    options,
    serve,
    sockets,
    until,
)

#: Long enough that only the PING can have ended anything.
PATIENT = Timeouts(connect=5, read=60, write=60, pool=60)


def h2c(**changes: object) -> Transport:
    settings = {"silence": 0.3, "timeouts": PATIENT, **changes}
    return Transport(http1=False, options=options(**settings))


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_requests_that_wait_for_a_dead_peer_are_sent_on_a_new_connection() -> (
    None
):
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        for _ in range(5):
            await peer.request()
        await for_ever()

    transport = h2c()
    async with peer(at_first(behaviour)) as served, client(transport) as http:
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(5)))

        assert {response.text for response in responses} == {"page"}
        assert served.connections == 2
        assert transport.statistics().resent == 5
        assert transport.statistics().open_connections == 1
        assert transport.statistics().fallbacks == 0


async def test_a_slow_response_is_awaited_while_the_peer_acknowledges_pings() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        for _ in range(3):
            ping = await peer.until(frames.PING)
            peer.send(frame(frames.PING, frames.ACK, 0, ping.payload))
        peer.answer(stream_id)
        await peer.go_on()

    transport = h2c()
    async with peer(behaviour) as served, client(transport) as http:
        assert (await http.get(served.url)).text == "page"
        assert (await http.get(served.url)).text == "page"
        assert served.connections == 1
        assert len(served.requests) == 2


async def test_a_peer_that_died_while_idle_loses_no_request() -> None:
    first_frames: list[int] = []

    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.answer(stream_id)
        await peer.until(frames.SETTINGS)
        first_frames.extend([(await peer.frame()).type for _ in range(2)])
        await for_ever()

    transport = h2c()
    async with peer(at_first(behaviour)) as served, client(transport) as http:
        assert (await http.get(served.url)).text == "page"
        await asyncio.sleep(0.6)  # idle, and silent for longer than it may be
        assert (await http.get(served.url)).text == "page"

        assert first_frames == [frames.PING, frames.HEADERS]
        assert served.connections == 2


async def test_an_idle_living_peer_is_used_at_once() -> None:
    async def behaviour(peer: Peer) -> None:
        await (await peer.start()).go_on()

    transport = h2c()
    async with peer(behaviour) as served, client(transport) as http:
        assert (await http.get(served.url)).text == "page"
        await asyncio.sleep(0.6)  # idle, and silent for longer than it may be
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(5)))

        assert {response.text for response in responses} == {"page"}
        assert served.connections == 1


async def test_a_request_that_may_have_been_processed_is_not_sent_again() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        await peer.request()
        await for_ever()

    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        with pytest.raises(httpx.ReadTimeout, match="PING"):
            await http.post(served.url, content=b"once")
        assert len(served.requests) == 1
        assert (await http.get(served.url)).text == "page"


async def test_no_request_is_added_to_a_silent_connection() -> None:
    asked = asyncio.Event()

    async def behaviour(peer: Peer) -> None:
        await peer.start()
        await peer.request()
        await peer.until(frames.PING)
        asked.set()
        await for_ever()

    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        waiting = asyncio.ensure_future(http.get(served.url))
        await asked.wait()

        joined = await http.post(served.url, content=b"once")

        assert joined.text == "page"
        assert (await waiting).text == "page"
        assert len(served.requests) == 3


async def test_a_peer_that_only_acknowledges_pings_causes_a_read_timeout() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        while True:
            await peer.request()  # which answers PINGs meanwhile

    timeouts = Timeouts(connect=5, read=1.0, pool=5)
    async with peer(behaviour) as served, client(h2c(timeouts=timeouts)) as http:
        with pytest.raises(httpx.ReadTimeout, match="No part of the response arrived"):
            await http.get(served.url)
        assert served.connections == 1


async def test_a_peer_that_never_sends_anything_causes_a_read_timeout() -> None:
    async def behaviour(peer: Peer) -> None:
        await for_ever()

    timeouts = Timeouts(connect=5, read=1.0, pool=5)
    async with peer(behaviour) as served, client(h2c(timeouts=timeouts)) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get(served.url)
        assert served.connections == 1


async def test_a_body_that_breaks_off_in_silence_is_not_a_page() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id)
        peer.send(frames.data(stream_id, b"pa", is_last=False))
        await for_ever()

    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        with pytest.raises(httpx.RemoteProtocolError, match="PING"):
            await http.get(served.url)
        assert (await http.get(served.url)).text == "page"


async def test_a_drained_body_keeps_its_time_while_the_peer_is_pinged() -> None:
    release = asyncio.Event()

    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id, (b":status", b"200"), (b"content-length", b"4"))
        for _ in range(2):
            ping = await peer.until(frames.PING)
            peer.send(frame(frames.PING, frames.ACK, 0, ping.payload))
        peer.send(frames.data(stream_id, b"page", is_last=True))
        release.set()
        await peer.go_on()

    async with peer(behaviour) as served, client(h2c()) as http:
        async with http.stream("GET", served.url):
            pass
        await release.wait()
        assert (await http.get(served.url)).text == "page"
        assert served.connections == 1


async def test_a_server_that_responds_but_stops_reading_gets_no_new_request() -> None:
    async def deaf(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        served.requests.append(head.split()[0].decode())
        if head.startswith(b"POST"):
            writer.write(answer(b"too much", status="413 Content Too Large"))
            await for_ever()
        writer.write(answer())

    transport = Transport(options=options())
    async with serve(deaf) as served, client(transport) as http:
        before = sockets()
        posted = await http.post(served.url, content=bytes(30_000_000))
        following = await http.get(served.url)

        assert (posted.status_code, following.text) == (413, "page")
        assert served.connections == 2
        # What was never read does not keep the socket.
        await until(lambda: sockets() == before)


def kept() -> bytes:
    return bytes(30_000_000)


async def streamed() -> AsyncIterator[bytes]:
    for _ in range(300):
        yield bytes(100_000)


contents = pytest.mark.parametrize("content", [kept, streamed])


@contents
async def test_a_server_that_stops_reading_causes_a_write_timeout_over_http1(
    content: Callable[[], bytes | AsyncIterator[bytes]],
) -> None:
    async def deaf(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            await for_ever()
        writer.write(answer())
        await for_ever()

    timeouts = Timeouts(connect=5, write=0.4, read=30, pool=5)
    transport = Transport(options=options(timeouts=timeouts))
    async with serve(deaf) as served, client(transport) as http:
        before = sockets()
        with pytest.raises(httpx.WriteTimeout):
            await http.post(served.url, content=content())
        await until(lambda: sockets() == before)
        assert (await http.get(served.url)).text == "page"


async def test_a_server_that_reads_a_request_slowly_is_awaited() -> None:
    async def slow(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = 30_000_000
        while left:
            left -= len(await reader.read(min(left, 2**20)))
            await asyncio.sleep(0.03)
        writer.write(answer(b"all of it"))
        await for_ever()

    timeouts = Timeouts(connect=5, write=0.4, read=0.6, pool=5)
    transport = Transport(options=options(timeouts=timeouts))
    async with serve(slow) as served, client(transport) as http:
        # It takes longer than either timeout, and never stops for as long.
        assert (await http.post(served.url, content=kept())).text == "all of it"


@contents
async def test_a_window_that_never_opens_causes_a_write_timeout(
    content: Callable[[], bytes | AsyncIterator[bytes]],
) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        peer.answer((await peer.request())[0])
        await peer.request()
        await peer.go_on()

    timeouts = Timeouts(connect=5, write=0.4, read=30, pool=5)
    async with peer(behaviour) as served, client(h2c(timeouts=timeouts)) as http:
        assert (await http.get(served.url)).text == "page"
        posting = asyncio.ensure_future(http.post(served.url, content=content()))
        await until(lambda: len(served.requests) == 2)
        assert (await http.get(served.url)).text == "page"
        with pytest.raises(httpx.WriteTimeout):
            await posting
        assert (await http.get(served.url)).text == "page"
        assert served.connections == 1


async def test_a_head_that_arrives_too_slowly_meets_the_deadline() -> None:
    async def dripping(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not reader.at_eof():
            writer.write(b"A: b\r\n")
            await asyncio.sleep(0.05)

    timeouts = Timeouts(connect=5, read=0.3, total=1.0)
    transport = Transport(options=options(timeouts=timeouts))
    async with serve(dripping) as served, client(transport) as http:
        with pytest.raises(DeadlineError):
            await http.get(served.url)
        assert transport.statistics().open_connections == 0


async def test_a_head_that_breaks_off_in_silence_causes_a_read_timeout() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        # The head of a frame that does not come, and a block that does not end.
        peer.send(frame(frames.HEADERS, 0, stream_id, bytes([0x88])), b"\0\0\x09\x09")
        await for_ever()

    timeouts = Timeouts(connect=5, read=0.4, pool=5)
    transport = h2c(timeouts=timeouts)
    async with peer(at_first(behaviour)) as served, client(transport) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get(served.url)
        assert (await http.get(served.url)).text == "page"


async def test_closing_a_connection_does_not_wait_for_a_peer_that_does_not_read() -> (
    None
):
    async def behaviour(peer: Peer) -> None:
        await peer.start({SettingCodes.INITIAL_WINDOW_SIZE: 2**31 - 1})
        peer.send(frames.window_update(0, 2**30))
        await peer.until(frames.DATA)
        peer.send(frame(frames.DATA, 0, 0, b"on no stream"))
        await for_ever()

    transport = h2c(timeouts=Timeouts())
    async with peer(at_first(behaviour)) as served, client(transport) as http:
        before = sockets()
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(served.url, content=bytes(30_000_000))

        assert transport.statistics().open_connections == 0
        await until(lambda: sockets() == before)
        assert (await http.get(served.url)).text == "page"
