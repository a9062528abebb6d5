"""The streams of an HTTP/2 connection (RFC 9113 sections 5.1 and 8.1). No I/O.

The states of section 5.1 are what `Streams` holds. Idle are the numbers that were not
given yet, and all even ones, which would be the server's. A stream is open while we
send, half-closed (local) once we have said all, and closed as soon as it is not held
any more. Half-closed (remote) it never is: what the peer has answered to the end is
not sent on.

What section 8.1 wants of an answer is in `Stream`: interim heads, one head, as much
body as was announced, trailers. MalformedError ends the stream, and no other.
"""

from __future__ import annotations

import asyncio

import httpx

from crawler.http.errors import TruncatedError
from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.flow_control import ReceiveWindow
from crawler.http.h2.frames import Frame, FrameError
from crawler.http.h2.header_fields import (
    MalformedError,
    check_fields,
    length_and_encodings,
    read_head,
)
from crawler.http.timeout_wheel import NEVER
from crawler.http.transfer import Fields, Transfer

__all__ = ["STREAM_WINDOW", "Stream", "Streams"]

#: What a stream may bring unread: the memory that a stalled one takes.
STREAM_WINDOW = 512 * 1024
_MAX_INFORMATIONAL = 16
_MAX_ID = 2**31 - 1


class Streams(dict[int, "Stream"]):
    """The streams that are open, or half-closed (local), by number."""

    def __init__(self, first_id: int = 1) -> None:
        super().__init__()
        #: A client's numbers are odd, and none is given twice (section 5.1.1).
        self._next_id = first_id

    def open(self, transfer: Transfer, send_room: int) -> Stream:
        """Give the transfer a stream."""
        stream = Stream(self._next_id, transfer, send_room)
        self._next_id += 2
        self[stream.id] = stream
        transfer.stream = stream
        return stream

    @property
    def opened(self) -> int:
        """How many there have been so far."""
        return self._next_id // 2

    @property
    def are_used_up(self) -> bool:
        """Whether there are no more numbers."""
        return self._next_id > _MAX_ID

    def addressed(self, frame: Frame) -> Stream | None:
        """Give the stream of a frame; None if it is closed, for it may just be late."""
        stream = self.get(frame.stream_id)
        if stream is None:
            is_ours = frame.stream_id % 2 == 1 and frame.stream_id < self._next_id
            if not is_ours:
                raise FrameError(ErrorCode.PROTOCOL_ERROR, "A frame on an idle stream")
        return stream


class Stream:
    """The connection's part of one transfer."""

    __slots__ = (
        "_has_head",
        "due",
        "id",
        "left",
        "receive_window",
        "send_room",
        "to_send",
        "transfer",
        "writable",
    )

    def __init__(self, stream_id: int, transfer: Transfer, send_room: int) -> None:
        self.id = stream_id
        #: None once the transfer is abandoned and the rest is only drained.
        self.transfer: Transfer | None = transfer
        #: The ticker's time until which it may be drained.
        self.due = NEVER
        #: What the peer takes of the body; a setting may make it negative.
        self.send_room = send_room
        self.receive_window = ReceiveWindow(STREAM_WINDOW)
        #: What of the request's body waits for room in the windows.
        self.to_send: bytes | memoryview = b""
        self.writable: asyncio.Future[None] | None = None
        self._has_head = False
        #: Bytes of the body that Content-Length announces and that are not here.
        self.left: int | None = None

    # The request goes out

    def next_piece(self, room: int) -> tuple[bytes | memoryview, bool]:
        """Take what fits from the body to be sent; say whether that was its end."""
        transfer = self.transfer
        assert transfer is not None  # an abandoned one has nothing to send
        piece, self.to_send = self.to_send[:room], self.to_send[room:]
        self.send_room -= len(piece)
        # A streamed body goes on after this, and is ended by the connection.
        is_last = not self.to_send and transfer.content is not None
        transfer.is_sending = not is_last
        transfer.note_progress()
        if not self.to_send:
            self._wake()
        return piece, is_last

    def stop_sending(self) -> None:
        """There is no point in sending the rest."""
        self.to_send = b""
        self._wake()

    def _wake(self) -> None:
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # The answer comes in (section 8.1)

    def take_fields(self, fields: Fields, *, is_last: bool) -> None:
        """Take a block of fields: a head, or what comes before or after it."""
        transfer = self.transfer
        if transfer is None:
            return
        if self._has_head:
            # Trailers are checked, and left out.
            check_fields(fields)
            if not is_last:
                raise MalformedError("A second head")
            return
        status, fields = read_head(fields)
        if status >= 200:
            self._has_head = True
            self._take_head(transfer, status, fields, is_last)
            return
        transfer.informational += 1
        # 101 is none of HTTP/2's (section 8.6), and no interim head is the last.
        if is_last or status == 101 or transfer.informational > _MAX_INFORMATIONAL:
            raise MalformedError(f"An unasked {status}, or too many of it")
        transfer.note_progress()

    def _take_head(
        self, transfer: Transfer, status: int, fields: Fields, is_last: bool
    ) -> None:
        transfer.http_version = b"HTTP/2"
        length, encodings = length_and_encodings(fields)
        if transfer.request.method == "HEAD" or status in (204, 304):
            # There is no content, whatever comes (RFC 9110 section 6.4.1).
            self.left = 0
            transfer.answer(status, fields, [], None)
            transfer.complete()
            return
        if not is_last:
            self.left = length
        elif length:
            raise MalformedError("The answer announces a body and has none")
        if not transfer.answer(status, fields, encodings, length):
            transfer.abandon()

    def take_data(self, piece: bytes, padding: int) -> int:
        """Take a piece of the body; give how much of the window is free at once."""
        transfer = self.transfer
        if self.left is not None:
            self.left -= len(piece)
        if transfer is None:
            return len(piece) + padding
        if not self._has_head:
            raise MalformedError("The body comes before its head")
        if self.left is not None and self.left < 0:
            raise MalformedError("The body is longer than its Content-Length")
        if piece and not transfer.feed(piece):
            transfer.abandon()
        return padding

    def finish(self) -> None:
        """END_STREAM: the peer has said all (section 8.1.1 about what is missing)."""
        transfer = self.transfer
        if transfer is None:
            return
        if not self._has_head:
            transfer.fail(httpx.RemoteProtocolError("The answer has no head"))
        elif self.left:
            transfer.fail(TruncatedError("The body is shorter than announced"))
        else:
            transfer.complete()
