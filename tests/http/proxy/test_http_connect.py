"""CONNECT, and all responses that a proxy may send to it."""

import asyncio

import httpx
import pytest

from crawler.http.errors import BrokenOffError, ProxyError, TlsError, reason_of
from crawler.http.options import Timeouts
from crawler.http.transport import Transport
from tests.http.proxy.proxies import relay
from tests.http.servers import (
    CLOSE,
    HANG,
    RESET,
    Script,
    Served,
    answer,
    certificates,
    client,
    free_port,
    options,
    scripted,
    serve,
)

TARGET = "https://target.example/"


def answers(*script: bytes | str) -> Script:
    return script


async def failure(
    script: Script, *, tls: bool = False, url: str = TARGET, **changes: object
) -> Exception:
    """What a request fails with behind a proxy that answers so."""
    own = certificates()
    transport = Transport(own.client(), options=options(**changes))
    async with (
        serve(scripted(script), own.server() if tls else None) as proxy,
        client(transport) as http,
    ):
        scheme = "https" if tls else "http"
        way = {"proxy": f"{scheme}://ann:secret@localhost:{proxy.port}"}
        with pytest.raises(httpx.HTTPError) as caught:
            await http.get(url, extensions=way)
    assert "secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        pytest.param(
            answers(b"HTTP/1.1 407 Who are you\r\n\r\n"),
            407,
            "refused a tunnel to target.example:443: 407 Who are you",
            id="407",
        ),
        pytest.param(
            answers(answer(b"<h1>No</h1>", status="403 Forbidden")),
            403,
            "403",
            id="403",
        ),
        pytest.param(
            answers(b"HTTP/1.0 502 \x1b[2J\xff\r\n\r\n"), 502, "502 ?[2J?", id="502"
        ),
        pytest.param(
            answers(b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n"),
            302,
            "302",
            id="redirect",
        ),
        pytest.param(answers(b"SSH-2.0-x\r\n\r\n"), None, "not HTTP", id="garbage"),
        pytest.param(answers(b"HTTP/2 200\r\n\r\n"), None, "not HTTP", id="version"),
        pytest.param(answers(CLOSE), None, "closed the connection", id="no answer"),
        pytest.param(
            answers(b"HTTP/1.1 200 OK\r\nA", CLOSE),
            None,
            "closed the connection",
            id="cut",
        ),
        pytest.param(
            answers(b"HTTP/1.1 2", RESET), None, "closed the connection", id="reset"
        ),
        pytest.param(
            answers(b"HTTP/1.1 200 OK\r\nA: " + bytes(100_000), HANG),
            None,
            "head of over 32,768 bytes",
            id="huge head",
        ),
        pytest.param(
            answers(b"HTTP/1.1 100 Continue\r\n\r\n" * 9),
            None,
            "interim",
            id="interim without end",
        ),
        pytest.param(
            answers(answer(b"<h1>Pay for the WLAN</h1>"), HANG),
            None,
            "after it opened the tunnel",
            id="200 with a page",
        ),
    ],
)
async def test_a_bad_response_to_connect_is_an_error_of_the_proxy(
    script: Script, status: int | None, message: str, tls: bool
) -> None:
    error = await failure(script, tls=tls)

    assert isinstance(error, ProxyError)
    assert reason_of(error) == "proxy_error"
    assert message in str(error)
    assert error.status == status
    assert error.is_final is (status in (403, 407))


async def test_an_html_page_after_the_200_is_an_error_of_the_proxy_too() -> None:
    async def portal(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await reader.readexactly(5)  # TLS has begun
        writer.write(b"<h1>Pay</h1>")
        await reader.read()

    async with (
        serve(portal) as proxy,
        client(Transport(options=options())) as http,
    ):
        way = {"proxy": f"http://127.0.0.1:{proxy.port}"}
        with pytest.raises(ProxyError, match="page of its own"):
            await http.get(TARGET, extensions=way)


@pytest.mark.parametrize("script", [[HANG], [b"HTTP/1.1 200", HANG]])
async def test_a_slow_response_to_connect_is_an_error_of_the_proxy(
    script: Script,
) -> None:
    error = await failure(script, timeouts=Timeouts(connect=0.2))

    assert isinstance(error, ProxyError)
    assert not error.is_final


async def test_a_slow_target_behind_the_tunnel_is_an_error_of_the_target() -> None:
    opened = answers(b"HTTP/1.1 200 OK\r\n\r\n", HANG)

    error = await failure(opened, timeouts=Timeouts(connect=0.3))

    assert reason_of(error) == "connect_timeout"


async def test_a_target_that_hangs_up_behind_the_tunnel_is_an_error_of_the_target() -> (
    None
):
    async def hangs_up(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.readexactly(5)

    async with serve(hangs_up) as proxy, client(Transport(options=options())) as http:
        way = {"proxy": f"http://127.0.0.1:{proxy.port}"}
        with pytest.raises(BrokenOffError):
            await http.get(TARGET, extensions=way)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_bad_certificate_of_the_target_is_a_tls_error_behind_a_proxy_too(
    scheme: str,
) -> None:
    own = certificates()

    async def to_an_other(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await relay((reader, writer), await asyncio.open_connection("127.0.0.1", port))

    async with (
        serve(scripted([answer()]), own.server()) as other,
        serve(to_an_other, own.server() if scheme == "https" else None) as proxy,
        client(Transport(own.client(), options=options())) as http,
    ):
        port = other.port
        way = {"proxy": f"{scheme}://localhost:{proxy.port}"}
        with pytest.raises(TlsError, match=r"target\.example"):
            await http.get(TARGET, extensions=way)


async def test_a_proxy_with_a_bad_certificate_is_an_error_of_the_proxy() -> None:
    async with (
        serve(scripted([answer()]), certificates().server()) as proxy,
        client(Transport(options=options())) as http,
    ):
        for url in (TARGET, "http://target.example/"):
            way = {"proxy": f"https://localhost:{proxy.port}"}
            with pytest.raises(ProxyError, match="The TLS handshake with the proxy"):
                await http.get(url, extensions=way)


@pytest.mark.parametrize("url", [TARGET, "http://target.example/"])
async def test_an_unreachable_proxy_is_named_without_its_password(
    url: str,
) -> None:
    with free_port() as port:
        async with client(Transport(options=options())) as http:
            way = {"proxy": f"http://ann:secret@127.0.0.1:{port}"}
            with pytest.raises(ProxyError) as caught:
                await http.get(url, extensions=way)

    assert f"The proxy http://127.0.0.1:{port} cannot be reached" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_407_to_a_plain_request_is_an_error_of_the_proxy() -> None:
    script = answers(answer(b"Who?", status="407 Proxy Authentication Required"))

    error = await failure(script, url="http://target.example/a")

    assert isinstance(error, ProxyError)
    assert (error.status, error.is_final) == (407, True)


async def test_an_ipv6_target_keeps_its_brackets() -> None:
    async with (
        serve(scripted([b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"])) as proxy,
        client(Transport(options=options())) as http,
    ):
        way = {"proxy": f"http://127.0.0.1:{proxy.port}"}
        with pytest.raises(ProxyError):
            await http.get("https://[2606:4700::1111]/", extensions=way)
        await http.get("http://[2606:4700::1111]:81/a?b", extensions=way)

    assert proxy.requests == [
        "CONNECT [2606:4700::1111]:443 HTTP/1.1",
        "GET http://[2606:4700::1111]:81/a?b HTTP/1.1",
    ]
