"""The streams of an HTTP/2 connection (RFC 9113 sections 5.1 and 8.1). No I/O.

`Streams` holds the open streams; a stream's number shows its state (section 5.1).
Numbers that were not used yet are idle, and so are even numbers, which belong to the
server. A stream is open while the request is sent, half-closed (local) afterwards, and
closed once it is not in `Streams`. It is never half-closed (remote): after a complete
response nothing is sent.

`Stream` checks the order of section 8.1: interim heads, one head, a body of the
announced length, trailers. MalformedError ends only the stream.
"""

from __future__ import annotations

import asyncio

from crawler.http.errors import TruncatedError, UnreadableError
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

#: Receive window of each stream: the bytes that the peer may send before the crawl
#: reads them.
STREAM_WINDOW = 512 * 1024
_MAX_INFORMATIONAL = 16
_MAX_ID = 2**31 - 1


class Streams(dict[int, "Stream"]):
    """The open and half-closed (local) streams, by number."""

    def __init__(self, first_id: int = 1) -> None:
        super().__init__()
        #: Number of the next stream. A client uses odd numbers, each once (RFC 9113
        #: section 5.1.1).
        self._next_id = first_id

    def open(self, transfer: Transfer, send_room: int) -> Stream:
        """Open a stream for the transfer (the request in flight)."""
        stream = Stream(self._next_id, transfer, send_room)
        self._next_id += 2
        self[stream.id] = stream
        transfer.stream = stream
        return stream

    @property
    def opened(self) -> int:
        """Return the number of streams opened so far."""
        return self._next_id // 2

    @property
    def are_used_up(self) -> bool:
        """Whether all stream numbers have been used (RFC 9113 section 5.1.1)."""
        return self._next_id > _MAX_ID

    def addressed(self, frame: Frame) -> Stream | None:
        """Return the stream of a frame; None if the stream is already closed. Raise
        FrameError if no request has opened a stream with this number."""
        stream = self.get(frame.stream_id)
        if stream is None:
            is_ours = frame.stream_id % 2 == 1 and frame.stream_id < self._next_id
            if not is_ours:
                raise FrameError(
                    ErrorCode.PROTOCOL_ERROR,
                    f"The server sent a frame on stream {frame.stream_id}, which no "
                    "request has opened (RFC 9113 section 5.1)",
                )
        return stream


class Stream:
    """One stream: the HTTP/2 state of a transfer (a request in flight)."""

    __slots__ = (
        "due",
        "has_head",
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
        #: The request on this stream. None once the request is abandoned and the rest
        #: of the response's body is being skipped.
        self.transfer: Transfer | None = transfer
        #: The time until which the rest of an abandoned body may be read, on the clock
        #: of timeout_wheel.py.
        self.due = NEVER
        #: Number of bytes of the request's body that may be sent now. If the peer
        #: changes its settings, this number may become negative.
        self.send_room = send_room
        self.receive_window = ReceiveWindow(STREAM_WINDOW)
        #: The part of the request's body that waits until the flow-control windows
        #: allow to send it.
        self.to_send: bytes | memoryview = b""
        self.writable: asyncio.Future[None] | None = None
        #: Whether the final head has arrived; fields after it are trailers.
        self.has_head = False
        #: Number of missing bytes of the response's body; None without Content-Length.
        self.left: int | None = None

    # Sending the request

    def next_piece(self, room: int) -> tuple[bytes | memoryview, bool]:
        """Take up to `room` bytes of the request's body; return them, and whether they
        are the last."""
        transfer = self.transfer
        assert transfer is not None  # an abandoned stream has no more data to send
        piece, self.to_send = self.to_send[:room], self.to_send[room:]
        self.send_room -= len(piece)
        # A streamed body has no last piece here: `Http2Connection.send_end` ends the
        # body.
        is_last = not self.to_send and transfer.content is not None
        transfer.is_sending = not is_last
        transfer.note_progress()
        if not self.to_send:
            self._wake()
        return piece, is_last

    def stop_sending(self) -> None:
        """Drop the rest of the request's body."""
        self.to_send = b""
        self._wake()

    def _wake(self) -> None:
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # Receiving the response (RFC 9113 section 8.1)

    def take_fields(self, fields: Fields, *, is_last: bool) -> None:
        """Handle a header block of the response: an interim head, the final head, or
        trailers. Raise MalformedError if the block is invalid."""
        transfer = self.transfer
        if transfer is None:
            return
        if self.has_head:
            # Trailers are checked, and dropped.
            check_fields(fields)
            if not is_last:
                raise MalformedError(
                    "The server sent a second head for one response "
                    "(RFC 9113 section 8.1)"
                )
            return
        status, fields = read_head(fields)
        if status >= 200:
            self.has_head = True
            self._take_head(transfer, status, fields, is_last)
            return
        transfer.informational += 1
        _check_interim(status, transfer.informational, is_last)
        transfer.note_progress()

    def _take_head(
        self, transfer: Transfer, status: int, fields: Fields, is_last: bool
    ) -> None:
        transfer.http_version = b"HTTP/2"
        length, encodings = length_and_encodings(fields)
        if transfer.request.method == "HEAD" or status in (204, 304):
            # Responses to HEAD, and those with status 204 or 304, have no content (RFC
            # 9110 section 6.4.1).
            self.left = 0
            transfer.answer(status, fields, [], None)
            transfer.complete()
            return
        if not is_last:
            self.left = length
        elif length:
            raise MalformedError(
                f"The response has Content-Length {length:,}, but no body "
                "(RFC 9113 section 8.1.1)"
            )
        if not transfer.answer(status, fields, encodings, length):
            transfer.abandon()

    def take_data(self, piece: bytes, padding: int) -> int:
        """Take a piece of the response's body. Return how many received bytes the crawl
        will never read: the padding, or all bytes if the transfer was abandoned."""
        transfer = self.transfer
        if self.left is not None:
            self.left -= len(piece)
        if transfer is None:
            return len(piece) + padding
        if not self.has_head:
            raise MalformedError(
                "The server sent DATA before the response's head (RFC 9113 section 8.1)"
            )
        if self.left is not None and self.left < 0:
            raise MalformedError(
                "The response's body is longer than its Content-Length "
                "(RFC 9113 section 8.1.1)"
            )
        if piece and not transfer.feed(piece):
            transfer.abandon()
        return padding

    def finish(self) -> None:
        """Handle END_STREAM: check that the response is complete (RFC 9113 section
        8.1.1)."""
        transfer = self.transfer
        if transfer is None:
            return
        if not self.has_head:
            transfer.fail(
                UnreadableError(
                    "The server ended the response before it sent the status and the "
                    "headers"
                )
            )
        elif self.left:
            transfer.fail(
                TruncatedError("The response's body is shorter than its Content-Length")
            )
        else:
            transfer.complete()


def _check_interim(status: int, number: int, is_last: bool) -> None:
    """Raise MalformedError if a stream may not have this interim response.

    `number` is how many interim responses the stream has had, `is_last` whether
    END_STREAM is set.
    """
    if status == 101:
        raise MalformedError(
            "The server sent status 101, which is not allowed in HTTP/2 "
            "(RFC 9113 section 8.6)"
        )
    if is_last:
        raise MalformedError(
            f"The interim response with status {status} ends the stream "
            "(RFC 9113 section 8.1)"
        )
    if number > _MAX_INFORMATIONAL:
        raise MalformedError(
            f"The server sent over {_MAX_INFORMATIONAL} interim responses before the "
            f"final one; the last has status {status}"
        )
