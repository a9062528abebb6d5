"""HTTP/2 connections to servers that behave in common and in faulty ways (RFC 9113)."""

import asyncio
import contextlib
import gzip
import random
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from crawler.http.content_decoding import Bounds
from crawler.http.errors import (
    HeaderTooLargeError,
    ResetError,
    TooLargeError,
    TooSlowError,
    TruncatedError,
    UnprocessedError,
    UnreadableError,
)
from crawler.http.options import Timeouts
from crawler.http.transport import Transport
from tests.http import frames
from tests.http.peers import (
    CONCURRENT,
    Behaviour,
    Peer,
    at_first,
    frame,
    goaway,
    peer,
)
from tests.http.servers import (
    Served,
    answer,
    certificates,
    client,
    options,
    reset,
    scripted,
    serve,
    until,
)

PROTOCOL = UnreadableError


def h2c(**changes: object) -> Transport:
    """A transport that speaks HTTP/2 by prior knowledge, in clear."""
    return Transport(http1=False, options=options(**changes))


async def well(peer: Peer) -> None:
    await (await peer.start()).go_on()


async def test_many_requests_share_a_connection() -> None:
    async with peer(well) as served, client(h2c()) as http:
        responses = await asyncio.gather(
            *(http.get(f"{served.url}/{index}") for index in range(50))
        )

        assert {response.text for response in responses} == {"page"}
        assert {response.http_version for response in responses} == {"HTTP/2"}
        assert served.connections == 1
        assert sorted(served.requests) == sorted(f"/{index}" for index in range(50))


async def test_a_request_has_the_header_fields_of_http2() -> None:
    heads: list[dict[bytes, bytes]] = []

    async def behaviour(peer: Peer) -> None:
        await peer.start()
        for _ in range(3):
            stream_id, fields = await peer.request()
            heads.append(fields)
            peer.answer(stream_id)

    async with peer(behaviour) as served, client(h2c()) as http:
        for _ in range(3):
            await http.get(
                f"{served.url}/a?b=c",
                headers={"Referer": "https://a.example/", "Cookie": "a=b", "X-Y": "z"},
            )

    assert heads[0] == heads[1] == heads[2]
    assert list(heads[0])[:4] == [b":method", b":scheme", b":authority", b":path"]
    assert heads[0][b":authority"] == f"localhost:{served.port}".encode()
    assert heads[0][b":path"] == b"/a?b=c"
    assert heads[0][b"x-y"] == b"z"
    assert heads[0][b"referer"] == b"https://a.example/"
    assert not {b"host", b"connection"} & heads[0].keys()


async def test_a_body_of_any_size_fits_through_the_windows() -> None:
    body = random.Random(7).randbytes(3_000_000)

    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id, (b":status", b"200"))
        window = 512 * 1024
        for start in range(0, len(body), 16_000):
            piece = body[start : start + 16_000]
            while window < len(piece):
                update = await peer.until(frames.WINDOW_UPDATE)
                if update.stream_id:
                    window += int.from_bytes(update.payload, "big")
            window -= len(piece)
            peer.send(frames.data(stream_id, piece, is_last=False))
        peer.send(frames.data(stream_id, b"", is_last=True))

    async with peer(behaviour) as served, client(h2c()) as http:
        response = await http.get(served.url)

        assert response.content == body


async def test_a_request_body_waits_for_the_windows() -> None:
    received = bytearray()

    async def behaviour(peer: Peer) -> None:
        await peer.start({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
        for _ in range(2):
            stream_id, _ = await peer.request()
            is_last = False
            while not is_last:
                got = await peer.until(frames.DATA)
                received.extend(got.payload)
                is_last = bool(got.flags & frames.END_STREAM)
                if got.payload:
                    size = len(got.payload)
                    peer.send(frames.window_update(stream_id, size))
                    peer.send(frames.window_update(0, size))
            peer.answer(stream_id, str(len(received)).encode())

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(10_000)

    async with peer(behaviour) as served, client(h2c()) as http:
        kept = await http.post(served.url, content=bytes(100_000))
        streamed = await http.post(served.url, content=pieces())

        assert kept.text == "100000"
        assert streamed.text == "200000"


async def test_padding_and_priority_are_removed() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        block = peer.encoder.encode([(b":status", b"200")])
        flags = frames.END_HEADERS | frames.PADDED | frames.PRIORITY_FLAG
        payload = b"\x03" + bytes(5) + block + bytes(3)
        peer.send(frame(frames.HEADERS, flags, stream_id, payload))
        padded = b"\x05page" + bytes(5)
        peer.send(frame(frames.DATA, frames.PADDED, stream_id, padded))
        peer.send(frame(frames.DATA, frames.END_STREAM, stream_id))
        await peer.go_on()

    async with peer(behaviour) as served, client(h2c()) as http:
        assert (await http.get(served.url)).text == "page"
        assert (await http.get(served.url)).text == "page"
        assert served.connections == 1


async def test_informational_responses_and_trailers_are_skipped() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id, (b":status", b"103"), (b"link", b"a"))
        peer.head(stream_id, (b":status", b"200"), (b"x", b"y"))
        peer.send(frames.data(stream_id, b"page", is_last=False))
        peer.head(stream_id, (b"digest", b"z"), is_last=True)
        await peer.go_on()

    async with peer(behaviour) as served, client(h2c()) as http:
        response = await http.get(served.url)

        assert (response.text, dict(response.headers)) == ("page", {"x": "y"})


async def test_a_body_is_decoded() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id, (b":status", b"200"), (b"content-encoding", b"gzip"))
        peer.send(frames.data(stream_id, gzip.compress(b"page"), is_last=True))
        await peer.go_on()

    async with peer(behaviour) as served, client(h2c()) as http:
        response = await http.get(served.url)

        assert response.text == "page"
        assert "content-encoding" not in response.headers


async def test_settings_may_change_at_any_time() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        for size in (0, 1, 65_535, 100):
            stream_id, _ = await peer.request()
            peer.send(
                frames.settings(
                    {
                        SettingCodes.INITIAL_WINDOW_SIZE: size,
                        SettingCodes.HEADER_TABLE_SIZE: size % 5000,
                        SettingCodes.MAX_FRAME_SIZE: 16_384 + size,
                        0xFEED: 7,
                    }
                )
            )
            peer.answer(stream_id)

    async with peer(behaviour) as served, client(h2c()) as http:
        for _ in range(4):
            assert (await http.get(served.url, headers={"A": "b"})).text == "page"


@pytest.mark.parametrize("limit", [1, 3, 10])
async def test_no_more_streams_are_opened_than_the_peer_allows(limit: int) -> None:
    open_now: set[int] = set()
    most: list[int] = []

    async def behaviour(peer: Peer) -> None:
        await peer.start({CONCURRENT: limit})
        stream_id, _ = await peer.request()
        peer.answer(stream_id)
        while True:
            stream_id, _ = await peer.request()
            open_now.add(stream_id)
            most.append(len(open_now))
            if len(open_now) == limit or len(most) == 20:
                for each in sorted(open_now):
                    open_now.discard(each)
                    peer.answer(each)

    transport = h2c()
    async with peer(behaviour) as served, client(transport) as http:
        await http.get(served.url)
        await asyncio.gather(*(http.get(served.url) for _ in range(20)))

        assert max(most) == limit
        assert served.connections == 1


async def test_a_lower_limit_on_streams_holds_from_then_on() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({CONCURRENT: 10})
        first = [(await peer.request())[0] for _ in range(10)]
        peer.send(frames.settings({CONCURRENT: 1}))
        await peer.until(frames.SETTINGS)
        for stream_id in first:
            peer.answer(stream_id)
        for _ in range(10):
            stream_id, _ = await peer.request()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(peer.request(), 0.01)
            peer.answer(stream_id)

    async with peer(behaviour) as served, client(h2c()) as http:
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(20)))

        assert {response.text for response in responses} == {"page"}


async def test_a_peer_that_allows_no_streams_is_awaited() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({CONCURRENT: 0})
        await release.wait()
        peer.send(frames.settings({CONCURRENT: 5}))
        await peer.go_on()

    release = asyncio.Event()
    transport = h2c(max_streams=1)
    async with peer(behaviour) as served, client(transport) as http:
        asyncio.get_running_loop().call_later(0.2, release.set)
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(5)))

        assert {response.text for response in responses} == {"page"}
        assert served.connections == 1


async def test_a_peer_that_never_allows_a_stream_causes_a_pool_timeout() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({CONCURRENT: 0})
        while True:
            await peer.request()

    transport = h2c(timeouts=Timeouts(connect=5, read=0.6, pool=0.3))
    async with peer(behaviour) as served, client(transport) as http:
        results = await asyncio.gather(
            *(http.get(served.url) for _ in range(12)), return_exceptions=True
        )

        kinds = {type(result) for result in results}
        assert kinds == {httpx.PoolTimeout, httpx.ReadTimeout}


async def test_after_goaway_permitted_streams_finish_and_others_are_sent_again() -> (
    None
):
    async def behaviour(peer: Peer) -> None:
        await peer.start({CONCURRENT: 100})
        streams = [(await peer.request())[0] for _ in range(10)]
        peer.send(goaway(streams[4]))
        for stream_id in streams[:5]:
            peer.answer(stream_id, b"old")
        await peer.until(frames.GOAWAY)

    transport = h2c()
    async with peer(at_first(behaviour)) as served, client(transport) as http:
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(10)))

        texts = sorted(response.text for response in responses)
        assert texts == ["old"] * 5 + ["page"] * 5
        assert served.connections == 2
        assert transport.statistics().resent == 5


@pytest.mark.parametrize("code", [ErrorCodes.NO_ERROR, ErrorCodes.ENHANCE_YOUR_CALM])
async def test_a_goaway_with_a_closed_connection_loses_no_request(
    code: ErrorCodes,
) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({CONCURRENT: 100})
        streams = [(await peer.request())[0] for _ in range(10)]
        peer.answer(streams[0], b"old")
        peer.send(goaway(streams[4], code))

    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(10)))

        texts = sorted(response.text for response in responses)
        assert texts == ["old"] + ["page"] * 9


async def test_frequent_goaways_fail_no_request() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({CONCURRENT: 100})
        for _ in range(20):
            stream_id, _ = await peer.request()
            peer.answer(stream_id)
        peer.send(goaway(stream_id))
        await peer.until(frames.GOAWAY)

    transport = h2c()
    async with peer(behaviour) as served, client(transport) as http:
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(400)))

        assert {response.text for response in responses} == {"page"}
        assert served.connections >= 20
        assert transport.statistics().fallbacks == 0


async def test_a_post_that_goaway_excluded_is_sent_again() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        await peer.request()
        peer.send(goaway(0))
        await peer.until(frames.GOAWAY)

    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        assert (await http.post(served.url, content=b"x")).text == "page"


async def test_a_refused_stream_is_sent_again_once() -> None:
    def refusing(times: int) -> Behaviour:
        async def behaviour(peer: Peer) -> None:
            await peer.start()
            for _ in range(times):
                stream_id, _ = await peer.request()
                peer.send(frames.reset(stream_id, ErrorCodes.REFUSED_STREAM))
            await peer.go_on()

        return behaviour

    async with peer(refusing(1)) as served, client(h2c()) as http:
        assert (await http.post(served.url, content=b"x")).text == "page"
        assert len(served.requests) == 2
    async with peer(refusing(2)) as served, client(h2c()) as http:
        with pytest.raises(UnprocessedError, match="REFUSED_STREAM"):
            await http.get(served.url)


async def test_a_server_that_resets_every_stream_fails_each_request_once() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        while True:
            stream_id, _ = await peer.request()
            peer.send(frames.reset(stream_id, ErrorCodes.INTERNAL_ERROR))

    async with peer(behaviour) as served, client(h2c()) as http:
        results = await asyncio.gather(
            *(http.get(served.url) for _ in range(50)), return_exceptions=True
        )

        assert {type(result) for result in results} == {ResetError}
        assert len(served.requests) == 50


async def test_a_reset_within_a_body_is_a_truncated_page() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id)
        peer.send(frames.data(stream_id, b"pa", is_last=False))
        peer.send(frames.reset(stream_id, ErrorCodes.INTERNAL_ERROR))
        await peer.go_on()

    async with peer(behaviour) as served, client(h2c()) as http:
        with pytest.raises(TruncatedError):
            await http.get(served.url)
        assert (await http.get(served.url)).text == "page"
        assert served.connections == 1


Send = Callable[[Peer, int], None]


def sends(*fields: tuple[bytes, bytes], then: bytes = b"") -> Send:
    def send(peer: Peer, stream_id: int) -> None:
        peer.head(stream_id, *fields, is_last=not then)
        if then:
            peer.send(frames.data(stream_id, then, is_last=True))

    return send


@pytest.mark.parametrize(
    ("send", "error"),
    [
        pytest.param(sends((b"x", b"y")), PROTOCOL, id="no :status"),
        pytest.param(
            sends((b":status", b"200"), (b":status", b"200")),
            PROTOCOL,
            id="two :status",
        ),
        pytest.param(
            sends((b"x", b"y"), (b":status", b"200")), PROTOCOL, id=":status last"
        ),
        pytest.param(sends((b":status", b"2x0")), PROTOCOL, id=":status 2x0"),
        pytest.param(sends((b":status", b"99")), PROTOCOL, id=":status 99"),
        pytest.param(sends((b":status", b"101")), PROTOCOL, id=":status 101"),
        pytest.param(
            sends((b":status", b"200"), (b":path", b"/")), PROTOCOL, id="a :path"
        ),
        pytest.param(
            sends((b":status", b"200"), (b"Upper", b"y")), PROTOCOL, id="upper case"
        ),
        pytest.param(
            sends((b":status", b"200"), (b"x", b"y\r\nz: a")), PROTOCOL, id="CRLF"
        ),
        pytest.param(sends((b":status", b"200"), (b"x", b"y\0")), PROTOCOL, id="NUL"),
        pytest.param(
            sends((b":status", b"200"), (b"content-length", b"x"), then=b"page"),
            PROTOCOL,
            id="a length that is no number",
        ),
        pytest.param(
            sends((b":status", b"200"), (b"content-length", b"3"), then=b"page"),
            PROTOCOL,
            id="longer than announced",
        ),
        pytest.param(
            sends((b":status", b"200"), (b"content-length", b"9"), then=b"page"),
            TruncatedError,
            id="shorter than announced",
        ),
        pytest.param(
            sends((b":status", b"200"), (b"content-length", b"9")),
            PROTOCOL,
            id="announced and not there",
        ),
        pytest.param(
            lambda peer, stream_id: peer.send(
                frames.data(stream_id, b"page", is_last=True)
            ),
            PROTOCOL,
            id="a body without a head",
        ),
        pytest.param(
            lambda peer, stream_id: [peer.head(stream_id), peer.head(stream_id)],
            PROTOCOL,
            id="a second head",
        ),
        pytest.param(
            sends((b":status", b"200"), *[(b"a", b"b")] * 600),
            HeaderTooLargeError,
            id="600 fields",
        ),
        pytest.param(
            sends((b":status", b"200"), (b"content-length", b"99999999999"), then=b"x"),
            TooLargeError,
            id="100 GB",
        ),
    ],
)
async def test_a_malformed_response_fails_only_its_own_request(
    send: Send, error: type[Exception]
) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        streams = [(await peer.request())[0] for _ in range(3)]
        send(peer, streams[1])
        peer.answer(streams[0])
        peer.answer(streams[2])
        await peer.go_on()

    async with peer(behaviour) as served, client(h2c()) as http:
        results = await asyncio.gather(
            *(http.get(served.url) for _ in range(3)), return_exceptions=True
        )
        after = await http.get(served.url)

        kinds = [type(result) for result in results]
        assert kinds == [httpx.Response, error, httpx.Response]
        assert after.text == "page"
        assert served.connections == 1


HEAD = bytes([0x88])  # :status 200, indexed


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="HTTP/1.1"),
        pytest.param(b"\xff\xff\xff" + bytes(6), id="a frame of 16 MiB"),
        pytest.param(frame(frames.PUSH_PROMISE, 4, 1, bytes(4)), id="a push"),
        pytest.param(frame(frames.DATA, 0, 0, b"x"), id="DATA on no stream"),
        pytest.param(frame(frames.DATA, 0, 99, b"x"), id="DATA on an idle stream"),
        pytest.param(frame(frames.DATA, 0, 2, b"x"), id="DATA on the server's stream"),
        pytest.param(frame(frames.DATA, 8, 1, b""), id="padding that is not there"),
        pytest.param(frame(frames.DATA, 8, 1, b"\x09x"), id="padding beyond the frame"),
        pytest.param(frame(frames.HEADERS, 4, 0, HEAD), id="HEADERS on no stream"),
        pytest.param(frame(frames.HEADERS, 4, 99, HEAD), id="HEADERS on an idle one"),
        pytest.param(frame(frames.HEADERS, 4, 1, b"\xff"), id="an index out of range"),
        pytest.param(
            frame(frames.HEADERS, 4, 1, b"\x7f" + b"\xff" * 20), id="an endless integer"
        ),
        pytest.param(
            frame(frames.HEADERS, 4, 1, b"\x00\x83\xff\xff\xff\x00"), id="bad Huffman"
        ),
        pytest.param(frame(frames.HEADERS, 0, 1, HEAD) + goaway(0), id="a cut block"),
        pytest.param(frame(frames.CONTINUATION, 4, 1, HEAD), id="a lone CONTINUATION"),
        pytest.param(
            frame(frames.HEADERS, 0, 1) + frame(frames.CONTINUATION, 4, 3, HEAD),
            id="another stream's CONTINUATION",
        ),
        pytest.param(
            frame(frames.HEADERS, 0, 1) + frame(frames.CONTINUATION, 0, 1) * 100,
            id="CONTINUATION without end",
        ),
        pytest.param(frame(frames.RST_STREAM, 0, 99, bytes(4)), id="RST of an idle"),
        pytest.param(frame(frames.RST_STREAM, 0, 1, bytes(3)), id="a short RST"),
        pytest.param(frame(frames.SETTINGS, 0, 0, bytes(5)), id="broken SETTINGS"),
        pytest.param(frame(frames.SETTINGS, 0, 1), id="SETTINGS on a stream"),
        pytest.param(
            frames.settings({SettingCodes.ENABLE_PUSH: 1}), id="a server's ENABLE_PUSH"
        ),
        pytest.param(
            frames.settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**31}),
            id="a huge window",
        ),
        pytest.param(
            frames.settings({SettingCodes.MAX_FRAME_SIZE: 1}), id="a tiny frame size"
        ),
        pytest.param(frame(frames.PING, 0, 0, bytes(7)), id="a short PING"),
        pytest.param(frame(frames.PING, 0, 1, bytes(8)), id="PING on a stream"),
        pytest.param(frame(frames.GOAWAY, 0, 0, bytes(3)), id="a short GOAWAY"),
        pytest.param(frame(frames.GOAWAY, 0, 1, bytes(8)), id="GOAWAY on a stream"),
        pytest.param(frame(frames.PRIORITY, 0, 1, bytes(3)), id="a short PRIORITY"),
        pytest.param(frames.window_update(0, 0), id="a window of nothing more"),
        pytest.param(frames.window_update(0, 2**31 - 1), id="a window too large"),
        pytest.param(frame(frames.WINDOW_UPDATE, 0, 0, b""), id="WINDOW_UPDATE of 0"),
        pytest.param(frame(frames.PING, 0, 0, bytes(8)) * 5000, id="a flood of PING"),
        pytest.param(frames.settings({}) * 5000, id="a flood of SETTINGS"),
        pytest.param(frame(0xFA, 0, 0) * 5000, id="a flood of something"),
        pytest.param(frame(frames.PRIORITY, 0, 1, bytes(5)) * 5000, id="of PRIORITY"),
        pytest.param(
            frame(frames.HEADERS, 4, 1, HEAD) + frame(frames.DATA, 0, 1) * 5000,
            id="a flood of empty DATA",
        ),
        pytest.param(
            frame(frames.HEADERS, 5, 1, HEAD)
            + frame(frames.HEADERS, 4, 1, b"\x20" * 16_000) * 5,
            id="a flood of long blocks on a stream that is closed",
        ),
        pytest.param(
            frame(frames.HEADERS, 4, 1, HEAD) + frame(frames.DATA, 0, 1, b"x") * 50_000,
            id="a flood of single bytes",
        ),
        pytest.param(
            frame(frames.HEADERS, 4, 1, HEAD)
            + frame(frames.DATA, 0, 1, b"x" * 16) * 20_000,
            id="a flood of small frames",
        ),
        pytest.param(frame(frames.HEADERS, 0, 0, HEAD), id="a block on stream 0"),
        pytest.param(frame(frames.HEADERS, 0, 9, HEAD), id="a block on no stream"),
    ],
)
async def test_a_connection_whose_peer_breaks_the_protocol_is_replaced(
    garbage: bytes,
) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        streams = [(await peer.request())[0] for _ in range(3)]
        assert streams == [1, 3, 5]
        peer.send(garbage)
        await peer.until(frames.GOAWAY)
        left.set()

    left = asyncio.Event()
    transport = h2c()
    async with peer(at_first(behaviour)) as served, client(transport) as http:
        first, *others = await asyncio.gather(
            *(http.get(served.url) for _ in range(3)), return_exceptions=True
        )
        await left.wait()

        # The first one may have got a part of an answer, which is not asked for twice.
        assert isinstance(first, httpx.Response | TruncatedError | HeaderTooLargeError)
        assert [getattr(other, "text", other) for other in others] == ["page"] * 2
        assert served.connections == 2
        assert transport.statistics().open_connections == 1


async def test_a_connection_whose_peer_ignores_the_window_is_closed() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id)
        for _ in range(40):
            peer.send(frames.data(stream_id, bytes(16_384), is_last=False))
        got = await peer.until(frames.GOAWAY)
        codes.append(got.payload[7])

    codes: list[int] = []
    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        async with http.stream("GET", served.url) as response:
            await until(lambda: bool(codes))
            with pytest.raises(TruncatedError):
                await response.aread()

        assert codes == [ErrorCodes.FLOW_CONTROL_ERROR]


async def test_header_fields_that_decode_to_megabytes_are_too_large() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        value = bytes(3000)
        literal = b"\x40\x01x\x7f" + bytes(
            [(3000 - 127) & 127 | 128, (3000 - 127) >> 7]
        )
        block = HEAD + literal + b"a" * len(value) + bytes([0xBE]) * 10_000
        peer.send(frames.headers(stream_id, block, is_last=True, max_frame_size=2**14))
        await peer.until(frames.GOAWAY)

    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        with pytest.raises(HeaderTooLargeError):
            await http.get(served.url)
        assert (await http.get(served.url)).text == "page"


async def test_a_connection_that_breaks_under_load_is_replaced() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({CONCURRENT: 100})
        for _ in range(30):
            await peer.request()
        reset(peer.writer)

    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(30)))

        assert {response.text for response in responses} == {"page"}


async def test_a_connection_that_always_breaks_is_not_retried_forever() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        await peer.request()
        reset(peer.writer)

    async with peer(behaviour) as served, client(h2c()) as http:
        with pytest.raises(ResetError):
            await http.get(served.url)
        assert len(served.requests) == 3


async def test_a_silent_stream_times_out_and_other_streams_continue() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        silent, _ = await peer.request()
        slow, _ = await peer.request()
        got = await peer.until(frames.RST_STREAM)
        assert got.stream_id == silent
        peer.answer(slow)
        await peer.go_on()

    transport = h2c()
    async with peer(behaviour) as served, client(transport) as http:
        results = await asyncio.gather(
            http.get(served.url, extensions={"timeout": {"read": 0.2}}),
            http.get(served.url),
            return_exceptions=True,
        )

        assert isinstance(results[0], httpx.ReadTimeout)
        assert isinstance(results[1], httpx.Response)
        assert served.connections == 1


async def test_pings_do_not_count_as_progress() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        await peer.request()
        while True:
            peer.send(frame(frames.PING, 0, 0, bytes(8)))
            await peer.until(frames.PING)

    transport = h2c(timeouts=Timeouts(read=0.3))
    async with peer(behaviour) as served, client(transport) as http:
        with pytest.raises((httpx.ReadTimeout, PROTOCOL)):
            await http.get(served.url)


async def test_a_body_that_arrives_too_slowly_is_too_slow() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id)
        while True:
            peer.send(frames.data(stream_id, b"x", is_last=False))
            await asyncio.sleep(0.05)

    transport = h2c(min_rate=1000, min_rate_window=0.5)
    async with peer(behaviour) as served, client(transport) as http:
        with pytest.raises(TooSlowError):
            await http.get(served.url)


async def test_a_slow_reader_slows_down_only_its_own_stream() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stalled, _ = await peer.request()
        peer.head(stalled)
        for _ in range(32):  # the whole window of the stream
            peer.send(frames.data(stalled, bytes(16_384), is_last=False))
        for _ in range(50):
            stream_id, _ = await peer.request()
            peer.answer(stream_id, bytes(400_000))
        while not any(
            got.type == frames.WINDOW_UPDATE and got.stream_id == stalled
            for got in peer.seen
        ):
            peer.seen.append(await peer.frame())
        peer.send(frames.data(stalled, b"end", is_last=True))

    async with peer(behaviour) as served, client(h2c()) as http:
        async with http.stream("GET", served.url) as stalled:
            for _ in range(50):
                assert len((await http.get(served.url)).content) == 400_000
            size = 0
            async for chunk in stalled.aiter_raw():
                size += len(chunk)

        assert size == 32 * 16_384 + 3
        assert served.connections == 1


async def test_an_abandoned_body_returns_its_window() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        window = 16 * 2**20
        while True:
            stream_id, fields = await peer.request()
            for got in peer.seen:
                if got.type == frames.WINDOW_UPDATE and got.stream_id == 0:
                    window += int.from_bytes(got.payload, "big")
            peer.seen.clear()
            if fields[b":path"] == b"/small":
                assert window > 0
                peer.answer(stream_id)
                continue
            peer.head(stream_id, (b":status", b"200"), (b"content-length", b"12000000"))
            for _ in range(32):
                peer.send(frames.data(stream_id, bytes(16_384), is_last=False))
                window -= 16_384
            reset_frame = await peer.until(frames.RST_STREAM)
            assert reset_frame.stream_id == stream_id
            assert reset_frame.payload[-1] == ErrorCodes.CANCEL

    async with peer(behaviour) as served, client(h2c()) as http:
        for _ in range(60):
            async with http.stream("GET", served.url) as response:
                await anext(response.aiter_raw())
            assert (await http.get(f"{served.url}/small")).text == "page"


async def test_a_short_rest_of_a_body_is_drained_instead_of_reset() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id, (b":status", b"200"), (b"content-length", b"1000"))
        peer.send(frames.data(stream_id, b"x", is_last=False))
        await release.wait()
        peer.send(frames.data(stream_id, b"x" * 999, is_last=True))
        stream_id, _ = await peer.request()
        assert all(got.type != frames.RST_STREAM for got in peer.seen)
        peer.answer(stream_id)

    release = asyncio.Event()
    async with peer(behaviour) as served, client(h2c()) as http:
        async with http.stream("GET", served.url):
            pass
        release.set()
        assert (await http.get(served.url)).text == "page"
        assert served.connections == 1


async def test_a_connection_with_mostly_resets_is_retired() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        while True:
            stream_id, _ = await peer.request()
            peer.head(stream_id)
            peer.send(frames.data(stream_id, b"x", is_last=False))

    async with peer(behaviour) as served, client(h2c()) as http:
        for _ in range(60):
            async with http.stream("GET", served.url):
                pass

        assert 2 <= served.connections <= 4


async def test_a_body_over_the_limit_is_cut() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id)
        for _ in range(10):
            peer.send(frames.data(stream_id, bytes(10_000), is_last=False))
        await peer.until(frames.RST_STREAM)
        await peer.go_on()

    transport = h2c(bounds=Bounds(max_body=50_000))
    async with peer(behaviour) as served, client(transport) as http:
        with pytest.raises(TooLargeError):
            await http.get(served.url)
        assert (await http.get(served.url)).text == "page"
        assert served.connections == 1


async def test_frames_on_a_stream_that_was_reset_are_ignored() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        late, _ = await peer.request()
        peer.head(late)
        await peer.until(frames.RST_STREAM)
        peer.send(frames.data(late, bytes(16_000), is_last=False))
        peer.send(frames.window_update(late, 100))
        peer.send(frames.reset(late, ErrorCodes.NO_ERROR))
        peer.head(late, (b"x", b"y"), is_last=True)
        await peer.go_on()

    async with peer(behaviour) as served, client(h2c()) as http:
        async with http.stream("GET", served.url):
            pass
        for _ in range(3):
            assert (await http.get(served.url)).text == "page"
        assert served.connections == 1


async def test_a_peer_that_stops_reading_causes_a_write_timeout() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        await asyncio.Event().wait()

    transport = h2c(timeouts=Timeouts(write=0.3, read=30))
    async with peer(behaviour) as served, client(transport) as http:
        with pytest.raises(httpx.WriteTimeout):
            await http.post(served.url, content=bytes(10_000_000))


async def test_a_missing_preface_causes_a_read_timeout() -> None:
    async def behaviour(peer: Peer) -> None:
        await asyncio.Event().wait()

    transport = h2c(timeouts=Timeouts(read=0.3))
    async with peer(behaviour) as served, client(transport) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get(served.url)


async def test_an_idle_connection_that_is_closed_is_replaced() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.answer(stream_id)
        await peer.writer.drain()

    transport = h2c()
    async with peer(behaviour) as served, client(transport) as http:
        for _ in range(10):
            assert (await http.get(served.url)).text == "page"
            await until(lambda: not transport.statistics().open_connections)

        assert served.connections == 10


async def by_alpn(
    served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """HTTP/1.1 works; HTTP/2 was configured by somebody who never tried it."""
    agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    if agreed == "h2":
        await reader.readexactly(24)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
    else:
        await scripted([answer(b"old but true")])(served, reader, writer)


async def test_an_origin_with_broken_http2_is_requested_over_http1() -> None:
    context = certificates().server("h2", "http/1.1")
    transport = Transport(certificates().client(), options=options())
    async with serve(by_alpn, context) as served, client(transport) as http:
        first = await http.get(served.url)
        second = await http.get(served.url)

        assert first.text == second.text == "old but true"
        assert first.http_version == "HTTP/1.1"
        assert served.connections == 3
        assert transport.statistics().fallbacks == 1


async def test_an_error_over_http1_includes_the_earlier_error_of_http2() -> None:
    async def behaviour(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        if agreed == "h2":
            peer = await Peer(served, reader, writer).start()
            await peer.request()
            peer.send(frame(frames.PING, 0, 0, bytes(8)) * 5000)
            await peer.until(frames.GOAWAY)

    context = certificates().server("h2", "http/1.1")
    transport = Transport(certificates().client(), options=options())
    async with serve(behaviour, context) as served, client(transport) as http:
        with pytest.raises(
            UnreadableError, match=r"without progress.*; .* closed the connection"
        ):
            await http.get(served.url)

    assert served.connections == 3


async def test_a_body_in_frames_of_a_hundred_bytes_is_not_a_flood() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id)
        for _ in range(9000):
            peer.send(frames.data(stream_id, bytes(100), is_last=False))
        peer.send(frames.data(stream_id, b"", is_last=True))
        await peer.reader.read()

    async with peer(behaviour) as served, client(h2c()) as http:
        assert len((await http.get(served.url)).content) == 900_000


async def test_http_1_1_required_is_obeyed() -> None:
    async def behaviour(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        if agreed != "h2":
            await scripted([answer(b"in 1.1")])(served, reader, writer)
            return
        peer = await Peer(served, reader, writer).start()
        stream_id, _ = await peer.request()
        peer.send(frames.reset(stream_id, ErrorCodes.HTTP_1_1_REQUIRED))
        await peer.until(frames.GOAWAY)

    context = certificates().server("h2", "http/1.1")
    transport = Transport(certificates().client(), options=options())
    async with serve(behaviour, context) as served, client(transport) as http:
        assert (await http.get(served.url)).text == "in 1.1"
        assert transport.statistics().fallbacks == 1


@pytest.mark.parametrize("seed", range(60))
async def test_corrupted_bytes_never_hang_or_break_the_client(seed: int) -> None:
    """Well-formed answers with bytes changed, cut, doubled or added."""
    chance = random.Random(seed)

    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        block = peer.encoder.encode([(b":status", b"200"), (b"x", b"y" * 20)])
        said = bytearray(
            frames.headers(stream_id, block, is_last=False, max_frame_size=2**14)
            + frames.data(stream_id, b"page" * 10, is_last=False)
            + frames.window_update(stream_id, 100)
            + frames.settings({3: 10, 4: 1000})
            + frames.data(stream_id, b"", is_last=True)
        )
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(said))
            kind = chance.randrange(4)
            if kind == 0:
                said[at] = chance.randrange(256)
            elif kind == 1:
                del said[at : at + chance.randint(1, 9)]
            elif kind == 2:
                said[at:at] = said[at : at + chance.randint(1, 30)]
            else:
                said[at:at] = chance.randbytes(chance.randint(1, 20))
        peer.send(bytes(said))
        await peer.writer.drain()

    transport = h2c(timeouts=Timeouts(connect=5, read=0.5, pool=5))
    async with peer(at_first(behaviour)) as served, client(transport) as http:
        with contextlib.suppress(httpx.HTTPError):
            await http.get(served.url)
        assert (await http.get(served.url)).text == "page"
