"""HTTP/1.1 connections to servers that behave in common and in faulty ways (RFC
9112)."""

import asyncio
import gzip
import random
from collections.abc import AsyncIterator

import httpx
import pytest

from crawler.http.content_decoding import Bounds
from crawler.http.errors import (
    HeaderTooLargeError,
    RefusedError,
    ResetError,
    TooLargeError,
    TooSlowError,
    TruncatedError,
    UnreadableError,
)
from crawler.http.options import Timeouts
from crawler.http.transport import Transport
from tests.http.servers import (
    CLOSE,
    HANG,
    RESET,
    Script,
    Served,
    answer,
    client,
    free_port,
    options,
    reset,
    scripted,
    serve,
    until,
)

PROTOCOL = httpx.RemoteProtocolError
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def readable(script: Script) -> list[str]:
    return [
        part if isinstance(part, str) else part.decode("latin-1") for part in script
    ]


async def outcome(script: Script, **changes: object) -> httpx.Response | Exception:
    """What a client sees; afterwards the same client has to reach a healthy path."""
    transport = Transport(options=options(**changes))
    scripts = {"/": script, "/healthy": [answer(b"healthy")]}
    async with serve(scripted(scripts)) as served, client(transport) as http:
        result: httpx.Response | Exception
        try:
            result = await http.get(served.url)
        except httpx.HTTPError as exc:
            result = exc
        assert (await http.get(f"{served.url}/healthy")).text == "healthy"
    return result


@pytest.mark.parametrize(
    ("script", "body"),
    [
        pytest.param([answer(b"page")], b"page", id="a length"),
        pytest.param([OK + b"\r\n", b"pa", b"ge", CLOSE], b"page", id="until close"),
        pytest.param([b"HTTP/1.0 200 OK\r\n\r\npage", CLOSE], b"page", id="HTTP/1.0"),
        pytest.param([CHUNKED + b"4\r\npage\r\n0\r\n\r\n"], b"page", id="chunked"),
        pytest.param(
            [CHUNKED, b"2;a=b\r", b"\npa", b"\r\n2\r\nge\r\n0\r\n", b"\r\n"],
            b"page",
            id="chunks in pieces, with an extension",
        ),
        pytest.param(
            [CHUNKED + b"4\r\npage\r\n0\r\nDigest: x\r\nA: b\r\n\r\n"],
            b"page",
            id="trailers",
        ),
        pytest.param(
            [
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n",
                answer(b"page"),
            ],
            b"page",
            id="100 and 103 first",
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\nContent-Length: 4\n\npage"], b"page", id="only LF"
        ),
        pytest.param(
            [b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\npage"], b"page", id="no reason"
        ),
        pytest.param([answer(b"page", "no colon")], b"page", id="no colon"),
        pytest.param(
            [OK + b"no colon\r\n", b"Content-", b"Length: 4\r\n\r\npa", b"ge"],
            b"page",
            id="no colon, in pieces",
        ),
        pytest.param(
            [answer(b"page", "Content-Length: 4")], b"page", id="a length said twice"
        ),
        pytest.param(
            [
                OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"4\r\npage\r\n0\r\n\r\n"
            ],
            b"page",
            id="length and chunked: chunked wins",
        ),
        pytest.param([answer(b"page", "X: \xe4\xf6")], b"page", id="latin-1 header"),
        pytest.param(
            [answer(b"page", status="999 Denied")], b"page", id="a status of its own"
        ),
        pytest.param(
            [answer(gzip.compress(b"page"), "Content-Encoding: gzip")],
            b"page",
            id="gzip",
        ),
        pytest.param(
            [
                OK
                + b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
                % (len(gzip.compress(b"page")), gzip.compress(b"page"))
            ],
            b"page",
            id="gzip as a transfer coding",
        ),
        pytest.param([answer(b"", status="304 Not Modified")], b"", id="304"),
        pytest.param(
            [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"],
            b"",
            id="304 with the length of what it stands for",
        ),
        pytest.param(
            [b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\npage"],
            b"",
            id="204 with a body",
        ),
        pytest.param(
            [answer(b"page") + b"surplus"], b"page", id="bytes after the body"
        ),
        pytest.param([answer(b"page") * 2], b"page", id="a second answer"),
        pytest.param(
            [bytes([byte]) for byte in answer(b"page")], b"page", id="dripping"
        ),
        pytest.param(
            [answer(b"page", "A: b\x01\x1b[0m\x7f\x80")], b"page", id="controls"
        ),
        pytest.param([answer(b"page", "A : b", "B\t: c")], b"page", id="blank, colon"),
        pytest.param(
            [OK + b"Content-Length : 4\r\n\r\npage"], b"page", id="length, blank"
        ),
        pytest.param([answer(b"page", "A B: c", "A(b): c")], b"page", id="no token"),
        pytest.param([answer(b"page", ": b", ":")], b"page", id="no name"),
        pytest.param([answer(b"page", "A: b\r\n c\r\n\td")], b"page", id="folded"),
        pytest.param(
            [OK + b" folded: x\r\nContent-Length: 4\r\n\r\npage"],
            b"page",
            id="folded, though nothing comes before",
        ),
        pytest.param(
            [OK + b"Content-Length:\r\n 4\r\n\r\npage"], b"page", id="folded length"
        ),
        pytest.param(
            [OK + b"no colon\r\n Content-Length: 9\r\nContent-Length: 4\r\n\r\npage"],
            b"page",
            id="what continues a line that is skipped",
        ),
        pytest.param([OK + b"Content-Length: 4, 4\r\n\r\npage"], b"page", id="4, 4"),
        pytest.param(
            [OK + b"Content-Length:\r\n\r\npage", CLOSE], b"page", id="empty length"
        ),
        *[
            pytest.param(
                [line + b"\r\nContent-Length: 4\r\n\r\npage"], b"page", id=f"{line!r}"
            )
            for line in (
                b"HTTP/1.1  200 OK",
                b"HTTP/1.1\t200 OK",
                b"HTTP/1.1 200  OK ",
                b"HTTP/1.1 200OK",
                b"HTTP/1.1 200 \x1b\xe9",
                b"http/1.1 200 OK",
                b"HTTP/1 200 OK",
                b"HTTP/1.2 200 OK",
                b"HTTP/2.0 200 OK",
                b"HTTP 200 OK",
                b"ICY 200 OK",
                b" HTTP/1.1 200 OK",
                b"\r\n\r\nHTTP/1.1 200 OK",
            )
        ],
        pytest.param(
            [b"HTTP/1.1 103 Hints\r\nLink : a\r\n\r\n" + answer(b"page", "A : b")],
            b"page",
            id="103 with faults, too",
        ),
        *[
            pytest.param(
                [OK + b"".join(lines) + b"\r\n4\r\npage\r\n0\r\n\r\n"],
                b"page",
                id=f"chunked: {lines!r}",
            )
            for lines in (
                [b"Transfer-Encoding: chunked\r\n"] * 2,
                [b"Transfer-Encoding: chunked, chunked\r\n"],
                [b"Transfer-Encoding: chunked;a=b\r\n"],
                [b"Transfer-Encoding: chunked,\r\n"],
                [b"Transfer-Encoding: \r\n", b"Transfer-Encoding: chunked\r\n"],
                [b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n"],
                [b"Transfer-Encoding: chunked\r\n", b"A : b\r\n"],
            )
        ],
        pytest.param(
            [OK + b"Transfer-Encoding: identity\r\nContent-Length: 4\r\n\r\npage"],
            b"page",
            id="identity and a length",
        ),
        pytest.param(
            [OK + b"Transfer-Encoding: gzip\r\n\r\n" + gzip.compress(b"page"), CLOSE],
            b"page",
            id="gzip as the only transfer coding",
        ),
        pytest.param(
            [
                OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"Content-Encoding: gzip"
                b"\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
                % (len(gzip.compress(b"page")), gzip.compress(b"page"))
            ],
            b"page",
            id="chunked twice, and gzip",
        ),
        *[
            pytest.param([CHUNKED + body], b"page", id=f"{body!r}")
            for body in (
                b"4 \r\npage\r\n0 \r\n\r\n",
                b"4\t ;a=b\r\npage\r\n0;a\r\n\r\n",
                b"4\npage\n0\n\n",
                b"4\npage\r\n0\r\n\r\n",
                b"2\r\npa\n2\nge\r\n0\n\r\n",
                b'4;a="\x01"\r\npage\r\n000\r\nA\x01 : b\r\n\r\n',
                b"00004\r\npage\r\n0\r\n\r\n",
            )
        ],
        pytest.param(
            [CHUNKED, *[bytes((byte,)) for byte in b"4 \npage\n0 \n\n"]],
            b"page",
            id="chunks with faults, dripping",
        ),
        pytest.param(
            [CHUNKED + b"4\r\npage\r\n0\r\n", CLOSE], b"page", id="no empty line"
        ),
    ],
)
async def test_a_response_is_read(script: Script, body: bytes) -> None:
    result = await outcome(script)

    assert isinstance(result, httpx.Response)
    assert result.content == body
    assert "content-encoding" not in result.headers


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param([CLOSE], PROTOCOL, id="nothing at all"),
        pytest.param([RESET], ResetError, id="a reset"),
        pytest.param([OK + b"Content-Le", CLOSE], PROTOCOL, id="mid-head"),
        pytest.param([b"hello\r\n\r\n"], UnreadableError, id="no HTTP"),
        pytest.param([b"<html>\r\n", HANG], UnreadableError, id="HTTP/0.9"),
        pytest.param([OK + b"A: b\0c\r\n", HANG], UnreadableError, id="NUL, no end"),
        pytest.param([OK + b"A\0: b\r\n\r\n"], UnreadableError, id="NUL in a name"),
        pytest.param([b"HTTP/1.1 2000 OK\r\n\r\n"], UnreadableError, id="2000"),
        pytest.param(
            [OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n4\r\npage"],
            UnreadableError,
            id="chunked is not the last coding",
        ),
        pytest.param(
            [CHUNKED + b"4\r\npages\r\n0\r\n\r\n"], UnreadableError, id="long chunk"
        ),
        pytest.param([CHUNKED + b"4" * 20_000, HANG], UnreadableError, id="444..."),
        pytest.param([b"HTTP/1.1 99 X\r\n\r\n"], UnreadableError, id="99"),
        pytest.param(
            [OK + b"Content-Length: 9\r\n\r\npage", CLOSE], TruncatedError, id="short"
        ),
        pytest.param(
            [OK + b"Content-Length: 9\r\n\r\npage", RESET],
            TruncatedError,
            id="short, by a reset",
        ),
        pytest.param([CHUNKED + b"9\r\npage", CLOSE], TruncatedError, id="mid-chunk"),
        pytest.param(
            [CHUNKED + b"4\r\npage\r\n", CLOSE], TruncatedError, id="no last chunk"
        ),
        pytest.param(
            [answer(gzip.compress(b"page")[:-9], "Content-Encoding: gzip")],
            TruncatedError,
            id="cut inside its encoding",
        ),
        pytest.param([CHUNKED + b"ZZ\r\npage"], UnreadableError, id="size ZZ"),
        pytest.param([CHUNKED + b"-4\r\npage"], UnreadableError, id="size -4"),
        pytest.param(
            [CHUNKED + b"f" * 20 + b"\r\npage"], UnreadableError, id="size fff..."
        ),
        pytest.param(
            [OK + b"Content-Length: -1\r\n\r\n"], UnreadableError, id="length -1"
        ),
        pytest.param(
            [answer(b"page", "Content-Length: 5")],
            UnreadableError,
            id="two different lengths",
        ),
        pytest.param([answer(b"page", "A: b\rc")], UnreadableError, id="bare CR"),
        pytest.param([answer(b"page", "A: b\0c")], UnreadableError, id="NUL"),
        pytest.param(
            [b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
            UnreadableError,
            id="101",
        ),
        pytest.param(
            [b"HTTP/1.1 103 Early Hints\r\n\r\n" * 17],
            UnreadableError,
            id="103 without end",
        ),
        pytest.param(
            [OK + b"A: " + b"b" * 70_000 + b"\r\n\r\n"],
            HeaderTooLargeError,
            id="a long line",
        ),
        pytest.param([OK + b"A: b\r\n" * 600], HeaderTooLargeError, id="many lines"),
        pytest.param(
            [OK + b"A: b\r\n" * 10_000], HeaderTooLargeError, id="10,000 lines"
        ),
        pytest.param(
            [OK] + [b"A" * 9000] * 9 + [HANG], HeaderTooLargeError, id="no end"
        ),
        pytest.param(
            [CHUNKED + b"0\r\n" + b"A: b\r\n" * 1000 + b"\r\n"],
            HeaderTooLargeError,
            id="trailers without end",
        ),
        pytest.param(
            [answer(b"page", "Content-Encoding: gzip, gzip, gzip")],
            httpx.DecodingError,
            id="three encodings",
        ),
        pytest.param(
            [answer(b"page", "Content-Encoding: gzip")],
            httpx.DecodingError,
            id="no gzip",
        ),
        pytest.param(
            [OK + b"Content-Length: 10000000000\r\n\r\n", HANG],
            TooLargeError,
            id="10 GB",
        ),
        pytest.param(
            [CHUNKED] + [b"1;%b\r\nx\r\n" % (b"e" * 9000)] * 100 + [HANG],
            UnreadableError,
            id="chunks that are all extension",
        ),
    ],
)
async def test_a_broken_response_is_a_clear_error(
    script: Script, error: type[Exception]
) -> None:
    result = await outcome(script)

    assert type(result) is error, readable(script)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param([HANG], httpx.ReadTimeout, id="no head"),
        pytest.param([OK + b"A: b", HANG], httpx.ReadTimeout, id="half a head"),
        pytest.param(
            [OK + b"Content-Length: 9\r\n\r\npage", HANG],
            httpx.ReadTimeout,
            id="half a body",
        ),
    ],
)
async def test_a_silent_server_causes_a_read_timeout(
    script: Script, error: type[Exception]
) -> None:
    result = await outcome(script, timeouts=Timeouts(read=0.2))

    assert type(result) is error


async def drip(
    served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """A byte now and then, for ever."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK + b"Content-Length: 1000000\r\n\r\n")
    while not reader.at_eof():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def test_a_body_that_arrives_too_slowly_is_too_slow() -> None:
    transport = Transport(options=options(min_rate=1000, min_rate_window=0.5))
    async with serve(drip) as served, client(transport) as http:
        with pytest.raises(TooSlowError):
            await http.get(served.url)


async def test_a_request_may_have_its_own_deadline() -> None:
    async with serve(drip) as served, client(Transport(options=options())) as http:
        timeout = {"timeout": {"total": 0.4}}
        with pytest.raises(httpx.ReadTimeout, match=r"0\.4 s"):
            await http.get(served.url, extensions=timeout)


async def test_a_closed_port_is_connect_refused() -> None:
    async with client(Transport(options=options())) as http:
        with free_port() as port, pytest.raises(RefusedError):
            await http.get(f"http://127.0.0.1:{port}/")


async def test_an_endless_body_is_cut_at_max_body() -> None:
    async def endless(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    transport = Transport(options=options(bounds=Bounds(max_body=10**6)))
    async with serve(endless) as served, client(transport) as http:
        with pytest.raises(TooLargeError):
            await http.get(served.url)
        assert transport.statistics().open_connections == 0


async def test_a_request_may_have_its_own_limits() -> None:
    transport = Transport(options=options(bounds=Bounds(max_body=3)))
    async with serve(scripted([answer(b"page")])) as served, client(transport) as http:
        with pytest.raises(TooLargeError):
            await http.get(served.url)
        response = await http.get(served.url, extensions={"bounds": Bounds()})

        assert response.text == "page"


async def test_requests_share_a_connection() -> None:
    transport = Transport(options=options())
    async with serve(scripted([answer()])) as served, client(transport) as http:
        for _ in range(5):
            assert (await http.get(served.url)).text == "page"

        assert served.connections == 1
        assert transport.statistics().idle_connections == 1


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([answer(b"page", "Connection: close")], id="Connection: close"),
        pytest.param(
            [b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\npage"], id="HTTP/1.0"
        ),
        pytest.param([answer(b"page", "no colon")], id="a repaired head"),
        pytest.param([answer(b"page") + b"surplus"], id="bytes after the body"),
    ],
)
async def test_a_connection_in_an_unknown_state_is_not_used_again(
    script: Script,
) -> None:
    transport = Transport(options=options())
    async with serve(scripted(script)) as served, client(transport) as http:
        for _ in range(3):
            assert (await http.get(served.url)).text == "page"

        assert served.connections == 3


LONG = random.Random(3).randbytes(3_000_000)


@pytest.mark.parametrize(
    ("surplus", "connections"), [(b"", 1), (b"surplus", 3), (b"HTTP/1.1 200 OK", 3)]
)
async def test_a_long_body_ends_at_its_announced_length(
    surplus: bytes, connections: int
) -> None:
    transport = Transport(options=options())
    script = [answer(LONG) + surplus]
    async with serve(scripted(script)) as served, client(transport) as http:
        for _ in range(3):
            assert (await http.get(served.url)).content == LONG

        assert served.connections == connections


async def test_a_long_body_that_breaks_off_is_truncated() -> None:
    result = await outcome([answer(LONG)[:-1], CLOSE])

    assert type(result) is TruncatedError


async def test_a_long_body_with_connection_close_ends_the_connection() -> None:
    transport = Transport(options=options())
    script = [answer(LONG, "Connection: close")]
    async with serve(scripted(script)) as served, client(transport) as http:
        for _ in range(2):
            assert (await http.get(served.url)).content == LONG

        assert served.connections == 2


async def test_an_unrequested_response_closes_the_connection() -> None:
    async def talkative(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"mine"))
        await writer.drain()
        await release.wait()
        writer.write(answer(b"nobody's"))
        assert await reader.read() == b""
        closed.set()

    release, closed = asyncio.Event(), asyncio.Event()
    async with (
        serve(talkative) as served,
        client(Transport(options=options())) as http,
    ):
        assert (await http.get(served.url)).text == "mine"
        release.set()
        await closed.wait()
        assert (await http.get(served.url)).text == "mine"

        assert served.connections == 2


async def test_an_idle_connection_that_dies_at_its_next_use_is_replaced() -> None:
    async def once(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer())
        head = await reader.readuntil(b"\r\n\r\n")
        served.requests.append(head.split()[0].decode())

    transport = Transport(options=options())
    async with serve(once) as served, client(transport) as http:
        for _ in range(3):
            assert (await http.get(served.url)).text == "page"
        with pytest.raises(PROTOCOL, match="closed the connection"):
            await http.post(served.url, content=b"never twice")

        assert served.requests == ["GET", "GET", "POST"]
        assert transport.statistics().resent == 2


async def tired(
    served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer the first request of each connection, and hang up at the second."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(answer())
    await reader.readuntil(b"\r\n\r\n")


async def test_a_post_that_an_idle_connection_failed_gets_a_new_connection() -> None:
    transport = Transport(options=options())
    async with serve(tired) as served, client(transport) as http:
        await asyncio.gather(*(http.get(served.url) for _ in range(20)))
        failed = 0
        for number in range(20):
            url = f"{served.url}/{number}"
            try:
                await http.post(url, content=b"once")
            except httpx.TransportError:
                failed += 1
                assert (await http.post(url, content=b"twice")).text == "page"

        assert failed


async def test_a_new_connection_is_opened_even_if_all_places_are_taken() -> None:
    transport = Transport(options=options(max_per_origin=2))
    async with serve(tired) as served, client(transport) as http:
        await asyncio.gather(*(http.get(served.url) for _ in range(2)))
        with pytest.raises(httpx.TransportError):
            await http.post(served.url, content=b"once")
        await http.get(served.url)

        assert (await http.post(served.url, content=b"twice")).text == "page"


async def test_a_408_that_crossed_the_request_is_not_its_response() -> None:
    async def impatient(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"", "Connection: close", status="408 Request Timeout"))

    transport = Transport(options=options())
    async with serve(impatient) as served, client(transport) as http:
        for _ in range(4):
            assert (await http.post(served.url, content=b"a")).status_code == 200


async def test_a_408_on_a_new_connection_is_the_response() -> None:
    async with (
        serve(scripted([answer(b"", status="408 Request Timeout")])) as served,
        client(Transport(options=options())) as http,
    ):
        assert (await http.get(served.url)).status_code == 408


async def test_a_connection_that_the_server_closes_while_idle_is_removed() -> None:
    async def brief(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer())
        await writer.drain()

    transport = Transport(options=options())
    async with serve(brief) as served, client(transport) as http:
        for _ in range(30):
            assert (await http.get(served.url)).text == "page"
            await until(lambda: not transport.statistics().open_connections)

        assert transport.statistics().resent == 0


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Encoding: gzip\r\n",
        b"",
    ],
)
async def test_a_head_response_has_no_body_and_keeps_the_connection(
    head: bytes,
) -> None:
    scripts = {"/": [OK + head + b"\r\n"], "/next": [answer(b"next")]}
    transport = Transport(options=options())
    async with serve(scripted(scripts)) as served, client(transport) as http:
        response = await http.head(served.url)
        following = await http.get(f"{served.url}/next")

        assert (response.status_code, response.content) == (200, b"")
        assert following.text == "next"
        assert served.connections == 1


async def test_a_body_after_a_head_response_is_not_the_next_response() -> None:
    scripts = {"/": [answer(b"HTTP/1.1 200 OK\r\n\r\n")], "/next": [answer(b"next")]}
    transport = Transport(options=options())
    async with serve(scripted(scripts)) as served, client(transport) as http:
        await http.head(served.url)
        following = await http.get(f"{served.url}/next")

        assert following.text == "next"


def is_at_rest(transport: Transport) -> bool:
    now = transport.statistics()
    return now.open_connections == now.idle_connections


async def test_a_short_rest_of_a_body_is_drained_but_a_long_one_is_not() -> None:
    async def half(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.split()[1][1:])
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % length + b"x")
            await release.wait()
            writer.write(b"x" * (length - 1))
            await writer.drain()

    release = asyncio.Event()
    transport = Transport(options=options())
    async with serve(half) as served, client(transport) as http:
        for length in (1000, 10**6):
            release.clear()
            async with http.stream("GET", f"{served.url}/{length}"):
                pass
            release.set()
            await until(lambda: is_at_rest(transport))
            open_now = transport.statistics().open_connections

            assert open_now == (1 if length == 1000 else 0)


@pytest.mark.parametrize(
    ("rest", "is_kept"),
    [
        pytest.param(b"3\r\nabc\r\n0\r\n\r\n", True, id="short"),
        pytest.param(b"ffff\r\n" + bytes(0xFFFF) + b"\r\n", False, id="without end"),
        pytest.param(2 * (b"c000\r\n" + bytes(0xC000) + b"\r\n"), False, id="long"),
    ],
)
async def test_the_rest_of_a_chunked_body_is_drained_if_it_is_short(
    rest: bytes, is_kept: bool
) -> None:
    async def half(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        await release.wait()
        writer.write(rest)
        await reader.read()

    release = asyncio.Event()
    transport = Transport(options=options())
    async with serve(half) as served, client(transport) as http:
        async with http.stream("GET", served.url):
            pass
        assert transport.statistics().open_connections == 1

        release.set()
        await until(lambda: is_at_rest(transport))

        assert transport.statistics().open_connections == int(is_kept)


async def test_the_peer_is_slowed_down_while_the_body_is_not_read() -> None:
    async def generous(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 20000000\r\n\r\n")
        for _ in range(200):
            writer.write(bytes(100_000))
            await writer.drain()
            sent.append(100_000)
        await reader.read()

    sent: list[int] = []
    transport = Transport(options=options(timeouts=Timeouts(read=0.3)))
    async with serve(generous) as served, client(transport) as http:
        async with http.stream("GET", served.url) as response:
            before = -1
            while before != len(sent):
                before = len(sent)
                await asyncio.sleep(0.5)  # longer than the read timeout
            assert sum(sent) < 15_000_000
            size = 0
            async for chunk in response.aiter_raw():
                size += len(chunk)

        assert size == 20_000_000


async def echo(
    served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer with the method, how the body was framed, and its bytes."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        body = b""
        if b"chunked" in head.lower():
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        else:
            length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            body = await reader.readexactly(int(length or 0))
        writer.write(answer(head.split()[0] + b" " + body))


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


async def test_a_request_body_is_sent_from_memory_or_streamed() -> None:
    large = bytes(3_000_000)
    async with serve(echo) as served, client(Transport(options=options())) as http:
        kept = await http.post(served.url, content=b"kept")
        chunked = await http.put(served.url, content=pieces(b"stre", b"", b"amed"))
        sized = await http.post(
            served.url, content=pieces(b"si", b"zed"), headers={"Content-Length": "5"}
        )
        long = await http.post(served.url, content=pieces(large, large))

        assert kept.text == "POST kept"
        assert chunked.text == "PUT streamed"
        assert sized.text == "POST sized"
        assert len(long.content) == 6_000_005
        assert served.connections == 1


async def test_a_response_may_arrive_before_the_whole_body_was_sent() -> None:
    async def impatient(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"too much", status="413 Content Too Large"))
        await writer.drain()
        answered.set()
        await reader.read()

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await answered.wait()
        for _ in range(1000):
            await asyncio.sleep(0)
            yield b"more"
        raise AssertionError("nobody wants all this")

    answered = asyncio.Event()
    async with serve(impatient) as served, client(Transport(options=options())) as http:
        response = await http.post(served.url, content=body())

        assert response.status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"A": "b\r\nC: d"},
        {"A": "b\nC: d"},
        {"A": "b\0"},
        {"A": "b\rc"},
        {"A\r\nB": "c"},
    ],
)
async def test_a_request_with_a_line_break_in_its_head_is_not_sent(
    headers: dict[str, str],
) -> None:
    async with (
        serve(scripted([answer()])) as served,
        client(Transport(options=options())) as http,
    ):
        with pytest.raises(httpx.LocalProtocolError):
            await http.get(served.url, headers=headers)
        assert (await http.get(served.url)).text == "page"

        assert len(served.requests) == 1


async def test_resets_after_each_head_leak_nothing() -> None:
    async def rude(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 99\r\n\r\n")
        await writer.drain()
        reset(writer)

    transport = Transport(options=options())
    async with serve(rude) as served, client(transport) as http:
        for _ in range(20):
            with pytest.raises((TruncatedError, ResetError)):
                await http.get(served.url)

        assert transport.statistics().open_connections == 0


async def test_a_response_has_the_details_of_its_connection() -> None:
    body = gzip.compress(b"page")
    script = [answer(body, "Content-Encoding: gzip", status="200 Fine")]
    async with (
        serve(scripted(script)) as served,
        client(Transport(options=options())) as http,
    ):
        response = await http.get(served.url)
        stream = response.extensions["network_stream"]

        assert response.http_version == "HTTP/1.1"
        assert response.reason_phrase == "Fine"
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", served.port)
        assert response.extensions["crawler"] == {
            "content_encoding": "gzip",
            "content_length": len(body),
        }


async def test_without_decoding_the_transferred_bytes_are_returned() -> None:
    body = gzip.compress(b"page")
    transport = Transport(options=options(decode=False))
    script = [answer(body, "Content-Encoding: gzip")]
    async with serve(scripted(script)) as served, client(transport) as http:
        async with http.stream("GET", served.url) as response:
            wire = b"".join([chunk async for chunk in response.aiter_raw()])

        assert wire == body
        assert response.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("seed", range(60))
async def test_corrupted_bytes_never_hang_or_break_the_client(seed: int) -> None:
    """Well-formed answers with bytes changed, cut, doubled or added."""
    chance = random.Random(seed)
    said = bytearray(
        b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
        + OK
        + b"Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"4;a=b\r\npage\r\n6\r\n pages\r\n0\r\nDigest: x\r\n\r\n"
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

    result = await outcome([bytes(said), CLOSE])

    assert not isinstance(result, httpx.LocalProtocolError)
