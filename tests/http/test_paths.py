"""One client with three code paths: the fast one, the one with hooks, and that of
httpx."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from crawler import FetchError, Request
from crawler.http import Client, ClientOptions
from crawler.http.errors import reason_of
from crawler.settings import Layer, Settings, build
from tests.http.peers import Peer, peer
from tests.http.servers import anybody, certificates, scripted, serve
from tests.http.test_transport import CASES


@dataclass(frozen=True)
class Seen:
    """What a caller gets to see of an exchange."""

    status: int
    version: str
    fields: tuple[tuple[str, str], ...]
    body: bytes


async def by_fetch(client: Client, url: str) -> Seen | str:
    try:
        response = await client.fetch(Request(url))
        try:
            body = await response.aread()
        finally:
            await response.aclose()
    except FetchError as exc:
        return str(exc.reason)
    fields = tuple(response.headers.multi_items())
    return Seen(response.status_code, response.http_version, fields, body)


async def by_get(client: Client, url: str) -> Seen | str:
    try:
        response = await client.get(url)
    except httpx.HTTPError as exc:
        return reason_of(exc)
    fields = tuple(response.headers.multi_items())
    return Seen(response.status_code, response.http_version, fields, response.content)


async def no_change(message: Any) -> None:
    """A hook that only looks."""


Ask = Callable[[Client, str], Awaitable[Seen | str]]
HOOKS = {"request": [no_change], "response": [no_change]}
WAYS: dict[str, tuple[Ask, dict[str, Any]]] = {
    "short": (by_fetch, {}),
    "with hooks": (by_fetch, {"event_hooks": HOOKS}),
    "with auth": (by_fetch, {"auth": ("user", "secret")}),
    "httpx's": (by_get, {}),
    "httpx's, following": (by_get, {"follow_redirects": True}),
}


async def by_all_ways(url: str, **http: Any) -> dict[str, Seen | str]:
    """What each way shows of the same answer; twice, for connections are kept."""
    settings: Settings = build([Layer("test", {"http": http})])
    seen = {}
    for name, (ask, arguments) in WAYS.items():
        options = ClientOptions(settings, allow_private=anybody)
        context = certificates().client()
        async with Client(options, verify=context, **arguments) as client:
            first, second = await ask(client, url), await ask(client, url)
            assert first == second
            seen[name] = first
    return seen


@pytest.mark.parametrize("name", CASES)
async def test_a_response_is_the_same_by_all_code_paths_over_http1(name: str) -> None:
    async with serve(scripted(CASES[name].script)) as served:
        seen = await by_all_ways(served.url)

    assert len(set(seen.values())) == 1, seen
    expected = CASES[name].expected
    for each in seen.values():
        if isinstance(expected, bytes):
            assert isinstance(each, Seen)
            assert each.body == expected
        else:
            assert isinstance(each, str)


@pytest.mark.parametrize("size", [0, 10, 400_000])
async def test_a_response_is_the_same_by_all_code_paths_over_http2(size: int) -> None:
    async def behaviour(peer: Peer) -> None:
        await peer.start()
        while True:
            stream_id, _ = await peer.request()
            peer.answer(stream_id, bytes(size))

    context = certificates().server("h2")
    async with peer(behaviour, context) as served:
        seen = await by_all_ways(served.url)

    fields = (("content-length", str(size)),)
    assert set(seen.values()) == {Seen(200, "HTTP/2", fields, bytes(size))}


async def test_a_limit_is_the_same_by_all_code_paths() -> None:
    async with serve(scripted(CASES["a length"].script)) as served:
        seen = await by_all_ways(served.url, max_body=3)

    assert set(seen.values()) == {"too_large"}
