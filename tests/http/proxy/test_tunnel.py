"""Requests through proxies: each proxy receives exactly its own, by every protocol."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from crawler.http.content_decoding import Bounds
from crawler.http.errors import BombError, DeadlineError, TooLargeError, TruncatedError
from crawler.http.transport import Transport
from tests.http.peers import Peer, peer
from tests.http.proxy.proxies import Handler, http_proxy, socks_proxy
from tests.http.servers import (
    HANG,
    Served,
    answer,
    certificates,
    client,
    options,
    scripted,
    serve,
    until,
)


async def well(peer: Peer) -> None:
    await (await peer.start()).go_on()


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
async def test_each_proxy_receives_exactly_its_own_requests(tls: bool) -> None:
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


async def test_credentials_of_a_proxy_are_sent_only_to_the_proxy() -> None:
    async with site_and_proxies(http_proxy, [answer()]) as (site, first, _, http):
        proxy = f"http://user:secret@127.0.0.1:{first.port}"
        await http.get(site.url, extensions={"proxy": proxy})

        assert any("Basic dXNlcjpzZWNyZXQ=" in line for line in first.requests)
        assert all("dXNlcjpzZWNyZXQ" not in line for line in site.requests)


async def test_a_proxy_may_serve_all_requests_without_their_own_proxy() -> None:
    async with serve(scripted([answer()])) as site, serve(http_proxy) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        transport = Transport(options=options(proxy=url))
        async with client(transport) as http:
            assert (await http.get(site.url)).text == "page"

            assert len(proxy.requests) == 1
            assert transport.statistics().http_versions == {"HTTP/1.1": 1}


async def test_a_response_through_a_proxy_is_decoded_and_limited() -> None:
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
            [answer(gzip.compress(b"page")[:-9], "Content-Encoding: gzip")],
            TruncatedError,
            id="cut short",
        ),
    ],
)
async def test_a_body_through_a_proxy_has_the_same_limits(
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


KINDS = [
    pytest.param(http_proxy, "http", id="http"),
    pytest.param(http_proxy, "https", id="https"),
    pytest.param(socks_proxy(), "socks5", id="socks5"),
    pytest.param(socks_proxy(), "socks5h", id="socks5h"),
]


@pytest.mark.parametrize("tls", [False, True], ids=["http://", "https://"])
@pytest.mark.parametrize(("proxy", "scheme"), KINDS)
async def test_every_kind_of_proxy_works_with_every_kind_of_site(
    proxy: Handler, scheme: str, tls: bool
) -> None:
    own = certificates()
    async with (
        serve(scripted([answer()]), own.server() if tls else None) as site,
        serve(proxy, own.server() if scheme == "https" else None) as served,
        client(Transport(own.client(), options=options())) as http,
    ):
        way = {"proxy": f"{scheme}://localhost:{served.port}"}
        for _ in range(2):
            assert (await http.get(f"{site.url}/a", extensions=way)).text == "page"

        assert served.connections == site.connections == 1


@pytest.mark.parametrize(("proxy", "scheme"), KINDS)
async def test_http2_goes_through_a_tunnel(proxy: Handler, scheme: str) -> None:
    own = certificates()
    transport = Transport(own.client(), options=options())
    async with (
        peer(well, own.server("h2")) as site,
        serve(proxy, own.server() if scheme == "https" else None) as served,
        client(transport) as http,
    ):
        way = {"proxy": f"{scheme}://localhost:{served.port}"}
        await http.get(site.url, extensions=way)
        got = await asyncio.gather(
            *(http.get(f"{site.url}/{n}", extensions=way) for n in range(5))
        )

        assert {each.http_version for each in got} == {"HTTP/2"}
        assert served.connections == site.connections == 1
        assert transport.statistics().pool_waits == 0


async def test_partitions_share_no_connection() -> None:
    own = certificates()
    async with (
        peer(well, own.server("h2")) as site,
        client(Transport(own.client(), options=options())) as http,
    ):
        for partition in ("ann", "bob", "ann"):
            await http.get(site.url, extensions={"partition": partition})

        assert site.connections == 2


async def test_two_credentials_for_one_proxy_share_no_connection() -> None:
    async with site_and_proxies(http_proxy, [answer()]) as (site, first, _, http):
        for user in ("ann", "bob", "ann"):
            proxy = f"http://{user}:secret@127.0.0.1:{first.port}"
            await http.get(f"{site.url}/", extensions={"proxy": proxy})

        assert first.connections == 2


async def test_a_request_is_cancelled_at_every_step_of_a_tunnel() -> None:
    own = certificates()

    async def slow(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        served.requests.append(head.split()[1].decode())
        if "step1" in served.requests[-1]:
            await asyncio.Event().wait()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.Event().wait()

    async with (
        serve(slow, own.server()) as proxy,
        client(Transport(own.client(), options=options())) as http,
    ):
        for host in ("step1.example", "step2.example"):
            way = {"proxy": f"https://localhost:{proxy.port}"}
            task = asyncio.ensure_future(http.get(f"https://{host}/", extensions=way))
            await until(lambda: any(host in each for each in proxy.requests))  # noqa: B023
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
