"""SOCKS5 (RFC 1928, RFC 1929): authentication, and refusals of the proxy."""

import pytest

from crawler.http.errors import ProxyError
from crawler.http.transport import Transport
from tests.http.proxy.proxies import Handler, socks_proxy
from tests.http.servers import (
    CLOSE,
    HANG,
    Script,
    answer,
    client,
    options,
    scripted,
    serve,
)


async def refusal(proxy: Handler, user: str = "") -> ProxyError:
    async with serve(proxy) as served, client(Transport(options=options())) as http:
        way = {"proxy": f"socks5://{user}127.0.0.1:{served.port}"}
        with pytest.raises(ProxyError) as caught:
            await http.get("http://target.example/", extensions=way)
    assert "secret" not in str(caught.value)
    return caught.value


async def test_the_proxy_receives_the_host_name_and_the_credentials() -> None:
    async with (
        serve(scripted([answer()])) as site,
        serve(socks_proxy(b"ann", b"secret")) as proxy,
        client(Transport(options=options())) as http,
    ):
        way = {"proxy": f"socks5://ann:secret@127.0.0.1:{proxy.port}"}
        assert (await http.get(site.url, extensions=way)).text == "page"

    assert proxy.requests == [f"localhost:{site.port}"]


@pytest.mark.parametrize(
    ("host", "asked"),
    [("127.0.0.1", "127.0.0.1"), ("[::1]", "0000:0000:0000:0000:0000:0000:0000:0001")],
)
async def test_an_ip_address_is_sent_as_an_address(host: str, asked: str) -> None:
    async with (
        serve(scripted([answer()])) as site,
        serve(socks_proxy()) as proxy,
        client(Transport(options=options())) as http,
    ):
        way = {"proxy": f"socks5://127.0.0.1:{proxy.port}"}
        await http.get(f"http://{host}:{site.port}/", extensions=way)

    assert proxy.requests == [f"{asked}:{site.port}"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (1, "general server failure"),
        (2, "connection not allowed by ruleset"),
        (3, "network unreachable"),
        (4, "host unreachable"),
        (5, "connection refused"),
        (6, "ttl expired"),
        (7, "command not supported"),
        (8, "address type not supported"),
    ],
)
async def test_a_refusal_is_reported_in_words(code: int, message: str) -> None:
    error = await refusal(socks_proxy(code=code))

    assert f"refused a tunnel to target.example:80: {message}" in str(error)
    assert error.is_final is (code == 2)


async def test_wrong_credentials_are_reported_at_once() -> None:
    error = await refusal(socks_proxy(b"ann", b"other"), "ann:secret@")

    assert "refused the user name or the password" in str(error)
    assert error.is_final


async def test_missing_credentials_are_reported_at_once() -> None:
    error = await refusal(socks_proxy(b"ann", b"other"))

    assert "accepts none of the offered" in str(error)
    assert error.is_final


def says(*script: bytes | str) -> Script:
    return script


@pytest.mark.parametrize(
    ("first", "message"),
    [
        pytest.param(says(b"HTTP/1.1 400 Bad\r\n\r\n", HANG), "SOCKS5", id="HTTP"),
        pytest.param(says(b"\x04\x00", HANG), "SOCKS5", id="SOCKS4"),
        pytest.param(says(b"\x05\x07", HANG), "SOCKS5", id="unknown method"),
        pytest.param(
            says(b"\x05\x02", HANG), "authentication methods", id="not offered"
        ),
        pytest.param(says(CLOSE), "closed the connection", id="no answer"),
        pytest.param(
            says(b"\x05\x00\x05", CLOSE), "closed the connection", id="cut short"
        ),
        pytest.param(says(b"\x05\x00\x05\x00\x00\x09", HANG), "SOCKS5", id="type"),
        pytest.param(says(b"\x05\x00\x05\x63\x00\x01", HANG), "SOCKS5", id="code"),
        pytest.param(says(b"\x05\x00\x04\x00\x00\x01" + bytes(6)), "SOCKS5", id="4"),
    ],
)
async def test_a_response_that_is_not_socks_is_an_error_of_the_proxy(
    first: Script, message: str
) -> None:
    async def handler(served, reader, writer) -> None:  # type: ignore[no-untyped-def]
        for action in first:
            if isinstance(action, bytes):
                writer.write(action)
            elif action == CLOSE:
                await reader.read(3)
                return
        await reader.read()

    error = await refusal(handler)

    assert message in str(error)
