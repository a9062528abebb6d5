"""One HTTP/2 connection: many requests at a time (RFC 9113).

Read from top to bottom: how a connection begins, how a request goes out, what each
frame does, in the order of section 6, how streams end, and how the connection does.
What is said beside it: frames as bytes (frames.py), fields (fields.py, and HPACK by
`hpack`, of the h2 project), windows (windows.py), what an answer may be (streams.py),
what waits to be written (outbox.py), who is sent again (reliability.py), and whether
anybody is there (pulse.py).

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

from crawler.http import frames, reliability
from crawler.http.errors import HeaderTooLargeError, ResetError
from crawler.http.fields import FieldEncoder
from crawler.http.frames import Frame, FrameError, StreamError
from crawler.http.origins import Origin
from crawler.http.outbox import Outbox
from crawler.http.pulse import Pulse
from crawler.http.streams import STREAM_WINDOW, Stream
from crawler.http.ticker import NEVER
from crawler.http.transfer import Fields, Transfer, TransferHome
from crawler.http.windows import DEFAULT_WINDOW, MAX_WINDOW, ReceiveWindow

__all__ = ["Http2Connection"]

#: What the connection may bring before we have said that it came.
_CONNECTION_WINDOW = 16 * 1024 * 1024
_MAX_STREAM_ID = 2**31 - 1
#: Streams that are opened before the peer has said how many it takes.
_STREAMS_BEFORE_SETTINGS = 10
_MAX_CONTINUATIONS = 64
#: An abandoned body with no more than this to come is read to its end, for servers
#: punish resets; it has this long. Others are reset, but not most of all streams.
_DRAINED_BYTES = 64 * 1024
_DRAINED_SECONDS = 5.0
_MAX_RESET_SHARE = 0.3
_FREE_RESETS = 20
#: Frames that bring nothing are paid from an allowance, which progress fills up
#: (section 10.5): a head, a piece of body either way, and the bytes in it.
_ALLOWANCE = 2_000
_FRAMES_FOR_HEAD = 50
_FRAMES_FOR_DATA = 4
_BYTES_FOR_FRAME = 16


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
        self._options = home.options
        self._ticker = home.ticker
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._outbox: Outbox = None  # type: ignore[assignment]
        self._pulse = Pulse(home.options.silence, home.ticker.now)

        #: Streams that are open, or half-closed by us. Below `_next_id` the odd ones
        #: that are not here are closed; all others are idle (section 5.1).
        self._streams: dict[int, Stream] = {}
        self._next_id = 1
        self._resets = 0
        #: Whether it finishes what it carries and takes no more.
        self._is_retired = False
        self._is_closed = False

        #: What the peer has set (section 6.5.2), beside what the outbox knows.
        self._has_settings = False
        self._max_streams = min(_STREAMS_BEFORE_SETTINGS, self._options.max_streams)
        self._initial_window = DEFAULT_WINDOW

        self._encoder = FieldEncoder()
        self._decoder = Decoder(self._options.max_header_bytes)
        #: The beginning of a frame, and of a header block whose CONTINUATIONs are
        #: awaited: its HEADERS, and the parts so far.
        self._received = b""
        self._open_block: tuple[Frame, list[bytes]] | None = None
        self._window = ReceiveWindow(_CONNECTION_WINDOW)
        self._allowance = _ALLOWANCE

    # The connection begins (section 3.4)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._outbox = Outbox(self._transport)
        settings: dict[int, int] = {
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: self._options.max_header_bytes,
        }
        self._outbox.write(frames.PREFACE + frames.settings(settings))
        self._allow(0, _CONNECTION_WINDOW - DEFAULT_WINDOW)

    # A request goes out (section 8.1)

    @property
    def has_room(self) -> bool:
        """Whether another stream may be opened now (section 5.1.2)."""
        return (
            len(self._streams) < self._max_streams
            and not self._is_retired
            and not self._pulse.is_doubted
            and not self._transport.is_closing()
        )

    @property
    def is_full(self) -> bool:
        """Whether the peer's own limit keeps new streams out."""
        return self._has_settings and len(self._streams) >= self._max_streams

    @property
    def is_resting(self) -> bool:
        """Whether nothing is carried."""
        return not self._streams and not self._is_retired

    @property
    def is_closing(self) -> bool:
        """Whether it is gone, though `connection_lost` is yet to come."""
        return self._transport.is_closing()

    def start(self, transfer: Transfer) -> None:
        """Open a stream: HEADERS, and the body as far as the windows allow."""
        block = self._encoder.encode(transfer.request)
        self._listen()
        stream = Stream(self._next_id, transfer, self._initial_window)
        self._next_id += 2
        self._streams[stream.id] = stream
        transfer.stream = stream
        transfer.begin(self)
        content = transfer.content
        self._outbox.write(
            frames.headers(
                stream.id,
                block,
                is_last=content == b"",
                max_frame_size=self._outbox.max_frame_size,
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
        """Send a piece of a streamed body, once there is room for it."""
        stream = _stream_of(transfer)
        if stream is None or not piece:
            return
        stream.to_send = memoryview(piece)
        self._send_body(stream)
        while stream.to_send and not transfer.is_done:
            stream.writable = asyncio.get_running_loop().create_future()
            await stream.writable
        transfer.note_progress()

    def send_end(self, transfer: Transfer) -> None:
        """The streamed body has been sent."""
        stream = _stream_of(transfer)
        if stream is not None:
            transfer.is_sending = False
            self._outbox.write(frames.data(stream.id, b"", is_last=True))

    def _send_body(self, stream: Stream) -> None:
        sent = self._outbox.send_body(stream)
        if sent:
            self._earn(_FRAMES_FOR_DATA + sent // _BYTES_FOR_FRAME)

    def _send_all_bodies(self) -> None:
        for stream in list(self._streams.values()):
            if stream.to_send:
                self._send_body(stream)

    def rest(self) -> None:
        """There is nothing to be carried after all."""
        self._home.has_room_again(self)

    # Frames come in (section 4.1)

    def data_received(self, data: bytes) -> None:
        if self._is_closed:
            return  # TLS goes on to deliver what came before our goodbye
        was_asked = self._pulse.hear(self._ticker.now)
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
        if not self._has_settings and frame.type != frames.SETTINGS:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "The peer speaks no HTTP/2")
        if self._open_block is not None and frame.type != frames.CONTINUATION:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "A header block is cut in two")
        self._allowance -= 1
        if self._allowance < 0:
            raise FrameError(ErrorCodes.ENHANCE_YOUR_CALM, "Frames that bring nothing")
        handler = self._HANDLERS.get(frame.type)
        if handler is None:
            return  # unknown types are ignored (section 5.5)
        try:
            handler(self, frame)
        except StreamError as exc:
            stream = self._streams.get(frame.stream_id)
            if stream is None:  # then it is about stream 0, which is the connection
                raise FrameError(exc.code, str(exc)) from exc
            self._refuse(stream, exc)

    def _earn(self, count: int) -> None:
        """There was progress: the peer may send so many frames more without any."""
        self._allowance = min(self._allowance + count, _ALLOWANCE)

    def _addressed(self, frame: Frame) -> Stream | None:
        """The frame's stream; None if it is closed, for then the frame may be late.

        Frames on idle streams, as all of the server's are, are an error (section 5.1).
        """
        stream = self._streams.get(frame.stream_id)
        is_ours = frame.stream_id % 2 == 1 and frame.stream_id < self._next_id
        if stream is None and not is_ours:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "A frame on an idle stream")
        return stream

    # DATA (section 6.1)

    def _on_data(self, frame: Frame) -> None:
        size = len(frame.payload)
        # On closed streams, too, it counts against the connection's window.
        self._window.receive(size)
        self._allow(0, self._window.consume(size))
        stream = self._addressed(frame)
        if stream is None:
            return
        stream.receive_window.receive(size)
        piece = frame.payload
        if frame.flags & frames.PADDED:
            piece = frames.payload_of(frame)
        self._earn(len(piece) // _BYTES_FOR_FRAME)
        free = stream.take_data(piece, size - len(piece))
        if free:
            self._allow(stream.id, stream.receive_window.consume(free))
        if frame.flags & frames.END_STREAM:
            self._end(stream)

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
        if len(parts) > _MAX_CONTINUATIONS or size > self._options.max_header_bytes:
            self._refuse_block(frame)
        if frame.flags & frames.END_HEADERS:
            self._open_block = None
            self._on_block(first, b"".join(parts))

    def _on_block(self, frame: Frame, block: bytes) -> None:
        # Every block has to be decoded, wanted or not: it changes the table (4.3).
        try:
            fields = cast(Fields, self._decoder.decode(block, raw=True))
        except OversizedHeaderListError:
            self._refuse_block(frame)
        except HPACKError as exc:
            raise FrameError(ErrorCodes.COMPRESSION_ERROR, f"HPACK: {exc}") from exc
        stream = self._addressed(frame)
        if stream is None:
            return
        if len(fields) > self._options.max_header_count:
            self._fail(frame, HeaderTooLargeError("Too many header lines"))
            raise StreamError(ErrorCodes.PROTOCOL_ERROR, "Too many header lines")
        is_last = bool(frame.flags & frames.END_STREAM)
        stream.take_fields(fields, is_last=is_last)
        self._earn(_FRAMES_FOR_HEAD)
        transfer = stream.transfer
        if is_last:
            self._end(stream)
        elif transfer is not None and transfer.is_done:
            self.abandon(transfer)  # its head is all that there is

    def _refuse_block(self, frame: Frame) -> None:
        """Give up the connection: what was not decoded is missing in the table."""
        limit = self._options.max_header_bytes
        error = HeaderTooLargeError(f"The head is larger than {limit:,} bytes")
        self._fail(frame, error)
        raise FrameError(ErrorCodes.ENHANCE_YOUR_CALM, str(error))

    def _fail(self, frame: Frame, error: Exception) -> None:
        """Tell whoever waits for this stream more than that it broke."""
        stream = self._streams.get(frame.stream_id)
        if stream is not None and stream.transfer is not None:
            stream.transfer.fail(error)

    # PRIORITY (section 6.3), RST_STREAM (section 6.4)

    def _on_priority(self, frame: Frame) -> None:
        frames.check_priority(frame)

    def _on_reset(self, frame: Frame) -> None:
        code = frames.number_of(frame)
        stream = self._addressed(frame)
        if stream is None:
            return
        transfer = stream.transfer
        self._forget(stream)
        if code == ErrorCodes.HTTP_1_1_REQUIRED:
            self._home.avoid_http2(self.origin)
            self._retire()
        if transfer is not None:
            reliability.after_reset(self._home, transfer, code)
        self._home.has_room_again(self)

    # SETTINGS (section 6.5)

    def _on_settings(self, frame: Frame) -> None:
        settings = frames.settings_of(frame)
        is_ack = frame.flags & frames.ACK
        if not self._has_settings:
            if is_ack:
                raise FrameError(ErrorCodes.PROTOCOL_ERROR, "An ACK for a preface")
            self._has_settings = True
            self._max_streams = self._options.max_streams
        if is_ack:
            return
        self._allowance -= len(settings)
        for code, value in settings:
            self._apply(code, value)
        self._outbox.write(frames.settings_ack())
        self._send_all_bodies()
        self._home.has_room_again(self)

    def _apply(self, code: int, value: int) -> None:
        if code == SettingCodes.HEADER_TABLE_SIZE:
            self._encoder.limit_table(value)
        elif code == SettingCodes.ENABLE_PUSH and value:
            raise FrameError(ErrorCodes.PROTOCOL_ERROR, "A server asks for push")
        elif code == SettingCodes.MAX_CONCURRENT_STREAMS:
            self._max_streams = min(value, self._options.max_streams)
        elif code == SettingCodes.INITIAL_WINDOW_SIZE:
            self._resize_windows(value)
        elif code == SettingCodes.MAX_FRAME_SIZE:
            if not frames.MAX_FRAME_SIZE <= value < 2**24:
                raise FrameError(ErrorCodes.PROTOCOL_ERROR, "A frame size out of range")
            self._outbox.max_frame_size = value

    def _resize_windows(self, size: int) -> None:
        """Section 6.9.2: windows of open streams move along, even below nothing."""
        if size > MAX_WINDOW:
            raise FrameError(ErrorCodes.FLOW_CONTROL_ERROR, "A window too large")
        for stream in self._streams.values():
            stream.send_window.move(size - self._initial_window)
        self._initial_window = size

    # PUSH_PROMISE (section 6.6), PING (section 6.7)

    def _on_push_promise(self, frame: Frame) -> None:
        raise FrameError(ErrorCodes.PROTOCOL_ERROR, "A push, which was ruled out")

    def _on_ping(self, frame: Frame) -> None:
        payload = frames.ping_of(frame)
        if not frame.flags & frames.ACK:
            self._outbox.write(frames.ping(payload, is_ack=True))

    # GOAWAY (section 6.8)

    def _on_goaway(self, frame: Frame) -> None:
        last_id, code = frames.goaway_of(frame)
        if code == ErrorCodes.HTTP_1_1_REQUIRED:
            self._home.avoid_http2(self.origin)
        self._retire()
        for stream in [s for s in self._streams.values() if s.id > last_id]:
            transfer = stream.transfer
            self._forget(stream)
            if transfer is not None:
                reliability.after_goaway(self._home, transfer, last_id, code)

    # WINDOW_UPDATE (section 6.9)

    def _on_window_update(self, frame: Frame) -> None:
        size = frames.number_of(frame) & MAX_WINDOW
        if not frame.stream_id:
            self._outbox.window.grow(size)
            self._send_all_bodies()
            return
        stream = self._addressed(frame)
        if stream is not None:
            stream.send_window.grow(size)
            if stream.to_send:
                self._send_body(stream)

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
        stream.wake()
        is_short = stream.left is not None and stream.left <= _DRAINED_BYTES
        if is_short and not transfer.is_sending:
            self._allow(stream.id, stream.receive_window.consume_all())
            stream.due = self._ticker.now + _DRAINED_SECONDS
            self._look_again(stream.due)
        else:
            self._reset(stream, ErrorCodes.CANCEL)
        if timed_out and self._pulse.is_silent(self._ticker.now):
            self._doubt()
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
            self._outbox.write(frames.reset(stream.id, ErrorCodes.NO_ERROR))
        self._forget(stream)
        stream.finish()
        self._home.has_room_again(self)

    def _refuse(self, stream: Stream, exc: StreamError) -> None:
        """A stream error (section 5.4.2), mostly a malformed answer (section 8.1.1)."""
        transfer = stream.transfer
        self._reset(stream, exc.code)
        if transfer is not None:
            transfer.fail(httpx.RemoteProtocolError(str(exc)))
        self._home.has_room_again(self)

    def _reset(self, stream: Stream, code: ErrorCodes) -> None:
        self._outbox.write(frames.reset(stream.id, code))
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

    # Time passes, and nothing comes

    def _listen(self) -> None:
        """A stream is about to be opened: is anybody there to answer it?"""
        if not self._streams and self._pulse.is_silent(self._ticker.now):
            # It may have died while it was idle; the answer, or the PING's, will tell.
            self._ask()
        if self.due == NEVER:
            self._look_again(self._ticker.now + self._options.silence)

    def _doubt(self) -> None:
        self._pulse.is_doubted = True
        self._ask()

    def _ask(self) -> None:
        if not self._is_closed and self._pulse.ask(self._ticker.now):
            self._outbox.write(frames.ping())
            self._look_again(self._pulse.next_look())

    def _look_again(self, when: float) -> None:
        self.due = min(self.due, when)
        self._ticker.watch(self)

    def expire(self, now: float) -> None:
        """Drained streams had their time, or nothing was heard for long."""
        self.due = NEVER
        self._ticker.unwatch(self)
        if self._pulse.is_dead(now):
            self._transport.abort()  # nobody is there to say goodbye to
            self._lose(httpx.ReadTimeout("The connection is dead: PING unanswered"))
            return
        drained = [stream for stream in self._streams.values() if stream.due <= now]
        for stream in drained:
            self._reset(stream, ErrorCodes.CANCEL)
        if drained:
            self._home.has_room_again(self)
        if self._streams or self._pulse.is_asked:
            self._see_who_waits(now)

    def _see_who_waits(self, now: float) -> None:
        """Streams wait, perhaps for a peer that is gone: say when to look again."""
        # A peer that never spoke is left to the timeouts of those who wait for it.
        if self._has_settings and self._pulse.is_silent(now):
            self._doubt()
        is_heard = self._has_settings or self._pulse.is_asked
        when = self._pulse.next_look() if is_heard else now + self._options.silence
        self._look_again(min([when, *(each.due for each in self._streams.values())]))

    # The socket fills up, and empties

    def pause_writing(self) -> None:
        self._outbox.pause()

    def resume_writing(self) -> None:
        self._outbox.resume()
        self._send_all_bodies()

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
            self._outbox.write(frames.goaway(ErrorCodes.NO_ERROR))
            self._outbox.flush()
            self._is_closed = True
            self._transport.close()

    def abort(self) -> None:
        self._is_closed = True
        self._transport.abort()
        self._home.lost(self)

    def _break(self, exc: FrameError) -> None:
        """A connection error: tell the peer, and hang up."""
        self._outbox.write(frames.goaway(exc.code))
        self._outbox.flush()
        self._home.http2_failed(self.origin)
        self._lose(httpx.RemoteProtocolError(str(exc)))

    def eof_received(self) -> None:
        self._lose(ResetError("The server hung up"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(ResetError(f"The connection broke: {exc or 'the server hung up'}"))
        self._home.gone(self)

    def _lose(self, error: Exception) -> None:
        """Give the streams to other connections where they may be sent again."""
        self._is_retired = self._is_closed = True
        self._ticker.unwatch(self)
        self._home.lost(self)
        streams, self._streams = list(self._streams.values()), {}
        self._transport.close()
        for stream in streams:
            stream.wake()
            if stream.transfer is not None:
                stream.transfer.stream = None
                reliability.after_loss(self._home, stream.transfer, error)

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
