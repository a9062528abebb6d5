"""One HTTP/2 connection: many requests at a time (RFC 9113).

Read from top to bottom: what a request does, then what each frame does, in the order
of section 6, then how the connection ends. Frames are cut and built in frames.py,
fields in fields.py with HPACK by `hpack`, of the h2 project.

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
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hpack import Decoder, HPACKError, OversizedHeaderListError

from crawler.http import frames
from crawler.http.errors import HeaderTooLargeError, ResetError, TruncatedError
from crawler.http.fields import (
    FieldEncoder,
    MalformedError,
    check_fields,
    length_and_encodings,
    read_head,
)
from crawler.http.frames import Frame, FrameError
from crawler.http.origins import Origin
from crawler.http.streams import STREAM_WINDOW, Stream
from crawler.http.ticker import NEVER, Ticker
from crawler.http.transfer import Fields, Transfer, TransferHome

__all__ = ["Http2Connection"]

#: What the connection may bring before we have said that it came.
_CONNECTION_WINDOW = 16 * 1024 * 1024
_DEFAULT_WINDOW = 65_535
_MAX_WINDOW = 2**31 - 1
_MAX_STREAM_ID = 2**31 - 1
#: Streams that are opened before the peer has said how many it takes.
_STREAMS_BEFORE_SETTINGS = 10
_MAX_CONTINUATIONS = 64
_MAX_INFORMATIONAL = 16
#: An abandoned body with no more than this to come is read to its end, for servers
#: punish resets; it has this long. Others are reset, but not most of all streams.
_DRAINED_BYTES = 64 * 1024
_DRAINED_SECONDS = 5.0
_MAX_RESET_SHARE = 0.3
_FREE_RESETS = 20
#: Frames that bring nothing are paid from an allowance, which progress fills up.
_ALLOWANCE = 2_000
_FRAMES_FOR_HEAD = 50
_BYTES_FOR_FRAME = 16
_FRAMES_FOR_DATA = 4
#: Connections on which a request is tried though the peer left it out of all.
_MAX_LEFT_OUT = 3


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
        #: When drained streams have had their time, or the peer's silence is too long.
        self.due = NEVER
        self._home = home
        self._ticker: Ticker = home.ticker
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._streams: dict[int, Stream] = {}
        self._next_id = 1
        self._resets = 0
        #: Whether it finishes what it carries and takes no more.
        self._is_retired = False
        self._is_closed = False

        self._encoder = FieldEncoder()
        self._decoder = Decoder(home.options.max_header_bytes)
        #: A header block whose CONTINUATIONs are awaited, and the frame it began with.
        self._open_block: tuple[Frame, list[bytes]] | None = None

        self._has_settings = False
        self._max_streams = min(_STREAMS_BEFORE_SETTINGS, home.options.max_streams)
        self._max_frame_size = frames.MAX_FRAME_SIZE
        self._initial_send_window = _DEFAULT_WINDOW
        self._send_window = _DEFAULT_WINDOW
        self._receive_window = _CONNECTION_WINDOW
        self._allowance = _ALLOWANCE
        self._last_heard = 0.0
        self._silence = home.options.silence
        self._awaits_ping = False
        self._pinged_at = 0.0
        #: Whether nobody joins until the peer is heard again.
        self._is_doubted = False

        self._received = b""
        self._outgoing: list[bytes] = []
        self._is_in_callback = False
        self._is_flushing = False
        #: Whether the socket takes no more for now.
        self._is_paused = False
        self._loop = asyncio.get_running_loop()

    # A request's side

    @property
    def has_room(self) -> bool:
        """Whether another stream may be opened now."""
        return (
            len(self._streams) < self._max_streams
            and not self._is_retired
            and not self._is_doubted
            and not self._transport.is_closing()
        )

    @property
    def is_closing(self) -> bool:
        """Whether it is gone, though `connection_lost` is yet to come."""
        return self._transport.is_closing()

    @property
    def is_full(self) -> bool:
        """Whether the peer's own limit keeps new streams out."""
        return self._has_settings and len(self._streams) >= self._max_streams

    @property
    def is_resting(self) -> bool:
        """Whether nothing is carried."""
        return not self._streams and not self._is_retired

    def start(self, transfer: Transfer) -> None:
        """Open a stream: HEADERS, and the body as far as the windows allow."""
        block = self._encoder.encode(transfer.request)
        stream = Stream(self._next_id, transfer, self._initial_send_window)
        self._next_id += 2
        self._listen()
        self._streams[stream.id] = stream
        transfer.stream = stream
        transfer.begin(self)
        content = transfer.content
        self._write(
            frames.headers(
                stream.id,
                block,
                is_last=content == b"",
                max_frame_size=self._max_frame_size,
            )
        )
        if content != b"":
            transfer.is_sending = True
        if content:
            stream.to_send = memoryview(content)
            self._send_body(stream)
        if self._next_id > _MAX_STREAM_ID:
            self._retire()

    async def send_piece(self, transfer: Transfer, piece: bytes) -> None:
        """Send a piece of a streamed body, once the windows have room for it."""
        stream = self._stream_of(transfer)
        if stream is None or not piece:
            return
        stream.to_send = memoryview(piece)
        self._send_body(stream)
        while stream.to_send and not transfer.is_done:
            stream.writable = self._loop.create_future()
            await stream.writable
        transfer.note_progress()

    def send_end(self, transfer: Transfer) -> None:
        """The streamed body has been sent."""
        stream = self._stream_of(transfer)
        if stream is not None:
            transfer.is_sending = False
            self._write(frames.data(stream.id, b"", is_last=True))

    def _send_body(self, stream: Stream) -> None:
        transfer = stream.transfer
        while stream.to_send:
            room = min(self._send_window, stream.send_window, self._max_frame_size)
            if room <= 0 or transfer is None or self._is_paused:
                return
            piece, stream.to_send = stream.to_send[:room], stream.to_send[room:]
            self._send_window -= len(piece)
            stream.send_window -= len(piece)
            self._earn(_FRAMES_FOR_DATA + len(piece) // _BYTES_FOR_FRAME)
            # A streamed body is ended by `send_end`.
            is_last = not stream.to_send and transfer.content is not None
            self._write(frames.data(stream.id, piece, is_last=is_last))
            transfer.is_sending = not is_last
            transfer.note_progress()
            # At once, for the socket to say when it takes no more.
            self._flush()
        stream.wake()

    def consumed(self, transfer: Transfer, size: int) -> None:
        """Let the peer send as much more on this stream."""
        stream = self._stream_of(transfer)
        if stream is not None:
            self._credit(stream, size)

    def _credit(self, stream: Stream, size: int) -> None:
        self._give_back(stream, stream.credit(size))

    def _give_back(self, stream: Stream, more: int) -> None:
        if more:
            self._write(frames.window_update(stream.id, more))

    def abandon(self, transfer: Transfer, *, timed_out: bool = False) -> None:
        """Nobody wants the rest: read it to the end if it is short, else reset."""
        stream = self._stream_of(transfer)
        if stream is None:
            return
        transfer.stream = None
        stream.transfer = None
        stream.wake()
        is_sent = not transfer.is_sending
        if is_sent and stream.left is not None and stream.left <= _DRAINED_BYTES:
            self._give_back(stream, stream.credit_unread())
            stream.due = self._ticker.now + _DRAINED_SECONDS
            self._look_again(stream.due)
        else:
            self._reset(stream, ErrorCodes.CANCEL)
        if timed_out and self._is_silent():
            self._is_doubted = True
            self._ask_for_life()
        self._home.has_room_again(self)

    def _reset(self, stream: Stream, code: ErrorCodes) -> None:
        self._write(frames.reset(stream.id, code))
        self._forget(stream)
        self._resets += 1
        opened = self._next_id // 2
        if self._resets > max(_FREE_RESETS, opened * _MAX_RESET_SHARE):
            # Servers take a connection of mostly resets for an attack, and cut it.
            self._retire()

    def _forget(self, stream: Stream) -> None:
        """The stream is closed on both sides."""
        self._streams.pop(stream.id, None)
        if stream.transfer is not None:
            stream.transfer.stream = None
        stream.wake()
        if self._is_retired and not self._streams:
            self.close()

    def _stream_of(self, transfer: Transfer) -> Stream | None:
        return cast("Stream | None", transfer.stream)

    def rest(self) -> None:
        """There is nothing to be carried after all."""
        self._home.has_room_again(self)

    def get_extra_info(self, name: str) -> Any:
        """What httpx calls a network stream: `server_addr`, `ssl_object` and so on."""
        names = {"server_addr": "peername", "client_addr": "sockname"}
        return self._transport.get_extra_info(names.get(name, name))

    # The connection begins (section 3.4)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._last_heard = self._ticker.now
        self._write(
            frames.PREFACE
            + frames.settings(
                {
                    SettingCodes.ENABLE_PUSH: 0,
                    SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                    SettingCodes.MAX_HEADER_LIST_SIZE: (
                        self._home.options.max_header_bytes
                    ),
                }
            )
            + frames.window_update(0, _CONNECTION_WINDOW - _DEFAULT_WINDOW)
        )

    def data_received(self, data: bytes) -> None:
        if self._is_closed:
            return  # TLS goes on to deliver what came before our goodbye
        self._last_heard = self._ticker.now
        self._is_in_callback = True
        try:
            received, self._received = frames.split(self._received + data)
            for frame in received:
                self._handle(frame)
                if self._is_closed:
                    return
            frames.check_size(self._received)
        except FrameError as exc:
            self._break(exc.code, str(exc))
        finally:
            self._is_in_callback = False
            self._flush()
        if self._awaits_ping and not self._is_closed:
            # Any sign of life will do.
            self._awaits_ping = self._is_doubted = False
            self._home.has_room_again(self)

    def _handle(self, frame: Frame) -> None:
        if not self._has_settings and frame.type != frames.SETTINGS:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "The peer speaks no HTTP/2")
        if self._open_block is not None and frame.type != frames.CONTINUATION:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "A header block is cut in two")
        self._allowance -= 1
        if self._allowance < 0:
            raise FrameError(ErrorCodes.ENHANCE_YOUR_CALM, "Frames that bring nothing")
        handler = self._HANDLERS.get(frame.type)
        if handler is not None:  # unknown ones are ignored (section 4.1)
            handler(self, frame)

    def _earn(self, count: int) -> None:
        """There was progress: the peer may send so many frames more without any."""
        self._allowance = min(self._allowance + count, _ALLOWANCE)

    # DATA (section 6.1)

    def _on_data(self, frame: Frame) -> None:
        size = len(frame.payload)
        self._receive_window -= size
        if self._receive_window < 0:
            raise FrameError(ErrorCodes.FLOW_CONTROL_ERROR, "More than the window")
        if self._receive_window < _CONNECTION_WINDOW // 2:
            self._write(
                frames.window_update(0, _CONNECTION_WINDOW - self._receive_window)
            )
            self._receive_window = _CONNECTION_WINDOW
        stream = self._streams.get(frame.stream_id)
        if stream is None:
            self._check_was_open(frame)
            return
        stream.receive_window -= size
        if stream.receive_window < 0:
            raise FrameError(ErrorCodes.FLOW_CONTROL_ERROR, "More than the window")
        piece = (
            frames.payload_of(frame) if frame.flags & frames.PADDED else (frame.payload)
        )
        self._earn(len(piece) // _BYTES_FOR_FRAME)
        self._take_piece(stream, piece, size - len(piece))
        if frame.flags & frames.END_STREAM and frame.stream_id in self._streams:
            self._end(stream)

    def _take_piece(self, stream: Stream, piece: bytes, padding: int) -> None:
        transfer = stream.transfer
        if stream.left is not None:
            stream.left -= len(piece)
        if transfer is None:
            self._credit(stream, len(piece) + padding)
        elif not transfer.head.done():
            self._refuse(stream, "The body comes before its head")
        elif stream.left is not None and stream.left < 0:
            self._refuse(stream, "The body is longer than its Content-Length")
        elif piece and not transfer.feed(piece):
            transfer.abandon()
        elif padding:
            self._credit(stream, padding)

    # HEADERS (section 6.2) and CONTINUATION (section 6.10)

    def _on_headers(self, frame: Frame) -> None:
        block = frame.payload
        if frame.flags & (frames.PADDED | frames.PRIORITY_FLAG):
            block = frames.payload_of(frame)
        if frame.flags & frames.END_HEADERS:
            self._on_block(frame, block)
        else:
            self._open_block = (frame, [block])

    def _on_continuation(self, frame: Frame) -> None:
        if self._open_block is None or frame.stream_id != self._open_block[0].stream_id:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "CONTINUATION of nothing")
        first, parts = self._open_block
        parts.append(frame.payload)
        size = sum(map(len, parts))
        limit = self._home.options.max_header_bytes
        if len(parts) > _MAX_CONTINUATIONS or size > limit:
            self._refuse_head(first.stream_id)
        if frame.flags & frames.END_HEADERS:
            self._open_block = None
            self._on_block(first, b"".join(parts))

    def _on_block(self, frame: Frame, block: bytes) -> None:
        # Every block has to be decoded, wanted or not: it changes the table.
        try:
            fields = cast(Fields, self._decoder.decode(block, raw=True))
        except OversizedHeaderListError:
            self._refuse_head(frame.stream_id)
        except HPACKError as exc:
            raise FrameError(ErrorCodes.COMPRESSION_ERROR, f"HPACK: {exc}") from exc
        stream = self._streams.get(frame.stream_id)
        if stream is None:
            self._check_was_open(frame)
            return
        is_last = bool(frame.flags & frames.END_STREAM)
        transfer = stream.transfer
        if transfer is not None:
            try:
                self._on_fields(stream, transfer, fields, is_last)
            except MalformedError as exc:
                self._refuse(stream, str(exc))
        if is_last and frame.stream_id in self._streams:
            self._end(stream)

    def _on_fields(
        self, stream: Stream, transfer: Transfer, fields: Fields, is_last: bool
    ) -> None:
        if len(fields) > self._home.options.max_header_count:
            self._refuse(stream, "", HeaderTooLargeError("Too many header lines"))
            return
        if transfer.head.done():
            # Trailers are checked, and left out.
            check_fields(fields)
            if not is_last:
                raise MalformedError("A second head")
            return
        status, fields = read_head(fields)
        if status >= 200:
            self._on_head(stream, transfer, (status, fields), is_last)
            return
        transfer.informational += 1
        if is_last or status == 101 or transfer.informational > _MAX_INFORMATIONAL:
            raise MalformedError(f"An unasked {status}, or too many of it")
        transfer.note_progress()

    def _on_head(
        self,
        stream: Stream,
        transfer: Transfer,
        head: tuple[int, Fields],
        is_last: bool,
    ) -> None:
        status, fields = head
        self._earn(_FRAMES_FOR_HEAD)
        transfer.http_version = b"HTTP/2"
        length, encodings = length_and_encodings(fields)
        if transfer.request.method == "HEAD" or status in (204, 304):
            stream.left = 0
            transfer.answer(status, fields, [], None)
            # There is no content, whatever comes (RFC 9110 section 6.4.1).
            transfer.complete()
            self.abandon(transfer)
            return
        if not is_last:
            stream.left = length
        elif length:
            raise MalformedError("The answer announces a body and has none")
        if not transfer.answer(status, fields, encodings, length):
            transfer.abandon()

    def _refuse_head(self, stream_id: int) -> None:
        """Give up the connection: what was not decoded is missing in the table."""
        limit = self._home.options.max_header_bytes
        error = HeaderTooLargeError(f"The head is larger than {limit:,} bytes")
        stream = self._streams.get(stream_id)
        if stream is not None and stream.transfer is not None:
            transfer = stream.transfer
            self._forget(stream)
            transfer.fail(error)
        raise FrameError(ErrorCodes.ENHANCE_YOUR_CALM, str(error))

    def _refuse(
        self,
        stream: Stream,
        message: str,
        error: Exception | None = None,
        code: ErrorCodes = ErrorCodes.PROTOCOL_ERROR,
    ) -> None:
        """A malformed answer: its stream is reset (section 8.1.1)."""
        transfer = stream.transfer
        self._reset(stream, code)
        if transfer is not None:
            transfer.fail(error or httpx.RemoteProtocolError(message))
        self._home.has_room_again(self)

    def _end(self, stream: Stream) -> None:
        """The peer has said the last of this stream."""
        transfer = stream.transfer
        if transfer is not None and transfer.is_sending:
            # It answers without having heard all, and need not hear the rest.
            self._write(frames.reset(stream.id, ErrorCodes.NO_ERROR))
        self._forget(stream)
        if transfer is not None:
            if not transfer.head.done():
                transfer.fail(httpx.RemoteProtocolError("The answer has no head"))
            elif stream.left:
                transfer.fail(TruncatedError("The body is shorter than announced"))
            else:
                transfer.complete()
        self._home.has_room_again(self)

    # PRIORITY (section 6.3)

    def _on_priority(self, frame: Frame) -> None:
        if not frame.stream_id:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "PRIORITY on no stream")
        if len(frame.payload) != 5:
            raise FrameError(ErrorCodes.FRAME_SIZE_ERROR, "PRIORITY of a broken size")

    # RST_STREAM (section 6.4)

    def _on_reset(self, frame: Frame) -> None:
        code = frames.number_of(frame)
        stream = self._streams.get(frame.stream_id)
        if stream is None:
            self._check_was_open(frame)
            return
        transfer = stream.transfer
        self._forget(stream)
        if transfer is not None:
            self._on_transfer_reset(transfer, code)
        self._home.has_room_again(self)

    def _on_transfer_reset(self, transfer: Transfer, code: int) -> None:
        name = _name_of(code)
        if code == ErrorCodes.HTTP_1_1_REQUIRED and transfer.may_be_sent_again:
            self._home.avoid_http2(self.origin)
            self._retire()
            self._home.send_again(transfer)
        elif (
            code == ErrorCodes.REFUSED_STREAM
            and not transfer.refused
            and (transfer.content is not None and not transfer.head.done())
        ):
            # It was not processed (section 8.7): any method may be tried again.
            transfer.refused += 1
            self._home.send_again(transfer)
        elif transfer.head.done():
            transfer.fail(TruncatedError(f"The body was cut off: {name}"))
        else:
            transfer.fail(ResetError(f"The stream was reset: {name}"))

    # SETTINGS (section 6.5)

    def _on_settings(self, frame: Frame) -> None:
        if frame.stream_id:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "SETTINGS on a stream")
        if frame.flags & frames.ACK:
            if frame.payload:
                raise FrameError(ErrorCodes.FRAME_SIZE_ERROR, "SETTINGS in an ACK")
            if not self._has_settings:
                raise FrameError(ErrorCodes.PROTOCOL_ERROR, "An ACK for a preface")
            return
        if not self._has_settings:
            self._has_settings = True
            self._max_streams = self._home.options.max_streams
        settings = frames.settings_of(frame)
        self._allowance -= len(settings)
        for code, value in settings:
            self._apply(code, value)
        self._write(frames.settings_ack())
        self._send_all_bodies()
        self._home.has_room_again(self)

    def _apply(self, code: int, value: int) -> None:
        if code == SettingCodes.HEADER_TABLE_SIZE:
            self._encoder.limit_table(value)
        elif code == SettingCodes.ENABLE_PUSH and value:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "A server asks for push")
        elif code == SettingCodes.MAX_CONCURRENT_STREAMS:
            self._max_streams = min(value, self._home.options.max_streams)
        elif code == SettingCodes.INITIAL_WINDOW_SIZE:
            self._resize_windows(value)
        elif code == SettingCodes.MAX_FRAME_SIZE:
            if not frames.MAX_FRAME_SIZE <= value < 2**24:
                raise FrameError(ErrorCodes.PROTOCOL_ERROR, "A frame size out of range")
            self._max_frame_size = value

    def _resize_windows(self, size: int) -> None:
        if size > _MAX_WINDOW:
            raise FrameError(ErrorCodes.FLOW_CONTROL_ERROR, "A window too large")
        for stream in self._streams.values():
            # This may make it negative, but not too large (section 6.9.2).
            stream.send_window += size - self._initial_send_window
            if stream.send_window > _MAX_WINDOW:
                raise FrameError(ErrorCodes.FLOW_CONTROL_ERROR, "A window too large")
        self._initial_send_window = size

    # PUSH_PROMISE (section 6.6)

    def _on_push_promise(self, frame: Frame) -> None:
        raise FrameError(ErrorCodes.PROTOCOL_ERROR, "A push, which was ruled out")

    # PING (section 6.7)

    def _on_ping(self, frame: Frame) -> None:
        if frame.stream_id:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "PING on a stream")
        if len(frame.payload) != 8:
            raise FrameError(ErrorCodes.FRAME_SIZE_ERROR, "PING of a broken size")
        if not frame.flags & frames.ACK:
            self._write(frames.ping(frame.payload, is_ack=True))

    def _listen(self) -> None:
        """A stream is about to be opened: is anybody there to answer it?"""
        if not self._streams and self._is_silent():
            # It may have died while it was idle; the answer, or the PING's, will tell.
            self._ask_for_life()
        if self.due == NEVER:
            self._look_again(self._ticker.now + self._silence)

    def _is_silent(self) -> bool:
        return self._last_heard + self._silence <= self._ticker.now

    def _ask_for_life(self) -> None:
        """Nothing was heard for long: a peer that is gone answers no PING either."""
        if not self._awaits_ping and not self._is_closed:
            self._awaits_ping = True
            self._pinged_at = self._ticker.now
            self._write(frames.ping())
            self._look_again(self._pinged_at + self._silence)

    # GOAWAY (section 6.8)

    def _on_goaway(self, frame: Frame) -> None:
        last_id, code = frames.goaway_of(frame)
        if frame.stream_id:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "GOAWAY on a stream")
        if code == ErrorCodes.HTTP_1_1_REQUIRED:
            self._home.avoid_http2(self.origin)
        self._retire()
        for stream in [s for s in self._streams.values() if s.id > last_id]:
            transfer = stream.transfer
            self._forget(stream)
            if transfer is None:
                continue
            if last_id:
                # Others were processed: it will have its turn, and this was no try.
                transfer.resent -= 1
            self._send_unprocessed_again(transfer, code)

    def _send_unprocessed_again(self, transfer: Transfer, code: int) -> None:
        is_kept = transfer.content is not None and not transfer.head.done()
        if is_kept and transfer.resent < _MAX_LEFT_OUT:
            self._home.send_again(transfer)
        else:
            transfer.fail(ResetError(f"The server goes away: {_name_of(code)}"))

    # WINDOW_UPDATE (section 6.9)

    def _on_window_update(self, frame: Frame) -> None:
        size = frames.number_of(frame) & _MAX_WINDOW
        stream = self._streams.get(frame.stream_id)
        if frame.stream_id and stream is None:
            self._check_was_open(frame)
        elif stream is not None:
            stream.send_window += size
            if not size:
                self._refuse(stream, "A window that does not grow")
            elif stream.send_window > _MAX_WINDOW:
                code = ErrorCodes.FLOW_CONTROL_ERROR
                self._refuse(stream, "A window too large", code=code)
            elif stream.to_send:
                self._send_body(stream)
        else:
            self._send_window += size
            if not size:
                raise FrameError(ErrorCodes.PROTOCOL_ERROR, "A window does not grow")
            if self._send_window > _MAX_WINDOW:
                raise FrameError(ErrorCodes.FLOW_CONTROL_ERROR, "A window too large")
            self._send_all_bodies()

    def _send_all_bodies(self) -> None:
        for stream in list(self._streams.values()):
            if stream.to_send:
                self._send_body(stream)

    def _check_was_open(self, frame: Frame) -> None:
        """Frames on streams that we closed may be late (section 5.1), others not."""
        is_ours = frame.stream_id % 2 == 1 and frame.stream_id < self._next_id
        if not is_ours:
            raise FrameError(
                ErrorCodes.PROTOCOL_ERROR, "A stream that was never opened"
            )

    # The connection ends

    def _retire(self) -> None:
        """Finish what is carried, and take no more."""
        if not self._is_retired:
            self._is_retired = True
            self._home.retired(self)
            if not self._streams:
                self.close()

    def _look_again(self, when: float) -> None:
        self.due = min(self.due, when)
        self._ticker.watch(self)

    def expire(self, now: float) -> None:
        """Drained streams had their time, or nothing was heard for long."""
        self.due = NEVER
        self._ticker.unwatch(self)
        if self._awaits_ping and now >= self._pinged_at + self._silence:
            self._transport.abort()  # nobody is there to say goodbye to
            self._lose(httpx.ReadTimeout("The connection is dead: PING unanswered"))
            return
        drained = [stream for stream in self._streams.values() if stream.due <= now]
        for stream in drained:
            self._reset(stream, ErrorCodes.CANCEL)
        if drained:
            self._home.has_room_again(self)
        self._see_who_waits()

    def _see_who_waits(self) -> None:
        """Streams wait, perhaps for a peer that is gone: say when to look again."""
        if not (self._streams or self._awaits_ping):
            return
        # A peer that never spoke is left to the timeouts of those who wait for it.
        if self._has_settings and self._is_silent():
            self._is_doubted = True
            self._ask_for_life()
        if self._awaits_ping:
            since = self._pinged_at
        else:
            since = self._last_heard if self._has_settings else self._ticker.now
        drained = [stream.due for stream in self._streams.values()]
        self._look_again(min([since + self._silence, *drained]))

    def close(self) -> None:
        """Say goodbye."""
        if not self._is_closed:
            self._write(frames.goaway(ErrorCodes.NO_ERROR))
            self._flush()
            self._is_closed = True
            self._transport.close()

    def abort(self) -> None:
        self._is_closed = True
        self._transport.abort()
        self._home.lost(self)

    def _break(self, code: ErrorCodes, message: str) -> None:
        """The peer broke the protocol: tell it, and hang up (section 5.4.1)."""
        self._outgoing.append(frames.goaway(code))
        self._flush()
        self._home.http2_failed(self.origin)
        self._lose(httpx.RemoteProtocolError(message))

    def _lose(self, error: Exception) -> None:
        """Give the streams to other connections where they may be sent again."""
        self._is_retired = self._is_closed = True
        self._ticker.unwatch(self)
        self._home.lost(self)
        streams, self._streams = list(self._streams.values()), {}
        self._transport.close()
        for stream in streams:
            stream.wake()
            transfer = stream.transfer
            if transfer is None:
                continue
            transfer.stream = None
            if transfer.may_be_sent_again:
                self._home.send_again(transfer)
            elif transfer.head.done():
                transfer.fail(_like(error, TruncatedError(f"The body is cut: {error}")))
            else:
                transfer.fail(error)

    def eof_received(self) -> None:
        self._lose(ResetError("The server hung up"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(ResetError(f"The connection broke: {exc or 'the server hung up'}"))
        self._home.gone(self)

    # Bytes go out: once for all that happens in one turn of the loop

    def _write(self, data: bytes) -> None:
        self._outgoing.append(data)
        if not (self._is_in_callback or self._is_flushing):
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._send_all_bodies()

    def _flush(self) -> None:
        self._is_flushing = False
        if self._outgoing and not self._is_closed and not self.is_closing:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

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


def _name_of(code: int) -> str:
    try:
        return ErrorCodes(code).name
    except ValueError:
        return f"error {code}"


def _like(cause: Exception, error: Exception) -> Exception:
    error.__cause__ = cause
    return error
