"""HTTP/2 against h2: its state machine reads all that the client sends.

A frame that breaks the protocol, by h2's judgement, ends the connection with an error
that the test sees. The peers that misbehave are in test_connection_rules.py.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import h2.exceptions
import httpx
import pytest
from h2.settings import SettingCodes

from crawler.http.transport import Transport
from tests.http.h2.judge import Answer, Fields, Judge, Settings
from tests.http.h2.test_connection import h2c
from tests.http.servers import Served, client, serve


@asynccontextmanager
async def judged(
    answer: Answer, settings: Settings | None = None
) -> AsyncIterator[tuple[Served, httpx.AsyncClient, Transport]]:
    """A client and an h2 server; a breach of the protocol fails the block."""
    breaches: list[Exception] = []

    async def handler(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            try:
                await Judge(served, reader, writer).run(answer, settings or {})
            except h2.exceptions.ProtocolError as exc:
                breaches.append(exc)

    transport = h2c()
    async with serve(handler) as served, client(transport) as http:
        yield served, http, transport
    assert breaches == []


async def page(judge: Judge, stream_id: int, fields: Fields) -> None:
    judge.respond(stream_id, fields[b":path"] + judge.bodies[stream_id])


async def test_many_requests_run_at_the_same_time() -> None:
    async with judged(page) as (served, http, _):
        for _ in range(3):
            got = await asyncio.gather(
                *(http.get(f"{served.url}/{n}") for n in range(50))
            )

            assert [each.text for each in got] == [f"/{n}" for n in range(50)]
        assert served.connections == 1


async def test_the_limit_on_streams_is_kept() -> None:
    limit: Settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 3}
    async with judged(page, limit) as (served, http, _):
        got = await asyncio.gather(*(http.get(f"{served.url}/{n}") for n in range(20)))

        assert [each.text for each in got] == [f"/{n}" for n in range(20)]


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 1_000_000])
async def test_a_request_body_keeps_within_the_windows(size: int) -> None:
    async with judged(page) as (served, http, _):
        body = bytes(size)
        got = await http.post(f"{served.url}/", content=body)

        assert got.content == b"/" + body


async def test_small_windows_and_large_frames_of_the_server_are_respected() -> None:
    odd: Settings = {
        SettingCodes.INITIAL_WINDOW_SIZE: 1_000,
        SettingCodes.MAX_FRAME_SIZE: 100_000,
        SettingCodes.HEADER_TABLE_SIZE: 64,
    }
    async with judged(page, odd) as (served, http, _):
        got = await asyncio.gather(
            *(http.post(f"{served.url}/", content=bytes(n * 5_000)) for n in range(8))
        )

        assert [len(each.content) for each in got] == [n * 5_000 + 1 for n in range(8)]


async def test_a_large_response_fits_through_the_windows() -> None:
    async def large(judge: Judge, stream_id: int, _: Fields) -> None:
        judge.respond(stream_id, bytes(3_000_000))

    async with judged(large) as (served, http, _):
        got = await asyncio.gather(*(http.get(served.url) for _ in range(4)))

        assert {len(each.content) for each in got} == {3_000_000}


async def test_unread_bodies_are_reset_and_use_up_no_window() -> None:
    async def large(judge: Judge, stream_id: int, _: Fields) -> None:
        judge.respond(stream_id, bytes(2_000_000))

    async with judged(large) as (served, http, _):
        for _ in range(12):
            async with http.stream("GET", served.url) as response:
                await anext(response.aiter_raw())
        whole = await http.get(served.url)

        assert len(whole.content) == 2_000_000
        assert served.connections == 1


async def test_informational_responses_and_trailers_are_skipped() -> None:
    async def chatty(judge: Judge, stream_id: int, _: Fields) -> None:
        judge.h2.send_headers(stream_id, [(b":status", b"103"), (b"link", b"</a>")])
        judge.h2.send_headers(stream_id, [(b":status", b"200")])
        judge.h2.send_data(stream_id, b"page")
        judge.h2.send_headers(stream_id, [(b"digest", b"x")], end_stream=True)

    async with judged(chatty) as (served, http, _):
        assert (await http.get(served.url)).text == "page"


async def test_a_header_block_in_many_frames_is_read() -> None:
    fields = [(b"x-%d" % n, b"v" * 200) for n in range(150)]

    async def wordy(judge: Judge, stream_id: int, _: Fields) -> None:
        judge.respond(stream_id, b"page", *fields)

    async with judged(wordy) as (served, http, _):
        response = await http.get(served.url)

        assert response.headers["x-149"] == "v" * 200


async def test_requests_continue_on_another_connection_after_a_goaway() -> None:
    async def tired(judge: Judge, stream_id: int, fields: Fields) -> None:
        await page(judge, stream_id, fields)
        if len(judge.served.requests) % 7 == 0:
            judge.send_bodies()
            judge.h2.close_connection()
            judge.flush()
            raise ConnectionError  # h2 takes no more after its own GOAWAY

    async with judged(tired) as (served, http, transport):
        got = [(await http.get(f"{served.url}/{n}")).text for n in range(30)]

        assert got == [f"/{n}" for n in range(30)]
        assert served.connections > 1
        assert transport.statistics().fallbacks == 0


async def test_a_ping_is_acknowledged() -> None:
    async def curious(judge: Judge, stream_id: int, fields: Fields) -> None:
        judge.h2.ping(b"12345678")
        await page(judge, stream_id, fields)

    async with judged(curious) as (served, http, _):
        for _ in range(3):
            await http.get(served.url)
