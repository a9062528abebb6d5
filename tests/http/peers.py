"""HTTP/2 servers for tests, frame by frame, because h2 refuses to break the rules.

hyperframe writes and reads the frames, hpack the fields.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from ssl import SSLContext
from typing import Self

from h2.settings import SettingCodes
from hpack import Decoder, Encoder

from tests.http import frames
from tests.http.servers import Served, serve

Fields = list[tuple[bytes, bytes]]

_MOST = frames.MAX_FRAME_SIZE
CONCURRENT = SettingCodes.MAX_CONCURRENT_STREAMS


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Any frame at all, also one that ought not to be."""
    length = len(payload).to_bytes(3, "big")
    return length + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


def goaway(last_id: int, code: int = 0) -> bytes:
    return frames.goaway(last_id, code)


class Peer:
    """The server's end of one HTTP/2 connection."""

    def __init__(
        self, served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.served, self.reader, self.writer = served, reader, writer
        self.encoder = Encoder()
        self.decoder = Decoder()
        #: Which of the connections to this server it is, from 1.
        self.number = served.connections
        #: Frames that came and were not requests, by type and stream.
        self.seen: list[frames.Got] = []

    async def start(self, values: dict[int, int] | None = None) -> Self:
        """Exchange prefaces."""
        preface = await self.reader.readexactly(len(frames.PREFACE))
        assert preface == frames.PREFACE
        self.send(frames.settings(values or {}), frames.settings_ack())
        return self

    def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def frame(self) -> frames.Got:
        """The client's next frame."""
        head = await self.reader.readexactly(9)
        payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
        return frames.read(head, payload)

    async def request(self) -> tuple[int, dict[bytes, bytes]]:
        """The client's next request: its stream, and its fields."""
        while True:
            got = await self.frame()
            if got.type == frames.HEADERS:
                block = got.payload
                while not got.flags & frames.END_HEADERS:
                    got = await self.frame()
                    block += got.payload
                fields: dict[bytes, bytes] = dict(self.decoder.decode(block, raw=True))
                self.served.requests.append(fields[b":path"].decode())
                return got.stream_id, fields
            if got.type == frames.PING and not got.flags:
                self.send(frame(frames.PING, 1, 0, got.payload))
            self.seen.append(got)

    async def until(self, kind: int) -> frames.Got:
        """The next frame of this type, others aside."""
        while (got := await self.frame()).type != kind:
            self.seen.append(got)
        return got

    def head(
        self, stream_id: int, *fields: tuple[bytes, bytes], is_last: bool = False
    ) -> None:
        block = self.encoder.encode(fields or ((b":status", b"200"),))
        self.send(
            frames.headers(stream_id, block, is_last=is_last, max_frame_size=2**14)
        )

    def answer(self, stream_id: int, body: bytes = b"page") -> None:
        """A whole answer, however large; the client's windows have to do."""
        length = str(len(body)).encode()
        self.head(stream_id, (b":status", b"200"), (b"content-length", length))
        for start in range(0, len(body), _MOST):
            self.send(
                frames.data(stream_id, body[start : start + 2**14], is_last=False)
            )
        self.send(frames.data(stream_id, b"", is_last=True))

    async def go_on(self) -> None:
        """Answer whatever comes, well."""
        while True:
            stream_id, _ = await self.request()
            self.answer(stream_id)


Behaviour = Callable[[Peer], Awaitable[None]]


def peer(
    behaviour: Behaviour, context: SSLContext | None = None
) -> AbstractAsyncContextManager[Served]:
    """Serve connections over which HTTP/2 is spoken as the behaviour does."""

    async def handler(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await behaviour(Peer(served, reader, writer))

    return serve(handler, context)


def at_first(behaviour: Behaviour) -> Behaviour:
    """The first connection behaves like this, the others well."""

    async def either(peer: Peer) -> None:
        if peer.number == 1:
            await behaviour(peer)
        else:
            await (await peer.start()).go_on()

    return either
