"""What any transport below the client has to do: our own, and the stock one beside it.

Cases that the stock transport fails are marked; should it learn them, this tells.
"""

import asyncio
import gzip
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
import pytest
from h2.errors import ErrorCodes

from crawler.http.transport import Transport
from tests.http import frames
from tests.http.peers import CONCURRENT, Behaviour, Peer, at_first, goaway, peer
from tests.http.servers import (
    CLOSE,
    Script,
    Served,
    answer,
    certificates,
    client,
    options,
    scripted,
    serve,
)

Make = Callable[..., httpx.AsyncBaseTransport]


def own(
    context: ssl.SSLContext | bool = True, *, http1: bool = True, http2: bool = False
) -> Transport:
    return Transport(context, http1=http1, http2=http2, options=options())


def stock(
    context: ssl.SSLContext | bool = True, *, http1: bool = True, http2: bool = False
) -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(
        verify=context, trust_env=False, http1=http1, http2=http2
    )


OK = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True)
class Case:
    script: Script
    #: The body, or the class of the error, that the caller gets.
    expected: bytes | type[Exception]
    stock_fails: bool = False


CASES: Mapping[str, Case] = {
    "a length": Case([answer(b"page")], b"page"),
    "chunked": Case(
        [OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n"], b"page"
    ),
    "until close": Case([OK + b"\r\npage", CLOSE], b"page"),
    "gzip": Case([answer(gzip.compress(b"page"), "Content-Encoding: gzip")], b"page"),
    "gzip of two members": Case(
        [answer(gzip.compress(b"pa") + gzip.compress(b"ge"), "Content-Encoding: gzip")],
        b"page",
        stock_fails=True,
    ),
    "gzip cut short": Case(
        [answer(gzip.compress(b"page")[:-9], "Content-Encoding: gzip")],
        httpx.DecodingError,
        stock_fails=True,
    ),
    "a bomb": Case(
        [answer(gzip.compress(bytes(10**7)), "Content-Encoding: gzip")],
        httpx.DecodingError,
        stock_fails=True,
    ),
    "204": Case([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
    "304": Case([b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"], b""),
    "103 first": Case(
        [b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", answer(b"page")], b"page"
    ),
    "a line without a colon": Case(
        [answer(b"page", "no colon")], b"page", stock_fails=True
    ),
    "a body cut short": Case(
        [OK + b"Content-Length: 9\r\n\r\npage", CLOSE], httpx.RemoteProtocolError
    ),
    "a chunk cut short": Case(
        [OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\npage", CLOSE],
        httpx.RemoteProtocolError,
    ),
    "two lengths": Case(
        [answer(b"page", "Content-Length: 5")], httpx.RemoteProtocolError
    ),
    "an obs-fold": Case([answer(b"page", "A: b\r\n c")], b"page"),
    "a blank size line": Case(
        [OK + b"Transfer-Encoding: chunked\r\n\r\n4 \npage\n0\n\n"],
        b"page",
        stock_fails=True,
    ),
    "no answer": Case([CLOSE], httpx.RemoteProtocolError),
    "no HTTP": Case([b"hello\r\n\r\n", CLOSE], httpx.RemoteProtocolError),
    "9,000 header lines": Case(
        [OK + b"A: b\r\n" * 9000 + b"Content-Length: 0\r\n\r\n"],
        httpx.RemoteProtocolError,
        stock_fails=True,
    ),
}


async def result(http: httpx.AsyncClient, url: str) -> bytes | type[Exception]:
    try:
        return (await http.get(url)).content
    except httpx.HTTPError as exc:
        return type(exc)


def is_as(got: bytes | type[Exception], expected: bytes | type[Exception]) -> bool:
    if isinstance(got, type) and isinstance(expected, type):
        return issubclass(got, expected)
    return got == expected


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("make", [own, stock])
async def test_the_transport_conforms_over_http1(make: Make, name: str) -> None:
    case = CASES[name]
    async with (
        serve(scripted({"/": case.script, "/next": [answer(b"next")]})) as served,
        httpx.AsyncClient(transport=make()) as http,
    ):
        got = await result(http, served.url)

        assert is_as(got, case.expected) is not (make is stock and case.stock_fails)
        assert await result(http, f"{served.url}/next") == b"next"


async def refusing(peer: Peer) -> None:
    await peer.start()
    stream_id, _ = await peer.request()
    peer.send(frames.reset(stream_id, ErrorCodes.REFUSED_STREAM))
    await peer.go_on()


async def going_away(peer: Peer) -> None:
    await peer.start({CONCURRENT: 100})
    streams = [(await peer.request())[0] for _ in range(10)]
    peer.send(goaway(streams[4]))
    for stream_id in streams[:5]:
        peer.answer(stream_id)


async def pushing(peer: Peer) -> None:
    await peer.start()
    stream_id, _ = await peer.request()
    promise = (2).to_bytes(4, "big") + bytes([0x82, 0x87, 0x84])
    length = len(promise).to_bytes(3, "big")
    head = bytes((frames.PUSH_PROMISE, frames.END_HEADERS))
    peer.send(length + head + stream_id.to_bytes(4, "big") + promise)
    await peer.go_on()


async def fine(peer: Peer) -> None:
    await (await peer.start()).go_on()


@pytest.mark.parametrize(
    ("behaviour", "stock_fails"),
    [(fine, False), (refusing, True), (going_away, True), (pushing, True)],
)
@pytest.mark.parametrize("make", [own, stock])
async def test_the_transport_conforms_over_http2(
    make: Make, behaviour: Behaviour, stock_fails: bool
) -> None:
    transport = make(http1=False, http2=True)
    async with (
        peer(at_first(behaviour)) as served,
        httpx.AsyncClient(transport=transport) as http,
    ):
        results = await asyncio.gather(*(result(http, served.url) for _ in range(10)))

        assert (set(results) == {b"page"}) is not (make is stock and stock_fails)


@pytest.mark.parametrize("make", [own, stock])
async def test_a_response_has_the_attributes_of_an_httpx_response(make: Make) -> None:
    script = [answer(b'{"a": "\xc3\xa4"}', "Content-Type: application/json", "X: y")]
    context = certificates().client()
    async with (
        serve(scripted(script), certificates().server()) as served,
        httpx.AsyncClient(transport=make(context, http2=True)) as http,
    ):
        response = await http.get(served.url)
        stream = response.extensions["network_stream"]

        assert response.json() == {"a": "ä"}
        assert response.is_success
        assert response.reason_phrase == "OK"
        assert response.headers["x"] == "y"
        assert response.http_version == "HTTP/1.1"
        assert response.elapsed.total_seconds() >= 0
        assert stream.get_extra_info("server_addr")[1] == served.port
        assert stream.get_extra_info("ssl_object").version() in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("make", [own, stock])
async def test_a_client_can_be_used_as_any_httpx_client(make: Make) -> None:
    scripts: Mapping[str, Script] = {
        "/": [b"HTTP/1.1 302 Found\r\nLocation: /to\r\nContent-Length: 0\r\n\r\n"],
        "/to": [answer(b"there", "Set-Cookie: a=b")],
        "/lines": [answer(b"one\ntwo\n")],
    }
    seen: list[str] = []

    async def hook(response: httpx.Response) -> None:
        seen.append(str(response.status_code))

    async with (
        serve(scripted(scripts)) as served,
        httpx.AsyncClient(
            transport=make(),
            base_url=served.url,
            follow_redirects=True,
            auth=("user", "secret"),
            event_hooks={"response": [hook]},
        ) as http,
    ):
        response = await http.get("/")
        async with http.stream("GET", "/lines") as streamed:
            lines = [line async for line in streamed.aiter_lines()]

        assert response.text == "there"
        assert [each.status_code for each in response.history] == [302]
        assert http.cookies["a"] == "b"
        assert lines == ["one", "two"]
        assert seen == ["302", "200", "200"]


async def test_a_small_body_can_be_returned_without_waiting() -> None:
    transport = own()
    async with serve(
        scripted([answer(gzip.compress(b"page"), "Content-Encoding: gzip")])
    ) as served:
        response = await transport.handle_async_request(
            httpx.Request("GET", served.url, headers={"Host": "localhost"})
        )
        body = response.stream.take_complete()  # type: ignore[union-attr]

        assert body == b"page"
        await transport.aclose()


async def test_a_transport_needs_at_least_one_protocol() -> None:
    with pytest.raises(ValueError, match="no version of HTTP"):
        Transport(http1=False, http2=False)


def test_the_transport_works_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")
    context = certificates().client()

    async def by_alpn(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2":
            await fine(Peer(served, reader, writer))
        else:
            await scripted([answer()])(served, reader, writer)

    async def main() -> list[tuple[str, str]]:
        async with (
            serve(scripted([answer()])) as plain,
            serve(by_alpn, certificates().server("h2")) as newer,
            serve(by_alpn, certificates().server("http/1.1")) as older,
            client(own(context, http2=True)) as http,
        ):
            sites = [plain, newer, older]
            responses = await asyncio.gather(
                *(http.get(site.url) for site in sites for _ in range(20))
            )
        return sorted({(each.http_version, each.text) for each in responses})

    assert uvloop.run(main()) == [("HTTP/1.1", "page"), ("HTTP/2", "page")]
