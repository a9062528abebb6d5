"""Servers with deliberate faults: raw bytes on loopback, one server for each test."""

import asyncio
import gc
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import trustme

from crawler.http.options import Timeouts, TransportOptions
from crawler.http.transport import Transport

#: Something a server does in place of sending bytes.
CLOSE, RESET, HANG, HALF_CLOSE = "close", "reset", "hang", "half-close"
Script = Sequence[bytes | str]


def anybody(host: str) -> bool:
    return True


def options(**changes: Any) -> TransportOptions:
    """Options for loopback servers, with short timeouts."""
    timeouts = changes.pop("timeouts", Timeouts(connect=5, read=5, pool=5))
    return msgspec.structs.replace(
        TransportOptions(allow_private=anybody, timeouts=timeouts), **changes
    )


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop turn until something is so; the test's own timeout ends it."""
    while not is_so():  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(0)


@asynccontextmanager
async def client(transport: Transport) -> AsyncIterator[httpx.AsyncClient]:
    """A plain httpx client over the transport, which must leave nothing behind."""
    tasks, sockets_before = _tasks(), sockets()
    async with httpx.AsyncClient(transport=transport, timeout=None) as made:
        # httpx would hand down timeouts of None; the transport's own shall hold.
        made.event_hooks["request"] = [_without_timeout]
        yield made
    gc.collect()
    for _ in range(100):
        # A server, too, has to notice that a handshake was given up.
        await asyncio.sleep(0)
    assert _tasks() - tasks == set()
    assert sockets() - sockets_before == set()


async def _without_timeout(request: httpx.Request) -> None:
    if all(value is None for value in request.extensions["timeout"].values()):
        del request.extensions["timeout"]


def _tasks() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task.get_name() != _SERVER}


def sockets() -> set[str]:
    """This process's sockets that are not a server's, which may still be closing."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.add(str(link.readlink()))
    return {target for target in found if target.startswith("socket:")} - _OURS


def _name_of(own: socket.socket) -> str:
    return str(Path(f"/proc/self/fd/{own.fileno()}").readlink())


_OURS: set[str] = set()
_SERVER = "a connection of a test's server"


@dataclass
class Served:
    """A server that runs, and what it saw."""

    port: int
    scheme: str = "http"
    #: Connections that were opened, and request lines in the order of arrival.
    connections: int = 0
    requests: list[str] = field(default_factory=list)
    #: For those connections that look: whether TLS went on from an earlier handshake.
    resumed: list[bool] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"


@asynccontextmanager
async def serve(
    handler: Callable[[Served, asyncio.StreamReader, asyncio.StreamWriter], Any],
    context: ssl.SSLContext | None = None,
    port: int = 0,
) -> AsyncIterator[Served]:
    """Serve each connection with the handler, until the block ends."""
    served = Served(0, "https" if context else "http")
    open_now: set[asyncio.Task[Any]] = set()

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        served.connections += 1
        task = asyncio.current_task()
        assert task is not None
        task.set_name(_SERVER)
        open_now.add(task)
        own = writer.get_extra_info("socket")
        if own is not None:
            _OURS.add(_name_of(own))
        try:
            await handler(served, reader, writer)
        except (OSError, EOFError, ssl.SSLError, asyncio.CancelledError):
            pass
        except RuntimeError as exc:
            # uvloop's word for a client that has hung up.
            if "closed" not in str(exc):
                raise
        finally:
            open_now.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(
        connected, "127.0.0.1", port, ssl=context, limit=2**20
    )
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)
        # Handshakes that were given up are still to be noticed.
        for _ in range(10):
            await asyncio.sleep(0)


def scripted(scripts: Mapping[str, Script] | Script) -> Any:
    """Answer each request with the script of its path, over and over."""

    async def handler(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            line = head.split(b"\r\n")[0].decode("latin-1")
            served.requests.append(line)
            path = line.split()[1]
            script = scripts[path] if isinstance(scripts, Mapping) else scripts
            for action in script:
                if not await _act(action, writer):
                    return

    return handler


async def _act(action: bytes | str, writer: asyncio.StreamWriter) -> bool:
    if isinstance(action, bytes):
        writer.write(action)
        await writer.drain()
        # Each piece in a segment of its own, as far as that can be had.
        await asyncio.sleep(0)
        return True
    if action == HANG:
        await asyncio.Event().wait()
    if action == HALF_CLOSE:
        writer.write_eof()
        return True
    if action == RESET:
        reset(writer)
    return False


def reset(writer: asyncio.StreamWriter) -> None:
    """Close the connection by a TCP reset."""
    raw: socket.socket = writer.get_extra_info("socket")
    linger = struct.pack("ii", 1, 0)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def answer(body: bytes = b"page", *fields: str, status: str = "200 OK") -> bytes:
    """A well-formed answer with a length."""
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


class Certificates:
    """An authority for the tests, and contexts that go with it."""

    def __init__(self) -> None:
        self.authority = trustme.CA()

    def server(self, *protocols: str, **issue: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = self.authority.issue_cert("localhost", "127.0.0.1", **issue)
        certificate.configure_cert(context)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


_CERTIFICATES: list[Certificates] = []


def certificates() -> Certificates:
    """The authority of this run: making one takes a while."""
    if not _CERTIFICATES:
        _CERTIFICATES.append(Certificates())
    return _CERTIFICATES[0]


@contextmanager
def free_port() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def port_to_hand_over() -> int:
    """A port that another process may open in a moment. The system gives a port of this
    range to no socket that takes any: no other test gets it in between."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("No free port was found between 20000 and 30000")
