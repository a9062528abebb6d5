"""What an HTTP/2 connection sends: all of a loop's turn in one write.

Bodies go as far as the windows (RFC 9113 section 6.9) and the socket allow; everything
else goes at once, for only DATA is flow-controlled.
"""

import asyncio

from crawler.http import frames
from crawler.http.streams import Stream
from crawler.http.windows import SendWindow

__all__ = ["Outbox"]


class Outbox:
    """The bytes that wait for the end of this turn, and the connection's window."""

    __slots__ = (
        "_is_awaited",
        "_is_paused",
        "_loop",
        "_parts",
        "_transport",
        "max_frame_size",
        "window",
    )

    def __init__(self, transport: asyncio.Transport) -> None:
        #: The connection's window: all streams together may not send more.
        self.window = SendWindow()
        self.max_frame_size = frames.MAX_FRAME_SIZE
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        #: Whether `flush` will be called anyhow.
        self._is_awaited = False
        #: Whether the socket takes no more for now.
        self._is_paused = False

    def write(self, data: bytes) -> None:
        """Send this with what else this turn of the loop brings."""
        self._parts.append(data)
        if not self._is_awaited:
            self._is_awaited = True
            self._loop.call_soon(self.flush)

    def hold(self) -> None:
        """Collect what is written until `flush`."""
        self._is_awaited = True

    def flush(self) -> None:
        self._is_awaited = False
        if self._parts:
            if not self._transport.is_closing():
                self._transport.write(b"".join(self._parts))
            self._parts.clear()

    def send_body(self, stream: Stream) -> int:
        """Send of a stream's body what there is room for; give how much that was."""
        sent = 0
        while stream.to_send and not self._is_paused:
            room = min(self.window.room, stream.send_window.room, self.max_frame_size)
            if room <= 0:
                break
            piece, is_last = stream.next_piece(room)
            self.window.room -= len(piece)
            self.write(frames.data(stream.id, piece, is_last=is_last))
            # Each frame at once, for the socket to say when it takes no more.
            self.flush()
            sent += len(piece)
        return sent

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False
