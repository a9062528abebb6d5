"""One HTTP/2 connection: many requests at a time (RFC 9113).

Read from top to bottom: how a connection begins, how a request goes out, what each
frame does, in the order of section 6, how streams end, and how the connection does.
The other modules of this folder: frames as bytes (frames.py), header blocks and fields
(header_blocks.py, header_fields.py, hpack_decoder.py), the peer's settings
(peer_settings.py), flow control (flow_control.py), stream states (streams.py), the
write buffer (write_buffer.py), flood limits (flood_guard.py), which requests are sent
again (resend.py), and keep-alive PINGs (keepalive.py).

h2's own state machine is not used: it closes at any GOAWAY, though the streams that
the peer goes on with may finish (section 6.8); it ends the connection where only a
stream is at fault (section 8.1.1); and it costs more than all the rest of a request.

Three rules hold throughout. Nothing awaits: when `data_received` returns, all that
follows from the bytes has happened. A stream's error is that stream's alone. The
window of the connection is given back on receipt, so that a consumer who reads slowly
holds back his own stream, by its window, and no other.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Protocol, cast

import httpx

from crawler.http.errors import HeaderTooLargeError, ResetError
from crawler.http.h2 import flow_control, frames, resend
from crawler.http.h2.codes import ErrorCode, Setting
from crawler.http.h2.flood_guard import BYTES_FOR_FRAME, FRAMES_FOR_HEAD, FloodGuard
from crawler.http.h2.flow_control import DEFAULT_WINDOW, MAX_WINDOW, ReceiveWindow
from crawler.http.h2.frames import Frame, FrameError, StreamError
from crawler.http.h2.header_blocks import BlockReader
from crawler.http.h2.header_fields import FieldEncoder
from crawler.http.h2.keepalive import KeepAlive
from crawler.http.h2.peer_settings import PeerSettings
from crawler.http.h2.streams import STREAM_WINDOW, Stream, Streams
from crawler.http.h2.write_buffer import WriteBuffer
from crawler.http.origins import Origin
from crawler.http.timeout_wheel import NEVER
from crawler.http.transfer import Fields, Transfer, TransferHome

__all__ = ["Http2Connection"]

#: What the connection may bring before we have said that it came.
_CONNECTION_WINDOW = 16 * 1024 * 1024
#: An abandoned body with no more than this to come is read to its end, for servers
#: punish resets; it has this long. Others are reset, but not most of all streams.
_DRAINED_BYTES = 64 * 1024
_DRAINED_SECONDS = 5.0
_MAX_RESET_SHARE = 0.3
_FREE_RESETS = 20


class Http2Home(TransferHome, Protocol):
    """The pool, as an HTTP/2 connection sees it."""

    def has_room_again(self, connection: Any) -> None: ...

    def retired(self, connection: Any) -> None: ...

    def lost(self, connection: Any) -> None: ...

    def gone(self, connection: Any) -> None: ...

    def send_again(self, transfer: Transfer) -> None: ...

    def http2_failed(self, origin: Origin) -> None: ...

    def avoid_http2(self, origin: Origin) -> None: ...


class Http2Connection(asyncio.Protocol):
    """Carries as many transfers as the peer allows."""

    def __init__(self, home: Http2Home, origin: Origin) -> None:
        self.origin = origin
        self.idle_since = 0.0
        #: When the first of the drained streams has had its time.
        self.due = NEVER
        self._home = home
        self._options = home.options
        self._ticker = home.ticker
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._outbox: WriteBuffer = None  # type: ignore[assignment]
        self._pulse = KeepAlive(self, home.ticker, home.options.silence)

        self._streams = Streams()
        self._resets = 0
        #: Whether it finishes what it carries and takes no more.
        self._is_retired = False
        self._is_closed = False

        self._peer = PeerSettings(self._options.max_streams)
        self._encoder = FieldEncoder()
        self._blocks = BlockReader(self._options.max_header_bytes)
        self._window = ReceiveWindow(_CONNECTION_WINDOW)
        self._allowance = FloodGuard()
        #: The beginning of a frame.
        self._received = b""

    # The connection begins (section 3.4)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._outbox = WriteBuffer(self._transport, self._peer, self._allowance)
        settings: dict[int, int] = {
            Setting.ENABLE_PUSH: 0,
            Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            Setting.MAX_HEADER_LIST_SIZE: self._options.max_header_bytes,
        }
        self._outbox.write(
            frames.PREFACE
            + frames.settings(settings)
            + frames.window_update(0, _CONNECTION_WINDOW - DEFAULT_WINDOW)
        )

    # A request goes out (section 8.1)

    @property
    def has_room(self) -> bool:
        """Whether another stream may be opened now (section 5.1.2)."""
        return (
            len(self._streams) < self._peer.streams
            and not self._is_retired
            and not self._pulse.is_doubted
            and not self._transport.is_closing()
        )

    @property
    def is_full(self) -> bool:
        """Whether the peer's own limit keeps new streams out."""
        return self._peer.is_known and len(self._streams) >= self._peer.streams

    @property
    def is_waiting(self) -> bool:
        """Whether anything is carried."""
        return bool(self._streams)

    @property
    def is_resting(self) -> bool:
        """Whether nothing is carried, and something may be."""
        return not self._streams and not self._is_retired

    @property
    def is_closing(self) -> bool:
        """Whether it is gone, though `connection_lost` is yet to come."""
        return self._transport.is_closing()

    def start(self, transfer: Transfer) -> None:
        """Open a stream: HEADERS, and the body as far as the windows allow."""
        block = self._encoder.encode(transfer.request)
        self._pulse.listen(is_alone=not self._streams)
        stream = self._streams.open(transfer, self._peer.window)
        transfer.begin(self)
        content = transfer.content
        self._outbox.write(
            frames.headers(
                stream.id,
                block,
                is_last=content == b"",
                max_frame_size=self._peer.frame_size,
            )
        )
        if content != b"":
            transfer.is_sending = True
        if content:
            stream.to_send = memoryview(content)
            self._outbox.send_body(stream)
        if self._streams.are_used_up:
            self._retire()

    async def send_piece(self, transfer: Transfer, piece: bytes) -> None:
        """Send a piece of a streamed body, once there is room for it."""
        stream = _stream_of(transfer)
        if stream is not None and piece:
            await self._outbox.send_piece(stream, piece)
            transfer.note_progress()

    def send_end(self, transfer: Transfer) -> None:
        """The streamed body has been sent."""
        stream = _stream_of(transfer)
        if stream is not None:
            transfer.is_sending = False
            self._outbox.write(frames.data(stream.id, b"", is_last=True))

    def rest(self) -> None:
        """There is nothing to be carried after all."""
        self._home.has_room_again(self)

    def slim(self) -> None:
        """Nothing: what an idle connection holds, both ends count on."""

    # Frames come in (section 4.1)

    def data_received(self, data: bytes) -> None:
        if self._is_closed:
            return  # TLS goes on to deliver what came before our goodbye
        was_asked = self._pulse.hear()
        self._outbox.hold()
        try:
            received, self._received = frames.split(self._received + data)
            for frame in received:
                self._handle(frame)
                if self._is_closed:
                    return
            if self._received:
                frames.check_size(self._received)
        except FrameError as exc:
            self._break(exc)
        finally:
            self._outbox.flush()
        if was_asked and not self._is_closed:
            self._home.has_room_again(self)

    def _handle(self, frame: Frame) -> None:
        if not self._peer.is_known and frame.type != frames.SETTINGS:
            raise FrameError(ErrorCode.PROTOCOL_ERROR, "The peer speaks no HTTP/2")
        if self._blocks.open is not None and frame.type != frames.CONTINUATION:
            raise FrameError(ErrorCode.PROTOCOL_ERROR, "A header block is cut in two")
        self._allowance.spend(1)
        handler = self._HANDLERS.get(frame.type)
        if handler is None:
            return  # unknown types are ignored (section 5.5)
        try:
            handler(self, frame)
        except StreamError as exc:
            self._refuse(frame, exc)
        except FrameError as exc:
            if exc.told is not None:
                self._tell(frame, exc.told)
            raise

    # DATA (section 6.1)

    def _on_data(self, frame: Frame) -> None:
        size = len(frame.payload)
        # On closed streams, too, it counts against the connection's window.
        self._window.receive(size)
        self._allow(0, self._window.consume(size))
        stream = self._streams.addressed(frame)
        if stream is None:
            return
        stream.receive_window.receive(size)
        piece = frame.payload
        if frame.flags & frames.PADDED:
            piece = frames.payload_of(frame)
        self._allowance.earn(len(piece) // BYTES_FOR_FRAME)
        consumed = stream.take_data(piece, size - len(piece))
        if consumed:
            self._allow(stream.id, stream.receive_window.consume(consumed))
        if frame.flags & frames.END_STREAM:
            self._end(stream)

    # HEADERS (section 6.2) and CONTINUATION (section 6.10)

    def _on_headers(self, frame: Frame) -> None:
        fields = self._blocks.begin(frame)
        if fields is not None:
            self._on_fields(frame, fields)

    def _on_continuation(self, frame: Frame) -> None:
        block = self._blocks.go_on(frame)
        if block is not None:
            self._on_fields(*block)

    def _on_fields(self, frame: Frame, fields: Fields) -> None:
        stream = self._streams.addressed(frame)
        if stream is None:
            # It was read for nothing, and that took its time.
            self._allowance.spend(self._blocks.size // BYTES_FOR_FRAME)
            return
        if len(fields) > self._options.max_header_count:
            error = HeaderTooLargeError("Too many header lines")
            raise StreamError(ErrorCode.PROTOCOL_ERROR, str(error), error)
        is_last = bool(frame.flags & frames.END_STREAM)
        stream.take_fields(fields, is_last=is_last)
        self._allowance.earn(FRAMES_FOR_HEAD)
        transfer = stream.transfer
        if is_last:
            self._end(stream)
        elif transfer is not None and transfer.is_done:
            self.abandon(transfer)  # its head is all that there is

    # PRIORITY (section 6.3), RST_STREAM (section 6.4)

    def _on_priority(self, frame: Frame) -> None:
        frames.check_priority(frame)

    def _on_reset(self, frame: Frame) -> None:
        code = frames.number_of(frame)
        stream = self._streams.addressed(frame)
        if stream is None:
            return
        self._forget(stream)
        if code == ErrorCode.HTTP_1_1_REQUIRED:
            self._home.avoid_http2(self.origin)
            self._retire()
        if stream.transfer is not None:
            resend.after_reset(self._home, stream.transfer, code)
        self._home.has_room_again(self)

    # SETTINGS (section 6.5)

    def _on_settings(self, frame: Frame) -> None:
        settings = frames.settings_of(frame)
        if not self._peer.is_known:
            if frame.flags & frames.ACK:
                raise FrameError(ErrorCode.PROTOCOL_ERROR, "An ACK for a preface")
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
        self._home.has_room_again(self)

    # PUSH_PROMISE (section 6.6), PING (section 6.7)

    def _on_push_promise(self, frame: Frame) -> None:
        raise FrameError(ErrorCode.PROTOCOL_ERROR, "A push, which was ruled out")

    def _on_ping(self, frame: Frame) -> None:
        payload = frames.ping_of(frame)
        if not frame.flags & frames.ACK:
            self._outbox.write(frames.ping(payload, is_ack=True))

    def ping(self) -> None:
        """Ask the peer to say something: its ACK, or anything else, will do."""
        if not self._is_closed:
            self._outbox.write(frames.ping())

    # GOAWAY (section 6.8)

    def _on_goaway(self, frame: Frame) -> None:
        last_id, code = frames.goaway_of(frame)
        if code == ErrorCode.HTTP_1_1_REQUIRED:
            self._home.avoid_http2(self.origin)
        self._retire()
        for stream in [each for each in self._streams.values() if each.id > last_id]:
            self._forget(stream)
            if stream.transfer is not None:
                resend.after_goaway(self._home, stream.transfer, last_id, code)

    # WINDOW_UPDATE (section 6.9)

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

    def _allow(self, stream_id: int, more: int) -> None:
        """Let the peer send so much more; on stream 0, on all together."""
        if more:
            self._outbox.write(frames.window_update(stream_id, more))

    # The caller reads the answer, or does not

    def consumed(self, transfer: Transfer, size: int) -> None:
        """Let the peer send as much more on this stream."""
        stream = _stream_of(transfer)
        if stream is not None:
            self._allow(stream.id, stream.receive_window.consume(size))

    def abandon(self, transfer: Transfer, *, timed_out: bool = False) -> None:
        """Nobody wants the rest: read it to the end if it is short, else reset."""
        stream = _stream_of(transfer)
        if stream is None:
            return
        transfer.stream = None
        stream.transfer = None
        stream.stop_sending()
        is_short = stream.left is not None and stream.left <= _DRAINED_BYTES
        if is_short and not transfer.is_sending:
            self._drain(stream)
        else:
            self._reset(stream, ErrorCode.CANCEL)
        if timed_out:
            self._pulse.doubt()
        self._home.has_room_again(self)

    def _drain(self, stream: Stream) -> None:
        self._allow(stream.id, stream.receive_window.consume_all())
        stream.due = self._ticker.now + _DRAINED_SECONDS
        self.due = min(self.due, stream.due)
        self._ticker.watch(self)

    def expire(self, now: float) -> None:
        """Drained streams had their time."""
        for stream in [each for each in self._streams.values() if each.due <= now]:
            self._reset(stream, ErrorCode.CANCEL)
        self.due = min((each.due for each in self._streams.values()), default=NEVER)
        if self.due == NEVER:
            self._ticker.unwatch(self)
        self._home.has_room_again(self)

    def get_extra_info(self, name: str) -> Any:
        """What httpx calls a network stream: `server_addr`, `ssl_object` and so on."""
        names = {"server_addr": "peername", "client_addr": "sockname"}
        return self._transport.get_extra_info(names.get(name, name))

    # A stream ends (section 5.1)

    def _end(self, stream: Stream) -> None:
        """END_STREAM: the peer has said all, unless the stream is closed already."""
        if stream.id not in self._streams:
            return
        if stream.transfer is not None and stream.transfer.is_sending:
            # It answers without having heard all, and need not hear the rest.
            self._outbox.write(frames.reset(stream.id, ErrorCode.NO_ERROR))
        self._forget(stream)
        stream.finish()
        self._home.has_room_again(self)

    def _refuse(self, frame: Frame, exc: StreamError) -> None:
        """A stream error (section 5.4.2), mostly a malformed answer (section 8.1.1)."""
        stream = self._streams.get(frame.stream_id)
        if stream is None:  # then it is about stream 0, which is the connection
            raise FrameError(exc.code, str(exc)) from exc
        self._reset(stream, exc.code)
        if stream.transfer is not None:
            stream.transfer.fail(exc.told or httpx.RemoteProtocolError(str(exc)))
        self._home.has_room_again(self)

    def _reset(self, stream: Stream, code: ErrorCode) -> None:
        self._outbox.write(frames.reset(stream.id, code))
        self._forget(stream)
        self._resets += 1
        if self._resets > max(_FREE_RESETS, self._streams.opened * _MAX_RESET_SHARE):
            # Servers take a connection of mostly resets for an attack, and cut it.
            self._retire()

    def _forget(self, stream: Stream) -> None:
        """The stream is closed on both sides."""
        self._streams.pop(stream.id, None)
        if stream.transfer is not None:
            stream.transfer.stream = None
        stream.stop_sending()
        if self._is_retired and not self._streams:
            self.close()

    # The connection ends (sections 5.4.1 and 9.1)

    def _retire(self) -> None:
        """Finish what is carried, and take no more."""
        if not self._is_retired:
            self._is_retired = True
            self._home.retired(self)
            if not self._streams:
                self.close()

    def close(self) -> None:
        """Say goodbye."""
        if not self._is_closed:
            self._outbox.write(frames.goaway(ErrorCode.NO_ERROR))
            self._outbox.flush()
            self._is_closed = True
            self._transport.close()

    def abort(self) -> None:
        self._is_closed = True
        self._transport.abort()
        self._home.lost(self)

    def die(self) -> None:
        """The peer is gone, and nobody is there to say goodbye to."""
        self._transport.abort()
        self._lose(httpx.ReadTimeout("The connection is dead: PING unanswered"))

    def _tell(self, frame: Frame, error: Exception) -> None:
        stream = self._streams.get(frame.stream_id)
        if stream is not None and stream.transfer is not None:
            stream.transfer.fail(error)

    def _break(self, exc: FrameError) -> None:
        """A connection error: say which, and hang up."""
        self._outbox.write(frames.goaway(exc.code))
        self._outbox.flush()
        self._home.http2_failed(self.origin)
        self._lose(httpx.RemoteProtocolError(str(exc)))

    def pause_writing(self) -> None:
        self._outbox.pause()

    def resume_writing(self) -> None:
        self._outbox.resume()
        self._outbox.send_bodies(self._streams.values())

    def eof_received(self) -> None:
        self._lose(ResetError("The server hung up"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(ResetError(f"The connection broke: {exc or 'the server hung up'}"))
        self._home.gone(self)

    def _lose(self, error: Exception) -> None:
        """Give the streams to other connections where they may be sent again."""
        self._is_retired = self._is_closed = True
        self._ticker.unwatch(self)
        self._pulse.stop()
        self._home.lost(self)
        self._transport.close()
        for stream in list(self._streams.values()):
            self._forget(stream)
            if stream.transfer is not None:
                resend.after_loss(self._home, stream.transfer, error)

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


def _stream_of(transfer: Transfer) -> Stream | None:
    return cast("Stream | None", transfer.stream)
