"""`Client.fetch`: limits, errors, and equal results with every transport."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from crawler import ConfigError, FetchError, Reason, Request
from crawler.http import Client, ClientOptions, is_fake
from crawler.settings import Layer, Settings, build
from crawler.testing import FakeSite
from tests.http.servers import answer, scripted, serve

URL = "https://site.example/"


def settings(**http: Any) -> Settings:
    return build([Layer("test", {"http": http})])


def client(page: Any, options: Settings | None = None, **arguments: Any) -> Client:
    site = FakeSite({URL: page})
    return Client(ClientOptions(options or Settings(), site), **arguments)


async def body_of(made: Client, request: Request | None = None) -> bytes:
    async with made:
        response = await made.fetch(request or Request(URL))
        try:
            return await response.aread()
        finally:
            await response.aclose()


async def reason_of(made: Client, request: Request | None = None) -> Reason:
    with pytest.raises(FetchError) as caught:
        await body_of(made, request)
    assert URL in str(caught.value)
    return caught.value.reason


def encoded(body: bytes, encoding: str) -> tuple[int, dict[str, str], bytes]:
    return (200, {"content-encoding": encoding, "content-type": "text/html"}, body)


async def test_a_body_is_decoded_with_any_transport() -> None:
    page = encoded(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip")

    assert await body_of(client(page)) == b"one two"


@pytest.mark.parametrize(
    ("page", "http", "reason"),
    [
        pytest.param(
            encoded(gzip.compress(bytes(50_000_000)), "gzip"),
            {},
            Reason.BOMB,
            id="bomb",
        ),
        pytest.param(
            encoded(zlib.compress(b"x" * 9000), "deflate"),
            {"max_decoded": 5000},
            Reason.TOO_LARGE,
            id="decoded",
        ),
        pytest.param(b"x" * 9000, {"max_body": 5000}, Reason.TOO_LARGE, id="announced"),
        pytest.param(
            encoded(gzip.compress(b"x" * 9000)[:-9], "gzip"),
            {},
            Reason.TRUNCATED,
            id="truncated",
        ),
        pytest.param(
            encoded(b"no gzip at all", "gzip"), {}, Reason.DECODE_ERROR, id="garbage"
        ),
        pytest.param(
            encoded(b"x", "gzip, gzip, gzip"), {}, Reason.DECODE_ERROR, id="stacked"
        ),
        pytest.param(
            httpx.ConnectTimeout("late"), {}, Reason.CONNECT_TIMEOUT, id="late"
        ),
        pytest.param(httpx.ReadError("gone"), {}, Reason.RESET, id="read"),
        pytest.param(
            httpx.RemoteProtocolError("odd"), {}, Reason.PROTO_ERROR, id="odd"
        ),
    ],
)
async def test_every_failure_has_a_reason(
    page: Any, http: dict[str, Any], reason: Reason
) -> None:
    assert await reason_of(client(page, settings(**http))) is reason


async def test_an_endless_body_without_a_length_ends_at_the_limit() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    made = client(lambda _: (200, {}, endless()), settings(max_body="1 MB"))

    assert await reason_of(made) is Reason.TOO_LARGE


async def test_a_streamed_body_has_no_size_limit() -> None:
    made = client(b"x" * 9000, settings(max_body=5000))

    assert len(await body_of(made, Request(URL, stream=True))) == 9000


async def test_headers_of_the_request_replace_those_of_the_client() -> None:
    seen: list[httpx.Headers] = []

    def note(request: httpx.Request) -> Any:
        seen.append(request.headers)
        return "ok"

    request = Request(
        URL,
        data={"a": 1},
        headers={"Accept": "text/plain", "X-Own": "1"},
        cookies={"sid": "1", "name": "ü"},
    )
    async with client(note) as made:
        await (await made.fetch(request)).aclose()

    headers = seen[0]
    assert headers["host"] == "site.example"
    assert headers["user-agent"].startswith("crawler/")
    assert headers.get_list("accept") == ["text/plain"]
    assert headers["x-own"] == "1"
    assert headers["content-length"] == "3"
    assert headers.raw[-2][1] == "sid=1; name=ü".encode()


@pytest.mark.parametrize(
    ("request_", "sent"),
    [
        (Request(URL), b"kept=2"),
        (Request(URL, cookies={"sid": "1"}), b"kept=2; sid=1"),
        (Request(URL, headers={"cookie": "own=3"}), b"kept=2; own=3"),
        (
            Request(URL, cookies={"sid": "1"}, headers={"Cookie": "own=3"}),
            b"kept=2; sid=1; own=3",
        ),
    ],
)
async def test_there_is_only_one_cookie_field(request_: Request, sent: bytes) -> None:
    seen: list[httpx.Headers] = []

    def note(request: httpx.Request) -> Any:
        seen.append(request.headers)
        return "ok"

    async with client(note, headers={"Cookie": "kept=2"}) as made:
        await (await made.fetch(request_)).aclose()

    fields = [value for name, value in seen[0].raw if name.lower() == b"cookie"]
    assert fields == [sent]


@pytest.mark.parametrize(
    ("request_", "lengths"),
    [
        pytest.param(Request(URL, method="POST"), ["0"], id="empty post"),
        pytest.param(Request(URL), [], id="get"),
        pytest.param(
            Request(URL, content="abc", headers={"Content-Length": "9"}),
            ["3"],
            id="a length of one's own",
        ),
    ],
)
async def test_a_body_has_one_content_length_and_an_empty_body_has_zero(
    request_: Request, lengths: list[str]
) -> None:
    seen: list[httpx.Headers] = []

    def note(request: httpx.Request) -> Any:
        seen.append(request.headers)
        return "ok"

    async with client(note) as made:
        await (await made.fetch(request_)).aclose()

    assert seen[0].get_list("content-length") == lengths


async def test_a_redirect_is_neither_followed_nor_checked() -> None:
    hooks: dict[str, list[Any]] = {"response": [_nothing]}
    page = (302, {"location": "javascript:x"}, "")
    for made in (client(page), client(page, event_hooks=hooks)):
        async with made:
            response = await made.fetch(Request(URL))
            await response.aclose()

        assert response.status_code == 302
        assert response.headers["location"] == "javascript:x"


async def _nothing(response: httpx.Response) -> None:
    return None


async def test_auth_is_sent_and_can_be_turned_off() -> None:
    seen: list[str | None] = []

    def note(request: httpx.Request) -> Any:
        seen.append(request.headers.get("authorization"))
        return "ok"

    async with client(note, auth=("user", "secret")) as made:
        await (await made.fetch(Request(URL))).aclose()
        await (await made.fetch(Request(URL), authorized=False)).aclose()

    assert seen[0] is not None
    assert seen[0].startswith("Basic ")
    assert seen[1] is None


async def test_a_hook_that_reads_the_body_leaves_it_readable_for_the_spider() -> None:
    async def read(response: httpx.Response) -> None:
        await response.aread()

    assert await body_of(client("hello", event_hooks={"response": [read]})) == b"hello"


async def test_the_client_is_a_complete_httpx_client() -> None:
    async with client("<p>hello</p>") as made:
        assert isinstance(made, httpx.AsyncClient)
        response = await made.get(URL, params={})
        async with made.stream("GET", URL) as streamed:
            text = "".join([part async for part in streamed.aiter_text()])

    assert response.text == text == "<p>hello</p>"


def test_a_missing_ca_file_is_reported_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"http\.ca_file = '/nowhere'"):
        Client(ClientOptions(settings(ca_file="/nowhere")))


def test_only_a_fake_site_counts_as_fake() -> None:
    assert is_fake(FakeSite({}))
    assert not is_fake(None)
    assert not is_fake(httpx.AsyncHTTPTransport())


async def test_the_proxy_of_the_settings_receives_every_request() -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback")
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = Client(ClientOptions(settings(proxy=f"http://127.0.0.1:{port}")))
    async with server:
        body = await body_of(made, Request("http://site.example/page"))

    assert body == b"back"
    assert asked == [b"GET http://site.example/page HTTP/1.1"]


@pytest.mark.parametrize("transport", ["own", "httpx"])
async def test_an_unreachable_proxy_is_named_instead_of_the_target(
    transport: str,
) -> None:
    http = settings(proxy="http://me:secret@127.0.0.1:1", transport=transport)

    with pytest.raises(FetchError) as caught:
        await body_of(Client(ClientOptions(http)))

    assert caught.value.reason is Reason.PROXY_ERROR
    assert caught.value.is_retried
    assert caught.value.detail.startswith(
        "The proxy http://127.0.0.1:1 cannot be reached: "
    )


async def test_the_proxy_of_a_single_request_is_named_too() -> None:
    request = Request(URL, proxy="http://127.0.0.1:1")

    with pytest.raises(
        FetchError, match=r"proxy_error: The proxy http://127\.0\.0\.1:1"
    ):
        await body_of(Client(), request)


@pytest.mark.parametrize("transport", ["own", "httpx"])
@pytest.mark.parametrize("status", [403, 407])
async def test_a_proxy_that_refuses_access_is_not_retried(
    status: int, transport: str
) -> None:
    async with serve(scripted([answer(status=f"{status} No")])) as proxy:
        http = settings(proxy=f"http://127.0.0.1:{proxy.port}", transport=transport)
        with pytest.raises(FetchError) as caught:
            await body_of(Client(ClientOptions(http)), Request("https://site.example/"))

    assert caught.value.reason is Reason.PROXY_ERROR
    assert not caught.value.is_retried
    assert str(status) in caught.value.detail


async def test_a_failure_behind_the_proxy_is_not_blamed_on_it() -> None:
    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = Client(ClientOptions(settings(proxy=f"http://127.0.0.1:{port}")))
    async with server:
        with pytest.raises(FetchError) as caught:
            await body_of(made, Request("http://site.example/"))

    assert "the proxy" not in caught.value.detail


async def test_a_request_whose_proxy_cannot_be_used_is_not_sent_directly() -> None:
    request = Request(URL, proxy="http://127.0.0.1:1")

    with pytest.raises(FetchError, match="needs one proxy for all requests"):
        await body_of(Client(ClientOptions(settings(transport="httpx"))), request)
