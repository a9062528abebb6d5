"""How a connection ends, and what that says of the body it carried."""

import asyncio
import socket
import ssl
from collections.abc import Callable

import pytest

from crawler.http.errors import TruncatedError
from crawler.http.transport import Transport
from tests.http.servers import (
    Served,
    answer,
    certificates,
    client,
    options,
    serve,
)

UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"
PAGE = b"<p>a page</p>" * 50_000

End = Callable[[asyncio.StreamWriter], object]


def says_goodbye(writer: asyncio.StreamWriter) -> None:
    writer.close()


def is_cut_off(writer: asyncio.StreamWriter) -> None:
    """End TCP below TLS, as anybody on the way can."""
    writer.get_extra_info("socket").shutdown(socket.SHUT_WR)


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
async def test_a_body_without_a_length_ends_with_tls_itself(
    version: ssl.TLSVersion, is_late: bool
) -> None:
    body = await fetch_until(says_goodbye, server(version), is_late=is_late)
    assert body == PAGE
    with pytest.raises(TruncatedError):
        await fetch_until(is_cut_off, server(version), is_late=is_late)


def test_a_body_without_a_length_ends_with_tls_on_uvloop_too() -> None:
    uvloop = pytest.importorskip("uvloop")

    for version in VERSIONS:
        body = uvloop.run(fetch_until(says_goodbye, server(version)))
        assert body == PAGE
        with pytest.raises(TruncatedError):
            uvloop.run(fetch_until(is_cut_off, server(version)))
