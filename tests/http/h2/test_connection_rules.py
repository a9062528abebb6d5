"""HTTP/2 section by section of RFC 9113, over real sockets.

What peers do in practice is in test_http2.py; here stands what they must not do, what
we must not do, and with which error code we say so.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from crawler.http.errors import ResetError, TruncatedError
from crawler.http.options import Timeouts
from crawler.http.transport import Transport
from tests.http import frames
from tests.http.h2.test_connection import h2c, well
from tests.http.peers import CONCURRENT, Peer, at_first, frame, goaway, peer
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

WINDOW = SettingCodes.INITIAL_WINDOW_SIZE
MOST = 2**31 - 1


async def code_of_goaway(peer: Peer) -> int:
    return int.from_bytes((await peer.until(frames.GOAWAY)).payload[4:8], "big")


# 3.4: the preface


async def test_the_preface_of_the_peer_is_not_an_acknowledgement() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.reader.readexactly(len(frames.PREFACE))
        peer.send(frames.settings_ack(), frames.settings({}))
        codes.append(await code_of_goaway(peer))

    codes: list[int] = []
    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        assert (await http.get(served.url)).text == "page"
        await until(lambda: bool(codes))

        assert codes == [ErrorCodes.PROTOCOL_ERROR]


# 4.2, 5.4.1, 6: what ends the connection, and what it is called

FAULTS = [
    (frame(frames.DATA, 0, 0, b"x"), ErrorCodes.PROTOCOL_ERROR, "6.1 DATA on 0"),
    (frame(frames.DATA, 8, 1, b"\x01"), ErrorCodes.PROTOCOL_ERROR, "6.1 padding"),
    (frame(frames.HEADERS, 4, 0, b"\x88"), ErrorCodes.PROTOCOL_ERROR, "6.2 on 0"),
    (frame(frames.HEADERS, 4, 2, b"\x88"), ErrorCodes.PROTOCOL_ERROR, "5.1.1 even"),
    (frame(frames.HEADERS, 4, 9, b"\x88"), ErrorCodes.PROTOCOL_ERROR, "5.1 idle"),
    (frame(frames.HEADERS, 4, 1, b"\xff"), ErrorCodes.COMPRESSION_ERROR, "4.3"),
    (frame(frames.PRIORITY, 0, 0, bytes(5)), ErrorCodes.PROTOCOL_ERROR, "6.3 on 0"),
    (frame(frames.RST_STREAM, 0, 0, bytes(4)), ErrorCodes.PROTOCOL_ERROR, "6.4 on 0"),
    (frame(frames.RST_STREAM, 0, 9, bytes(4)), ErrorCodes.PROTOCOL_ERROR, "6.4 idle"),
    (frame(frames.RST_STREAM, 0, 1, bytes(5)), ErrorCodes.FRAME_SIZE_ERROR, "6.4"),
    (frame(frames.SETTINGS, 0, 1), ErrorCodes.PROTOCOL_ERROR, "6.5 on a stream"),
    (frame(frames.SETTINGS, 0, 0, b"x"), ErrorCodes.FRAME_SIZE_ERROR, "6.5 size"),
    (frame(frames.SETTINGS, 1, 0, bytes(6)), ErrorCodes.FRAME_SIZE_ERROR, "6.5 ack"),
    (frames.settings({2: 1}), ErrorCodes.PROTOCOL_ERROR, "6.5.2 a server's push"),
    (frames.settings({4: 2**31}), ErrorCodes.FLOW_CONTROL_ERROR, "6.5.2 window"),
    (frames.settings({5: 2**24}), ErrorCodes.PROTOCOL_ERROR, "6.5.2 frame size"),
    (frame(frames.PUSH_PROMISE, 4, 1, bytes(5)), ErrorCodes.PROTOCOL_ERROR, "6.6"),
    (frame(frames.PING, 0, 1, bytes(8)), ErrorCodes.PROTOCOL_ERROR, "6.7 on a stream"),
    (frame(frames.PING, 0, 0, bytes(9)), ErrorCodes.FRAME_SIZE_ERROR, "6.7 size"),
    (frame(frames.GOAWAY, 0, 1, bytes(8)), ErrorCodes.PROTOCOL_ERROR, "6.8 on 1"),
    (frame(frames.GOAWAY, 0, 0, bytes(7)), ErrorCodes.FRAME_SIZE_ERROR, "6.8 size"),
    (frames.window_update(0, 0), ErrorCodes.PROTOCOL_ERROR, "6.9 nothing more"),
    (frames.window_update(0, MOST), ErrorCodes.FLOW_CONTROL_ERROR, "6.9.1"),
    (frames.window_update(9, 1), ErrorCodes.PROTOCOL_ERROR, "6.9 idle"),
    (frame(frames.WINDOW_UPDATE, 0, 1, b"x"), ErrorCodes.FRAME_SIZE_ERROR, "6.9 size"),
    (
        frames.window_update(1, MOST - 65_535) + frames.settings({4: 65_536}),
        ErrorCodes.FLOW_CONTROL_ERROR,
        "6.9.2 a setting that makes a window too large",
    ),
    (frame(frames.CONTINUATION, 4, 1), ErrorCodes.PROTOCOL_ERROR, "6.10 of nothing"),
    (
        frame(frames.HEADERS, 0, 1) + frame(0xEE, 0, 1),
        ErrorCodes.PROTOCOL_ERROR,
        "5.5 an unknown frame within a block",
    ),
    (b"\0\x40\x01" + bytes(6), ErrorCodes.FRAME_SIZE_ERROR, "4.2 a byte too many"),
]


@pytest.mark.parametrize(
    ("sent", "code"), [pytest.param(sent, code, id=id) for sent, code, id in FAULTS]
)
async def test_a_connection_error_is_reported_by_its_name(
    sent: bytes, code: ErrorCodes
) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        await peer.request()
        peer.send(sent)
        codes.append(await code_of_goaway(peer))

    codes: list[int] = []
    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        assert (await http.get(served.url)).text == "page"
        await until(lambda: bool(codes))

        assert codes == [code]


async def test_frames_before_a_fault_are_processed() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        head = peer.encoder.encode([(b":status", b"200")])
        peer.send(
            frames.headers(stream_id, head, is_last=False, max_frame_size=2**14),
            frames.data(stream_id, b"old", is_last=True),
            b"\xff\xff\xff" + bytes(6),
        )
        await peer.until(frames.GOAWAY)

    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        assert (await http.post(served.url, content=b"x")).text == "old"


# 5.1, 5.4.2: what ends a stream, and what it is called


@pytest.mark.parametrize(
    ("size", "code"),
    [(0, ErrorCodes.PROTOCOL_ERROR), (MOST, ErrorCodes.FLOW_CONTROL_ERROR)],
)
async def test_a_bad_window_update_ends_only_its_stream(
    size: int, code: ErrorCodes
) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        first, second = [(await peer.request())[0] for _ in range(2)]
        peer.send(frames.window_update(first, size))
        got = await peer.until(frames.RST_STREAM)
        seen.append((got.stream_id, int.from_bytes(got.payload, "big")))
        peer.answer(second)

    seen: list[tuple[int, int]] = []
    async with peer(behaviour) as served, client(h2c()) as http:
        first, second = await asyncio.gather(
            http.get(served.url), http.get(served.url), return_exceptions=True
        )

        assert isinstance(first, httpx.RemoteProtocolError)
        assert isinstance(second, httpx.Response)
        assert seen == [(1, code)]


async def test_frames_of_any_type_on_a_finished_stream_are_ignored() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.answer(stream_id)
        peer.send(
            frames.data(stream_id, b"more", is_last=False),
            frames.window_update(stream_id, 5),
            frame(frames.PRIORITY, 0, stream_id, bytes(5)),
            frames.reset(stream_id, ErrorCodes.NO_ERROR),
            frame(frames.PRIORITY, 0, 99, bytes(5)),
            frame(0xEE, 0xFF, 99, b"an extension"),
        )
        peer.head(stream_id, (b"x", b"y"))
        await peer.go_on()

    async with peer(behaviour) as served, client(h2c()) as http:
        for _ in range(3):
            assert (await http.get(served.url)).text == "page"
        assert served.connections == 1


async def test_a_response_before_the_end_of_its_request_is_accepted() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({WINDOW: 10})
        stream_id, _ = await peer.request()
        peer.answer(stream_id, b"too large")
        got = await peer.until(frames.RST_STREAM)
        seen.append((got.stream_id, int.from_bytes(got.payload, "big")))
        peer.send(frames.reset(stream_id, ErrorCodes.NO_ERROR))
        await peer.go_on()

    seen: list[tuple[int, int]] = []
    async with peer(behaviour) as served, client(h2c()) as http:
        response = await http.post(served.url, content=bytes(100_000))

        assert response.text == "too large"
        assert (await http.get(served.url)).text == "page"
        assert seen == [(1, ErrorCodes.NO_ERROR)]
        assert served.connections == 1


# 5.2, 6.9: flow control of what is sent


async def test_a_window_below_zero_must_be_refilled_first() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({WINDOW: 1000})
        peer.answer((await peer.request())[0])
        stream_id, _ = await peer.request()
        assert len((await peer.until(frames.DATA)).payload) == 1000
        # The window stands at nothing, and goes to -900 by this.
        peer.send(frames.settings({WINDOW: 100}))
        peer.send(frames.window_update(stream_id, 900))
        peer.send(frame(frames.PING, 0, 0, bytes(8)))
        peer.seen.clear()
        await peer.until(frames.PING)
        before.extend(got.type for got in peer.seen)
        peer.send(frames.window_update(stream_id, 7))
        pieces.append(len((await peer.until(frames.DATA)).payload))
        peer.send(frames.settings({WINDOW: 108}))
        pieces.append(len((await peer.until(frames.DATA)).payload))
        peer.send(frames.window_update(stream_id, 5000))
        while sum(pieces) < 500:
            pieces.append(len((await peer.until(frames.DATA)).payload))
        peer.answer(stream_id)

    pieces: list[int] = []
    before: list[int] = []
    async with peer(behaviour) as served, client(h2c()) as http:
        await http.get(served.url)  # with its answer the settings are here
        response = await http.post(served.url, content=bytes(1500))

        assert response.text == "page"
        assert before == [frames.SETTINGS]  # the acknowledgement, and no DATA
        assert pieces == [7, 8, 485]


async def test_the_window_of_the_connection_limits_all_bodies_together() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({WINDOW: 2**20})
        received = 0
        while received < 65_535:
            received += len((await peer.until(frames.DATA)).payload)
        most.append(received)
        peer.send(frame(frames.PING, 0, 0, bytes(8)))
        await peer.until(frames.PING)
        assert frames.DATA not in {got.type for got in peer.seen[-3:]}
        peer.send(frames.window_update(0, 2**20))
        ended = 0
        while ended < 2:
            got = await peer.until(frames.DATA)
            if got.flags & frames.END_STREAM:
                ended += 1
                peer.answer(got.stream_id)

    most: list[int] = []
    async with peer(behaviour) as served, client(h2c()) as http:
        responses = await asyncio.gather(
            *(http.post(served.url, content=bytes(100_000)) for _ in range(2))
        )

        assert [response.text for response in responses] == ["page"] * 2
        assert most == [65_535]


async def test_a_long_upload_through_small_windows_is_not_a_flood() -> None:
    size = 3_000_000

    async def behaviour(peer: Peer) -> None:
        await peer.start({WINDOW: 1000})
        stream_id, _ = await peer.request()
        received = 0
        while received < size:
            got = await peer.until(frames.DATA)
            received += len(got.payload)
            peer.send(
                frames.window_update(stream_id, len(got.payload)),
                frames.window_update(0, len(got.payload)),
            )
        peer.answer(stream_id, str(received).encode())

    async with peer(behaviour) as served, client(h2c()) as http:
        response = await http.post(served.url, content=bytes(size))

        assert response.text == str(size)
        assert served.connections == 1


async def test_a_streamed_body_does_not_accumulate_if_the_peer_stops_reading() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({WINDOW: MOST})
        peer.send(frames.window_update(0, MOST - 65_535))
        peer.answer((await peer.request())[0])
        await release.wait()
        stream_id, _ = await peer.request()
        while not (await peer.until(frames.DATA)).flags & frames.END_STREAM:
            pass
        peer.answer(stream_id)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(500):
            taken.append(100_000)
            yield bytes(100_000)

    taken: list[int] = []
    release = asyncio.Event()
    async with peer(behaviour) as served, client(h2c()) as http:
        await http.get(served.url)  # with its answer the windows are here
        sending = asyncio.ensure_future(http.post(served.url, content=pieces()))
        before = -1
        while before != len(taken):
            before = len(taken)
            for _ in range(500):
                await asyncio.sleep(0)

        assert 0 < sum(taken) < 40_000_000  # sockets take some megabytes
        release.set()
        assert (await sending).text == "page"
        assert sum(taken) == 50_000_000


# 5.2: flow control of what comes


async def test_the_rest_of_an_abandoned_body_is_drained_despite_unread_data() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        length = str(512 * 1024 + 50_000).encode()
        peer.head(stream_id, (b":status", b"200"), (b"content-length", length))
        for _ in range(32):
            peer.send(frames.data(stream_id, bytes(16_384), is_last=False))
        peer.send(frame(frames.PING, 0, 0, bytes(8)))
        await peer.until(frames.PING)
        filled.set()
        while (got := await peer.frame()).stream_id == 0:
            pass
        kinds.append(got.type)
        for _ in range(5):
            peer.send(frames.data(stream_id, bytes(10_000), is_last=False))
        peer.send(frames.data(stream_id, b"", is_last=True))
        await peer.go_on()

    kinds: list[int] = []
    filled = asyncio.Event()
    async with peer(behaviour) as served, client(h2c()) as http:
        async with http.stream("GET", served.url):
            await filled.wait()
        assert (await http.get(served.url)).text == "page"

        assert kinds == [frames.WINDOW_UPDATE]


# 6.5: SETTINGS


async def test_every_settings_frame_is_acknowledged_once_and_in_order() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        for number in range(5):
            peer.send(frames.settings({CONCURRENT: 10 + number}))
            peer.send(frame(frames.PING, 0, 0, bytes([number]) * 8))
        while len(seen) < 11:
            got = await peer.frame()
            if got.flags & frames.ACK and got.type in (frames.SETTINGS, frames.PING):
                seen.append((got.type, got.payload[:1]))
        peer.answer(stream_id)

    seen: list[tuple[int, bytes]] = []
    async with peer(behaviour) as served, client(h2c()) as http:
        assert (await http.get(served.url)).text == "page"

        expected = [(frames.SETTINGS, b"")]
        for number in range(5):
            expected += [(frames.SETTINGS, b""), (frames.PING, bytes([number]))]
        assert seen == expected


async def test_thousands_of_settings_in_a_frame_are_a_flood() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        await peer.request()
        one = frames.settings({WINDOW: 1000})[9:]
        peer.send(frame(frames.SETTINGS, 0, 0, one * 2700) * 2)
        codes.append(await code_of_goaway(peer))

    codes: list[int] = []
    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        assert (await http.get(served.url)).text == "page"

        assert codes == [ErrorCodes.ENHANCE_YOUR_CALM]


# 6.8: GOAWAY


async def test_a_server_that_always_sends_goaway_is_not_requested_forever() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        await peer.request()
        peer.send(goaway(0))
        await peer.until(frames.GOAWAY)

    async with peer(behaviour) as served, client(h2c()) as http:
        with pytest.raises(ResetError, match="ended the HTTP/2 connection"):
            await asyncio.wait_for(http.get(served.url), 20)

        assert served.connections < 10


async def test_a_second_goaway_excludes_further_streams() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start({CONCURRENT: 100})
        streams = [(await peer.request())[0] for _ in range(6)]
        peer.send(goaway(MOST))
        peer.send(frame(frames.PING, 0, 0, bytes(8)))
        await peer.until(frames.PING)
        peer.send(goaway(streams[2]))
        for stream_id in streams[:3]:
            peer.answer(stream_id, b"old")
        await peer.until(frames.GOAWAY)

    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(6)))

        texts = sorted(response.text for response in responses)
        assert texts == ["old"] * 3 + ["page"] * 3


async def test_goaway_may_require_http_1_1() -> None:
    async def behaviour(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        if agreed != "h2":
            await scripted([answer(b"in 1.1")])(served, reader, writer)
            return
        peer = await Peer(served, reader, writer).start()
        await peer.request()
        peer.send(goaway(0, ErrorCodes.HTTP_1_1_REQUIRED))
        await peer.until(frames.GOAWAY)

    context = certificates().server("h2", "http/1.1")
    transport = Transport(certificates().client(), options=options())
    async with serve(behaviour, context) as served, client(transport) as http:
        response = await http.post(served.url, content=b"x")

        assert response.text == "in 1.1"
        assert transport.statistics().fallbacks == 1


# 8.1, 8.2: what an answer may be


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", b"200"), ("GET", b"204"), ("GET", b"304")]
)
async def test_a_response_without_content_is_complete_with_its_head(
    method: str, status: bytes
) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id, (b":status", status), (b"content-length", b"4"))
        await released.wait()
        peer.send(frames.data(stream_id, b"page", is_last=True))
        await peer.go_on()

    released = asyncio.Event()
    async with peer(behaviour) as served, client(h2c()) as http:
        response = await http.request(method, served.url)
        released.set()
        again = await http.get(served.url)

        assert (response.status_code, response.content) == (int(status), b"")
        assert again.text == "page"
        assert served.connections == 1


HEAD = (b":status", b"200")


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param([[(b":status", b"103")]], id="an interim head that is the last"),
        pytest.param([[(b":status", b"100")]] * 17 + [[HEAD]], id="17 interim heads"),
        pytest.param([[HEAD], [(b":status", b"200")]], id=":status in trailers"),
        pytest.param([[HEAD], [(b"X", b"y")]], id="upper case in trailers"),
        pytest.param([[HEAD, (b"a:b", b"")]], id="a colon in a name"),
        pytest.param([[HEAD, (b"", b"x")]], id="no name"),
        pytest.param(
            [[HEAD, (b"content-length", b"4"), (b"content-length", b"5")]],
            id="two lengths",
        ),
        pytest.param([[HEAD, (b"content-length", b"-1")]], id="a negative length"),
    ],
)
async def test_a_malformed_response_ends_only_its_stream(
    blocks: list[list[tuple[bytes, bytes]]],
) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        first, second = [(await peer.request())[0] for _ in range(2)]
        for number, fields in enumerate(blocks, start=1):
            peer.head(first, *fields, is_last=number == len(blocks))
        got = await peer.until(frames.RST_STREAM)
        seen.append((got.stream_id, int.from_bytes(got.payload, "big")))
        peer.answer(second)

    seen: list[tuple[int, int]] = []
    async with peer(behaviour) as served, client(h2c()) as http:
        first, second = await asyncio.gather(
            http.get(served.url), http.get(served.url), return_exceptions=True
        )

        assert isinstance(first, httpx.RemoteProtocolError)
        assert isinstance(second, httpx.Response)
        assert seen == [(1, ErrorCodes.PROTOCOL_ERROR)]


async def test_a_header_block_in_many_frames_is_one_head() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        fields = [HEAD, *((b"x-%d" % number, b"y" * 50) for number in range(40))]
        block = peer.encoder.encode(fields)
        last = frames.headers(stream_id, block, is_last=True, max_frame_size=70)
        peer.send(last)
        await peer.go_on()

    async with peer(behaviour) as served, client(h2c()) as http:
        response = await http.get(served.url)

        assert len(response.headers) == 40
        assert response.content == b""
        assert (await http.get(served.url)).text == "page"
        assert served.connections == 1


async def test_connection_header_fields_are_removed_from_a_response() -> None:
    """By the letter they are an error (8.2.2), but servers pass them on from behind."""

    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(
            stream_id,
            HEAD,
            (b"connection", b"keep-alive"),
            (b"transfer-encoding", b"chunked"),
            (b"upgrade", b"h2"),
            (b"x", b"y"),
        )
        peer.send(frames.data(stream_id, b"page", is_last=True))

    async with peer(behaviour) as served, client(h2c()) as http:
        response = await http.get(served.url)

        assert (response.text, dict(response.headers)) == ("page", {"x": "y"})


async def test_a_huge_content_length_ends_only_its_stream() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        first, second = [(await peer.request())[0] for _ in range(2)]
        peer.head(first, (b":status", b"200"), (b"content-length", b"9" * 5000))
        peer.answer(second)

    async with peer(behaviour) as served, client(h2c()) as http:
        first, second = await asyncio.gather(
            http.get(served.url), http.get(served.url), return_exceptions=True
        )

        assert isinstance(first, httpx.RemoteProtocolError)
        assert isinstance(second, httpx.Response)


async def test_a_rejected_request_does_not_change_the_header_table() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        for _ in range(2):
            stream_id, fields = await peer.request()
            seen.append(fields)
            peer.answer(stream_id)

    seen: list[dict[bytes, bytes]] = []
    async with peer(behaviour) as served, client(h2c()) as http:
        await http.get(served.url)
        with pytest.raises(httpx.LocalProtocolError):
            await http.get(served.url, headers={"X-New": "y", "Cookie": "a\r\nb"})
        await http.get(served.url, headers={"X-New": "y"})

        assert seen[1][b"x-new"] == b"y"


@pytest.mark.parametrize("method", ["GE T", "GÉT", "GET\r\nx: y"])
async def test_an_invalid_method_is_rejected(method: str) -> None:
    async with peer(well) as served, client(h2c()) as http:
        with pytest.raises(httpx.LocalProtocolError):
            await http.request(method, served.url)
        assert (await http.get(served.url)).text == "page"


# 9.1: a connection that is about to go


async def test_a_closing_connection_accepts_no_request() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.answer(stream_id)
        await peer.writer.drain()
        await broken.wait()
        reset(peer.writer)

    broken = asyncio.Event()
    async with peer(at_first(behaviour)) as served, client(h2c()) as http:
        response = await http.get(served.url)
        connection = response.extensions["network_stream"]
        broken.set()
        await until(lambda: bool(connection.is_closing))

        assert (await http.post(served.url, content=b"x")).text == "page"


async def test_a_body_that_ends_with_no_error_is_truncated() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id)
        peer.send(frames.data(stream_id, b"pa", is_last=False))
        peer.send(frames.reset(stream_id, ErrorCodes.NO_ERROR))
        await peer.go_on()

    transport = h2c(timeouts=Timeouts(read=5))
    async with peer(behaviour) as served, client(transport) as http:
        with pytest.raises(TruncatedError):
            await http.get(served.url)
