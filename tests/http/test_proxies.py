"""Proxies, real ones on loopback: each keeps a log, and gets exactly its own pages."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from crawler.http.content_decoding import Bounds
from crawler.http.errors import BombError, DeadlineError, TooLargeError, TruncatedError
from crawler.http.transport import Transport
from tests.http.servers import (
    HANG,
    Served,
    answer,
    certificates,
    client,
    options,
    scripted,
    serve,
)

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def relay(client: Stream, target: Stream) -> None:
    """Pass bytes on in both directions until either side ends."""
    ways = [
        asyncio.ensure_future(copy(client[0], target[1])),
        asyncio.ensure_future(copy(target[0], client[1])),
    ]
    for way in ways:
        way.set_name("a connection of a test's server")
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        target[1].transport.abort()


async def http_proxy(
    served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Plain requests are forwarded, CONNECT opens a tunnel."""
    head = await reader.readuntil(b"\r\n\r\n")
    served.requests.append(head.split(b"\r\n")[0].decode())
    served.requests += [
        line.decode()
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"proxy-authorization")
    ]
    method, target = head.split()[:2]
    place = target if method == b"CONNECT" else target.split(b"/")[2]
    port = place.decode().partition(":")[2]
    onward = await asyncio.open_connection("127.0.0.1", int(port))
    if method == b"CONNECT":
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        path = b"/" + target.split(b"/", 3)[3]
        onward[1].write(head.replace(target, path, 1))
    await relay((reader, writer), onward)


async def socks_proxy(
    served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """SOCKS5 (RFC 1928) without authentication."""
    _, count = await reader.readexactly(2)
    await reader.readexactly(count)
    writer.write(b"\x05\x00")
    _, _, _, kind = await reader.readexactly(4)
    if kind == 3:
        (length,) = await reader.readexactly(1)
        host = (await reader.readexactly(length)).decode()
    else:
        host = ".".join(map(str, await reader.readexactly(4)))
    port = int.from_bytes(await reader.readexactly(2), "big")
    served.requests.append(f"{host}:{port}")
    onward = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x05\x00\x00\x01" + bytes(6))
    await relay((reader, writer), onward)


Handler = Callable[
    [Served, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]
]


@asynccontextmanager
async def site_and_proxies(
    proxy: Handler, script: list[bytes | str], *, tls: bool = False
) -> AsyncIterator[tuple[Served, Served, Served, httpx.AsyncClient]]:
    context = certificates().server() if tls else None
    transport = Transport(
        certificates().client(), options=options(bounds=Bounds(max_body=10_000))
    )
    async with (
        serve(scripted(script), context) as site,
        serve(proxy) as first,
        serve(proxy) as second,
        client(transport) as http,
    ):
        yield site, first, second, http


def through(proxy: Served, **extensions: object) -> dict[str, object]:
    return {"proxy": f"http://127.0.0.1:{proxy.port}", **extensions}


@pytest.mark.parametrize("tls", [False, True])
async def test_each_proxy_gets_exactly_its_own_pages(tls: bool) -> None:
    async with site_and_proxies(http_proxy, [answer()], tls=tls) as parts:
        site, first, second, http = parts
        for proxy in (first, second):
            response = await http.get(f"{site.url}/a", extensions=through(proxy))
            assert response.text == "page"
        assert (await http.get(f"{site.url}/direct")).text == "page"

        said = [f"CONNECT localhost:{site.port} HTTP/1.1"]
        if not tls:
            said = [f"GET {site.url}/a HTTP/1.1"]
        assert first.requests == second.requests == said
        assert len(site.requests) == 3


async def test_socks_is_spoken_where_socksio_is_installed() -> None:
    pytest.importorskip("socksio")
    async with site_and_proxies(socks_proxy, [answer()]) as (site, first, second, http):
        proxy = f"socks5://127.0.0.1:{second.port}"
        response = await http.get(site.url, extensions={"proxy": proxy})

        assert response.text == "page"
        assert first.requests == []
        assert second.requests == [f"localhost:{site.port}"]


async def test_a_proxys_credentials_go_to_the_proxy_alone() -> None:
    async with site_and_proxies(http_proxy, [answer()]) as (site, first, _, http):
        proxy = f"http://user:secret@127.0.0.1:{first.port}"
        await http.get(site.url, extensions={"proxy": proxy})

        assert any("Basic dXNlcjpzZWNyZXQ=" in line for line in first.requests)
        assert all("dXNlcjpzZWNyZXQ" not in line for line in site.requests)


async def test_a_proxy_may_serve_all_requests_that_name_none() -> None:
    async with serve(scripted([answer()])) as site, serve(http_proxy) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        transport = Transport(options=options(proxy=url))
        async with client(transport) as http:
            assert (await http.get(site.url)).text == "page"

            assert len(proxy.requests) == 1
            assert transport.statistics().http_versions == {"HTTP/1.1": 1}


async def test_an_answer_through_a_proxy_is_decoded_and_bounded() -> None:
    body = gzip.compress(b"page" * 100)
    script: list[bytes | str] = [answer(body, "Content-Encoding: gzip")]
    async with site_and_proxies(http_proxy, script) as (site, first, _, http):
        response = await http.get(site.url, extensions=through(first))

        assert response.text == "page" * 100
        assert response.extensions["crawler"]["content_encoding"] == "gzip"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param([answer(bytes(20_000))], TooLargeError, id="announced"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\n\r\n" + bytes(20_000), HANG],
            TooLargeError,
            id="without a length",
        ),
        pytest.param(
            [answer(gzip.compress(bytes(5_000_000)), "Content-Encoding: gzip")],
            BombError,
            id="a bomb",
        ),
        pytest.param(
            [answer(gzip.compress(b"page")[:-2], "Content-Encoding: gzip")],
            TruncatedError,
            id="cut short",
        ),
    ],
)
async def test_a_body_through_a_proxy_has_the_same_bounds(
    script: list[bytes | str], error: type[Exception]
) -> None:
    async with site_and_proxies(http_proxy, script) as (site, first, _, http):
        with pytest.raises(error):
            await http.get(site.url, extensions=through(first))


@pytest.mark.parametrize(
    "script", [[HANG], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", HANG]]
)
async def test_a_deadline_holds_through_a_proxy(script: list[bytes | str]) -> None:
    async with site_and_proxies(http_proxy, script) as (site, first, _, http):
        timeout = {"total": 0.3}
        with pytest.raises(DeadlineError):
            await http.get(site.url, extensions=through(first, timeout=timeout))


async def test_a_proxy_that_nobody_uses_any_more_is_let_go() -> None:
    async with serve(scripted([answer()])) as site:
        transport = Transport(options=options(max_proxies=1))
        async with (
            serve(http_proxy) as first,
            serve(http_proxy) as second,
            client(transport) as http,
        ):
            for proxy in (first, second, first):
                await http.get(site.url, extensions=through(proxy))

            assert [first.connections, second.connections] == [2, 1]
