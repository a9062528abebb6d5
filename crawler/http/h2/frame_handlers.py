"""Applies the frames of an HTTP/2 peer, in the order of RFC 9113 section 6.

When a handler returns, all effects of its frame are done. It raises StreamError if only
the frame's stream is at fault, and FrameError for the whole connection.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from crawler.http.errors import HeaderTooLargeError, UnreadableError
from crawler.http.h2 import flow_control, frames, resend
from crawler.http.h2.codes import ErrorCode, Setting
from crawler.http.h2.flood_guard import (
    BLOCK_BYTES_FOR_FRAME,
    BYTES_FOR_FRAME,
    FRAMES_FOR_HEAD,
    FloodGuard,
)
from crawler.http.h2.flow_control import MAX_WINDOW, ReceiveWindow
from crawler.http.h2.frames import Frame, FrameError, StreamError
from crawler.http.h2.header_blocks import BlockReader
from crawler.http.h2.header_fields import FieldEncoder
from crawler.http.h2.peer_settings import PeerSettings
from crawler.http.h2.stream_endings import StreamEndings
from crawler.http.h2.write_buffer import WriteBuffer
from crawler.http.origins import Origin
from crawler.http.transfer import Fields, Transfer

__all__ = ["CONNECTION_WINDOW", "FrameHandlers"]

#: Number of bytes that the peer may send on all streams together before it needs a
#: WINDOW_UPDATE frame.
CONNECTION_WINDOW = 16 * 1024 * 1024


class Http2Pool(Protocol):
    """The methods of the connection pool (pool.py) that the frame handlers call."""

    def send_again(self, transfer: Transfer) -> None: ...

    def avoid_http2(self, origin: Origin) -> None: ...


class HandledConnection(Protocol):
    """The methods of a connection that the frame handlers call."""

    origin: Origin
    max_header_bytes: int
    max_header_count: int

    def has_room_again(self) -> None: ...

    def retire(self) -> None: ...

    def abandon(self, transfer: Transfer) -> None: ...


class FrameHandlers:
    """Applies frames to the streams of one connection."""

    __slots__ = (
        "_allowance",
        "_blocks",
        "_connection",
        "_encoder",
        "_endings",
        "_outbox",
        "_peer",
        "_pool",
        "_streams",
        "_window",
    )

    def __init__(
        self,
        connection: HandledConnection,
        pool: Http2Pool,
        peer: PeerSettings,
        encoder: FieldEncoder,
        endings: StreamEndings,
        outbox: WriteBuffer,
        allowance: FloodGuard,
    ) -> None:
        self._connection = connection
        self._pool = pool
        self._peer = peer
        self._encoder = encoder
        self._endings = endings
        self._streams = endings.streams
        self._outbox = outbox
        self._allowance = allowance
        self._blocks = BlockReader(connection.max_header_bytes)
        self._window = ReceiveWindow(CONNECTION_WINDOW)

    def handle(self, frame: Frame) -> None:
        """Apply one frame. Raise FrameError if the connection must end."""
        if not self._peer.is_known and frame.type != frames.SETTINGS:
            raise FrameError(
                ErrorCode.PROTOCOL_ERROR,
                "The server's first HTTP/2 frame is not SETTINGS "
                "(RFC 9113 section 3.4)",
            )
        if self._blocks.open is not None and frame.type != frames.CONTINUATION:
            raise FrameError(
                ErrorCode.PROTOCOL_ERROR,
                f"The server sent a frame of type {frame.type} inside a header block, "
                "where only CONTINUATION is allowed (RFC 9113 section 6.10)",
            )
        self._allowance.spend(1)
        handler = self._HANDLERS.get(frame.type)
        if handler is None:
            return  # frames of unknown types are ignored (RFC 9113 5.5)
        try:
            handler(self, frame)
        except StreamError as exc:
            self._refuse(frame, exc)
        except FrameError as exc:
            if exc.told is not None:
                self._tell(frame, exc.told)
            raise

    def _refuse(self, frame: Frame, exc: StreamError) -> None:
        """End a stream with an error (RFC 9113 section 5.4.2), mostly for a malformed
        response."""
        stream = self._streams.get(frame.stream_id)
        if stream is None:  # a fault on stream 0 ends the connection
            raise FrameError(exc.code, str(exc)) from exc
        self._endings.reset(stream, exc.code)
        if stream.transfer is not None:
            stream.transfer.fail(exc.told or UnreadableError(str(exc)))
        self._connection.has_room_again()

    def _tell(self, frame: Frame, error: Exception) -> None:
        stream = self._streams.get(frame.stream_id)
        if stream is not None and stream.transfer is not None:
            stream.transfer.fail(error)

    def _on_data(self, frame: Frame) -> None:
        size = len(frame.payload)
        # The frame counts against the connection's window even if its stream is closed.
        self._window.receive(size)
        more = self._window.consume(size)
        if more:
            self._outbox.write(frames.window_update(0, more))
        stream = self._streams.addressed(frame)
        if stream is None:
            return
        stream.receive_window.receive(size)
        piece = frame.payload
        if frame.flags & frames.PADDED:
            piece = frames.payload_of(frame)
        self._allowance.earn(len(piece) / BYTES_FOR_FRAME)
        consumed = stream.take_data(piece, size - len(piece))
        if consumed:
            self._endings.consumed(stream, consumed)
        if frame.flags & frames.END_STREAM:
            self._endings.end(stream)

    def _on_headers(self, frame: Frame) -> None:
        # HEADERS on stream 0 is an error, even if the header block is incomplete.
        self._streams.addressed(frame)
        fields = self._blocks.begin(frame)
        if fields is not None:
            self._on_fields(frame, fields)

    def _on_continuation(self, frame: Frame) -> None:
        block = self._blocks.go_on(frame)
        if block is not None:
            self._on_fields(*block)

    def _on_fields(self, frame: Frame, fields: Fields) -> None:
        """Handle a complete header block: the head of a response, or its trailers."""
        stream = self._streams.addressed(frame)
        if stream is None:
            # The stream is closed, but decoding its header block took time, so count
            # this work against the peer's allowance of frames.
            self._allowance.spend(self._blocks.size / BLOCK_BYTES_FOR_FRAME)
            return
        most = self._connection.max_header_count
        if len(fields) > most:
            what = "trailers" if stream.has_head else "header fields"
            error = HeaderTooLargeError(
                f"The response has {len(fields):,} {what}; to allow over {most:,} "
                f"{what}, raise http.max_header_count"
            )
            raise StreamError(ErrorCode.PROTOCOL_ERROR, str(error), error)
        is_last = bool(frame.flags & frames.END_STREAM)
        stream.take_fields(fields, is_last=is_last)
        self._allowance.earn(FRAMES_FOR_HEAD)
        transfer = stream.transfer
        if is_last:
            self._endings.end(stream)
        elif transfer is not None and transfer.is_done:
            self._connection.abandon(transfer)  # the response has no body

    def _on_priority(self, frame: Frame) -> None:
        # PRIORITY frames are deprecated, so only their form is checked.
        frames.check_priority(frame)

    def _on_reset(self, frame: Frame) -> None:
        code = frames.number_of(frame)
        stream = self._streams.addressed(frame)
        if stream is None:
            return
        self._endings.forget(stream)
        if code == ErrorCode.HTTP_1_1_REQUIRED:
            self._pool.avoid_http2(self._connection.origin)
            self._connection.retire()
        if stream.transfer is not None:
            resend.after_reset(self._pool, stream.transfer, code)
        self._connection.has_room_again()

    def _on_settings(self, frame: Frame) -> None:
        settings = frames.settings_of(frame)
        if not self._peer.is_known:
            if frame.flags & frames.ACK:
                raise FrameError(
                    ErrorCode.PROTOCOL_ERROR,
                    "The server's first SETTINGS frame is an ACK "
                    "(RFC 9113 section 3.4)",
                )
            self._peer.begin()
        if frame.flags & frames.ACK:
            return
        self._allowance.spend(len(settings))
        window = self._peer.window
        for code, value in settings:
            self._peer.apply(code, value)
            if code == Setting.HEADER_TABLE_SIZE:
                self._encoder.limit_table(value)
        difference = self._peer.window - window
        for stream in self._streams.values():
            stream.send_room = flow_control.moved(stream.send_room, difference)
        self._outbox.write(frames.settings_ack())
        self._outbox.send_bodies(self._streams.values())
        self._connection.has_room_again()

    def _on_push_promise(self, frame: Frame) -> None:
        raise FrameError(
            ErrorCode.PROTOCOL_ERROR,
            "The server sent PUSH_PROMISE although push is disabled "
            "(RFC 9113 section 6.6)",
        )

    def _on_ping(self, frame: Frame) -> None:
        payload = frames.ping_of(frame)
        if not frame.flags & frames.ACK:
            self._outbox.write(frames.ping(payload, is_ack=True))

    def _on_goaway(self, frame: Frame) -> None:
        # Streams with numbers up to `last_id` may still finish.
        last_id, code = frames.goaway_of(frame)
        if code == ErrorCode.HTTP_1_1_REQUIRED:
            self._pool.avoid_http2(self._connection.origin)
        self._connection.retire()
        for stream in [each for each in self._streams.values() if each.id > last_id]:
            self._endings.forget(stream)
            if stream.transfer is not None:
                resend.after_goaway(self._pool, stream.transfer, last_id, code)

    def _on_window_update(self, frame: Frame) -> None:
        size = frames.number_of(frame) & MAX_WINDOW
        if not frame.stream_id:
            self._outbox.room = flow_control.grown(self._outbox.room, size)
            self._outbox.send_bodies(self._streams.values())
            return
        stream = self._streams.addressed(frame)
        if stream is not None:
            stream.send_room = flow_control.grown(stream.send_room, size)
            self._outbox.send_body(stream)

    _HANDLERS: ClassVar = {
        frames.DATA: _on_data,
        frames.HEADERS: _on_headers,
        frames.PRIORITY: _on_priority,
        frames.RST_STREAM: _on_reset,
        frames.SETTINGS: _on_settings,
        frames.PUSH_PROMISE: _on_push_promise,
        frames.PING: _on_ping,
        frames.GOAWAY: _on_goaway,
        frames.WINDOW_UPDATE: _on_window_update,
        frames.CONTINUATION: _on_continuation,
    }
