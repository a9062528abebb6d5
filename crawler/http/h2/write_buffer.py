"""The write buffer of an HTTP/2 connection: one write in each iteration of the event
loop.

Bodies are sent as far as the windows (RFC 9113 section 6.9) and the socket allow. Other
frames are sent at once, because flow control applies only to DATA.
"""

import asyncio
from collections.abc import Iterable

from crawler.http.h2 import frames
from crawler.http.h2.flood_guard import BYTES_FOR_FRAME, FRAMES_FOR_PIECE, FloodGuard
from crawler.http.h2.flow_control import DEFAULT_WINDOW
from crawler.http.h2.peer_settings import PeerSettings
from crawler.http.h2.streams import Stream

__all__ = ["WriteBuffer"]


class WriteBuffer:
    """Collects frames, and writes them at the end of the event loop's iteration."""

    __slots__ = (
        "_allowance",
        "_is_awaited",
        "_is_paused",
        "_loop",
        "_parts",
        "_peer",
        "_transport",
        "room",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        peer: PeerSettings,
        allowance: FloodGuard,
    ) -> None:
        #: The connection's flow-control window: how many bytes of request bodies all
        #: streams together may send.
        self.room = DEFAULT_WINDOW
        self._transport = transport
        self._peer = peer
        self._allowance = allowance
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        #: Whether a call of `flush` is scheduled.
        self._is_awaited = False
        #: Whether the socket's own buffer is full.
        self._is_paused = False

    def write(self, data: bytes) -> None:
        """Send bytes at the end of this iteration of the event loop."""
        self._parts.append(data)
        if not self._is_awaited:
            self._is_awaited = True
            self._loop.call_soon(self.flush)

    def hold(self) -> None:
        """Do not schedule `flush`, because the caller will call it."""
        self._is_awaited = True

    def flush(self) -> None:
        self._is_awaited = False
        if self._parts:
            if not self._transport.is_closing():
                self._transport.write(b"".join(self._parts))
            self._parts.clear()

    async def send_piece(self, stream: Stream, piece: bytes) -> None:
        """Send a piece of a request's body; return once the flow-control windows had
        room for the whole piece."""
        stream.to_send = memoryview(piece)
        self.send_body(stream)
        while stream.to_send:
            stream.writable = self._loop.create_future()
            await stream.writable

    def send_body(self, stream: Stream) -> None:
        """Send as much of a stream's body as the windows allow."""
        while stream.to_send and not self._is_paused:
            room = min(self.room, stream.send_room, self._peer.frame_size)
            if room <= 0:
                return
            piece, is_last = stream.next_piece(room)
            self.room -= len(piece)
            self.write(frames.data(stream.id, piece, is_last=is_last))
            # Write at once, so that a full socket buffer is noticed before the next
            # piece.
            self.flush()
            self._allowance.earn(FRAMES_FOR_PIECE + len(piece) / BYTES_FOR_FRAME)

    def send_bodies(self, streams: Iterable[Stream]) -> None:
        """Send waiting bodies of requests, because the flow-control windows or the
        socket may have room again."""
        for stream in list(streams):
            if stream.to_send:
                self.send_body(stream)

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False
