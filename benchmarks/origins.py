"""Servers that nginx cannot be: an endless body, a handshake that takes its time.

    python -m benchmarks.origins body SIZE
    python -m benchmarks.origins handshake SECONDS CERTIFICATE KEY

Each prints its port and serves on 127.0.0.1 until its standard input ends.
"""

import asyncio
import socket
import ssl
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_BLOCK = bytes(range(256)) * 4096


def body_of(size: int) -> Handler:
    """Answer every request with so many bytes."""

    async def handler(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for start in range(0, size, len(_BLOCK)):
            writer.write(_BLOCK[: size - start])
            await writer.drain()
        await reader.read()

    return handler


async def serve(handler: Handler) -> None:
    async def quietly(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await handler(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(quietly, "127.0.0.1", 0, limit=2**20)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def serve_slowly(seconds: float, context: ssl.SSLContext) -> None:
    """Speak HTTP/1.1 over TLS, after a handshake that takes so long.

    In threads: a stream of asyncio may have read what the handshake needs.
    """
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    print(listening.getsockname()[1], flush=True)
    serving = threading.Thread(target=_accept, args=(listening, seconds, context))
    serving.daemon = True
    serving.start()
    sys.stdin.read()


def _accept(listening: socket.socket, seconds: float, context: ssl.SSLContext) -> None:
    while True:
        accepted, _ = listening.accept()
        thread = threading.Thread(target=_answer, args=(accepted, seconds, context))
        thread.daemon = True
        thread.start()


def _answer(accepted: socket.socket, seconds: float, context: ssl.SSLContext) -> None:
    time.sleep(seconds)
    with suppress(OSError), context.wrap_socket(accepted, server_side=True) as secure:
        while b"\r\n\r\n" in secure.recv(65536):
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage")


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "body":
        asyncio.run(serve(body_of(int(rest[0]))))
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(rest[1], rest[2])
    context.set_alpn_protocols(["http/1.1"])
    serve_slowly(float(rest[0]), context)


if __name__ == "__main__":
    main()
