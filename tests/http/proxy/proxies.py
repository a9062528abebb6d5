"""Real proxies on loopback, each with a log of its requests."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.http.servers import Served

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[
    [Served, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]
]


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
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
    """Plain requests are forwarded, CONNECT opens a tunnel to the same port here."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    served.requests.append(lines[0].decode())
    served.requests += [
        line.decode()
        for line in lines
        if line.lower().startswith(b"proxy-authorization")
    ]
    method, target = head.split()[:2]
    place = target if method == b"CONNECT" else target.split(b"/")[2]
    port = place.decode().rpartition(":")[2]
    onward = await asyncio.open_connection("127.0.0.1", int(port))
    if method == b"CONNECT":
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        await _forward(served, head, (reader, writer), onward)
        return
    await relay((reader, writer), onward)


async def _forward(served: Served, head: bytes, client: Stream, target: Stream) -> None:
    """Pass on the requests of one kept connection, each with its path alone."""
    back = asyncio.ensure_future(copy(target[0], client[1]))
    back.set_name("a connection of a test's server")
    try:
        while True:
            absolute = head.split()[1]
            path = b"/" + absolute.split(b"/", 3)[3]
            target[1].write(head.replace(absolute, path, 1))
            head = await client[0].readuntil(b"\r\n\r\n")
            served.requests.append(head.split(b"\r\n")[0].decode())
    finally:
        back.cancel()
        await asyncio.gather(back, return_exceptions=True)
        target[1].transport.abort()


def socks_proxy(user: bytes = b"", password: bytes = b"", code: int = 0) -> Handler:
    """SOCKS5 (RFC 1928): asks for these credentials, answers with this code."""

    async def handler(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        _, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        wanted = 2 if user else 0
        if wanted not in offered:
            writer.write(b"\x05\xff")
            await reader.read()
            return
        writer.write(bytes((5, wanted)))
        if user and not await _is_known(reader, writer, user, password):
            return
        host, port = await _target(reader)
        served.requests.append(f"{host}:{port}")
        if code:
            writer.write(bytes((5, code, 0, 1)) + bytes(6))
            await reader.read()
            return
        onward = await asyncio.open_connection("127.0.0.1", port)
        # The bound address as a name: its length is not fixed.
        writer.write(b"\x05\x00\x00\x03\x04here\x00\x50")
        await relay((reader, writer), onward)

    return handler


async def _is_known(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    user: bytes,
    password: bytes,
) -> bool:
    await reader.readexactly(1)
    said = []
    for _ in range(2):
        (length,) = await reader.readexactly(1)
        said.append(await reader.readexactly(length))
    is_known = said == [user, password]
    writer.write(b"\x01\x00" if is_known else b"\x01\x01")
    await writer.drain()
    return is_known


async def _target(reader: asyncio.StreamReader) -> tuple[str, int]:
    _, _, _, kind = await reader.readexactly(4)
    if kind == 3:
        (length,) = await reader.readexactly(1)
        host = (await reader.readexactly(length)).decode()
    elif kind == 4:
        host = (await reader.readexactly(16)).hex(":", 2)
    else:
        host = ".".join(map(str, await reader.readexactly(4)))
    return host, int.from_bytes(await reader.readexactly(2), "big")
