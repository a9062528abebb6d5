"""How a connection ends, and whether its body is complete."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import httpx
import pytest

from crawler.http.errors import TruncatedError
from crawler.http.transport import Transport
from tests.http import frames
from tests.http.peers import Peer, at_first, peer
from tests.http.servers import (
    HALF_CLOSE,
    HANG,
    Script,
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

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = OK + b"\r\n"
PAGE = b"<p>a page</p>" * 50_000

End = Callable[[asyncio.StreamWriter], object]


def says_goodbye(writer: asyncio.StreamWriter) -> None:
    writer.close()


def is_cut_off(writer: asyncio.StreamWriter) -> None:
    """End TCP below TLS, as anybody on the way can."""
    number = writer.get_extra_info("socket").fileno()
    with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as own:
        own.shutdown(socket.SHUT_WR)


def server(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = certificates().server()
    context.maximum_version = version
    return context


async def fetch_until(
    end: End, context: ssl.SSLContext, *, is_late: bool = False
) -> bytes:
    """The body of an answer without a length, whose connection ends in this way."""
    ended = asyncio.Event()

    async def handler(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/healthy" in head:
            writer.write(answer(b"healthy"))
        else:
            writer.write(UNTIL_CLOSE + PAGE)
            if not is_late:
                await writer.drain()
            end(writer)
            ended.set()
        await reader.read()

    transport = Transport(certificates().client(), options=options())
    async with serve(handler, context) as served, client(transport) as http:
        try:
            async with http.stream("GET", served.url) as response:
                if is_late:
                    # By now it is held back, and the end has to wait its turn.
                    await ended.wait()
                body = await response.aread()
        finally:
            assert (await http.get(f"{served.url}/healthy")).text == "healthy"
            assert transport.statistics().open_connections == 1
        return body


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("is_late", [False, True], ids=["read at once", "read late"])
@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
async def test_a_body_without_a_length_ends_with_close_notify(
    version: ssl.TLSVersion, is_late: bool
) -> None:
    body = await fetch_until(says_goodbye, server(version), is_late=is_late)
    assert body == PAGE
    with pytest.raises(TruncatedError):
        await fetch_until(is_cut_off, server(version), is_late=is_late)


def test_a_body_without_a_length_ends_with_close_notify_on_uvloop_too() -> None:
    uvloop = pytest.importorskip("uvloop")

    for version in VERSIONS:
        body = uvloop.run(fetch_until(says_goodbye, server(version)))
        assert body == PAGE
        with pytest.raises(TruncatedError):
            uvloop.run(fetch_until(is_cut_off, server(version)))


async def cut_off(sent: bytes, **changes: object) -> bytes | type[Exception]:
    """What comes of an answer whose TLS ends without a goodbye."""

    async def handler(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        is_cut_off(writer)
        await reader.read()

    transport = Transport(certificates().client(), options=options(**changes))
    context = certificates().server()
    async with serve(handler, context) as served, client(transport) as http:
        try:
            return (await http.get(served.url)).content
        except httpx.HTTPError as exc:
            return type(exc)


@pytest.mark.parametrize(
    ("coding", "wire", "expected"),
    [
        pytest.param("gzip", gzip.compress(PAGE), PAGE, id="gzip"),
        pytest.param("gzip", gzip.compress(PAGE)[:-8], PAGE, id="no checksum"),
        pytest.param("gzip", gzip.compress(PAGE)[:-9], TruncatedError, id="gzip, cut"),
        pytest.param("gzip", b"", TruncatedError, id="gzip, nothing of it"),
        pytest.param("br", brotli.compress(PAGE), PAGE, id="br"),
        pytest.param("br", brotli.compress(PAGE)[:-1], TruncatedError, id="br, cut"),
        pytest.param("utf-8", PAGE, TruncatedError, id="no coding"),
    ],
)
async def test_a_content_encoding_shows_whether_a_body_was_cut(
    coding: str, wire: bytes, expected: bytes | type[Exception]
) -> None:
    head = OK + b"Content-Encoding: %b\r\n\r\n" % coding.encode()

    assert await cut_off(head + wire) == expected


@pytest.mark.parametrize(
    "sent",
    [answer(b"page"), CHUNKED + b"4\r\npage\r\n0\r\n\r\n", CHUNKED + b"4\npage\n0\n"],
)
async def test_framing_shows_whether_a_body_was_cut(sent: bytes) -> None:
    assert await cut_off(sent) == b"page"


async def test_bodies_of_a_server_without_close_notify_can_be_accepted() -> None:
    assert await cut_off(UNTIL_CLOSE + PAGE, require_close_notify=False) == PAGE


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param([HALF_CLOSE, HANG], httpx.RemoteProtocolError, id="at once"),
        pytest.param(
            [OK + b"Content-Le", HALF_CLOSE, HANG],
            httpx.RemoteProtocolError,
            id="mid-head",
        ),
        pytest.param(
            [OK + b"Content-Length: 9\r\n\r\npage", HALF_CLOSE, HANG],
            TruncatedError,
            id="mid-body",
        ),
        pytest.param(
            [CHUNKED + b"9\r\npage", HALF_CLOSE, HANG], TruncatedError, id="mid-chunk"
        ),
        pytest.param([OK + b"\r\npage", HALF_CLOSE, HANG], b"page", id="as an end"),
        pytest.param([answer(), HALF_CLOSE, HANG], b"page", id="after a page"),
        pytest.param(
            [CHUNKED + b"4\r\npage\r\n0\r\n\r\n", HALF_CLOSE, HANG],
            b"page",
            id="after a chunked page",
        ),
    ],
)
async def test_a_peer_that_closes_its_half_has_ended_its_response(
    script: Script, expected: bytes | type[Exception]
) -> None:
    """It goes on listening, and would for ever: the socket is given up all the same."""
    scripts = {"/": script, "/healthy": [answer(b"healthy")]}
    transport = Transport(options=options())
    async with serve(scripted(scripts)) as served, client(transport) as http:
        before = sockets()
        for _ in range(3):
            result: bytes | type[Exception]
            try:
                result = (await http.get(served.url)).content
            except httpx.HTTPError as exc:
                result = type(exc)
            assert result == expected
            await until(lambda: sockets() == before)
            assert transport.statistics().open_connections == 0
        assert (await http.get(f"{served.url}/healthy")).text == "healthy"
        assert served.connections == 4


async def test_a_half_closed_http2_connection_loses_no_request() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        first, _ = await peer.request()
        await peer.request()
        peer.answer(first, b"old")
        peer.writer.write_eof()
        await peer.reader.read()

    transport = Transport(http1=False, options=options())
    async with peer(at_first(behaviour)) as served, client(transport) as http:
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(2)))

        assert [response.text for response in responses] == ["old", "page"]
        assert transport.statistics().open_connections == 1


async def test_a_body_that_ends_with_its_http2_connection_is_truncated() -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        stream_id, _ = await peer.request()
        peer.head(stream_id)
        peer.send(frames.data(stream_id, b"pa", is_last=False))
        await peer.writer.drain()

    transport = Transport(http1=False, options=options())
    async with peer(at_first(behaviour)) as served, client(transport) as http:
        with pytest.raises(TruncatedError):
            await http.get(served.url)
        assert (await http.get(served.url)).text == "page"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_status_without_a_body_has_none_over_http1(status: str) -> None:
    scripts = {
        "/": [answer(b"HTTP/1.1 200 OK\r\n\r\n", status=status)],
        "/next": [answer(b"next")],
    }
    transport = Transport(options=options())
    async with serve(scripted(scripts)) as served, client(transport) as http:
        assert (await http.get(served.url)).content == b""
        assert (await http.get(f"{served.url}/next")).text == "next"


@pytest.mark.parametrize(
    ("method", "status"), [("GET", b"204"), ("GET", b"304"), ("HEAD", b"200")]
)
@pytest.mark.parametrize("has_length", [False, True])
async def test_a_response_without_a_body_has_none_over_http2(
    method: str, status: bytes, has_length: bool
) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        length = [(b"content-length", b"4")] * has_length
        for body in (b"", b"page"):
            stream_id, _ = await peer.request()
            peer.head(stream_id, (b":status", status), *length, is_last=not body)
            if body:
                peer.send(frames.data(stream_id, body, is_last=True))
        await peer.go_on()

    transport = Transport(http1=False, options=options())
    async with peer(behaviour) as served, client(transport) as http:
        without = await http.request(method, served.url)
        with_one = await http.request(method, served.url)

        assert without.status_code == with_one.status_code == int(status)
        assert without.content == with_one.content == b""
        assert (await http.get(served.url)).text == "page"
        assert served.connections == 1
