"""One HTTP/2 connection: many requests at a time (RFC 9113).

This module has the methods that pool, transfer and asyncio call, and the beginning and
end of a connection. The other modules, in the order in which a request meets them:
header blocks are written (header_fields.py), streams opened (streams.py) and bytes sent
(write_buffer.py, flow_control.py). Received bytes are cut into frames (frames.py), and
each frame is applied (frame_handlers.py): header blocks (header_blocks.py,
hpack_decoder.py), settings (peer_settings.py), the ends of streams (stream_endings.py).
flood_guard.py limits what a peer may send, keepalive.py finds dead peers, resend.py
decides which requests are sent again. codes.py has the numbers.

The state machine of the h2 library is not used. It closes at any GOAWAY although open
streams may finish (section 6.8), and it ends the connection for an error of one stream
(section 8.1.1). It needs three times as much time for a request as this package.

Three rules hold everywhere. Nothing awaits: when `data_received` returns, all effects
of its bytes are done. An error of a stream ends only that stream. The connection's
window is returned on receipt, so that a slow consumer holds back only its own stream,
by the stream's window.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

import httpx

from crawler.http.errors import ResetError, TlsError, UnreadableError
from crawler.http.h2 import frames, resend
from crawler.http.h2.codes import ErrorCode, Setting
from crawler.http.h2.flood_guard import FloodGuard
from crawler.http.h2.flow_control import DEFAULT_WINDOW
from crawler.http.h2.frame_handlers import CONNECTION_WINDOW, FrameHandlers
from crawler.http.h2.frames import FrameError
from crawler.http.h2.header_fields import FieldEncoder
from crawler.http.h2.keepalive import KeepAlive
from crawler.http.h2.peer_settings import PeerSettings
from crawler.http.h2.stream_endings import StreamEndings
from crawler.http.h2.streams import STREAM_WINDOW, Stream, Streams
from crawler.http.h2.write_buffer import WriteBuffer
from crawler.http.origins import Origin
from crawler.http.tls import was_refused_by
from crawler.http.transfer import Transfer, TransferHome

__all__ = ["Http2Connection"]


class Http2Home(TransferHome, Protocol):
    """The methods of the connection pool (pool.py) that an HTTP/2 connection calls."""

    def has_room_again(self, connection: Any) -> None: ...

    def retired(self, connection: Any) -> None: ...

    def lost(self, connection: Any) -> None: ...

    def gone(self, connection: Any) -> None: ...

    def send_again(self, transfer: Transfer) -> None: ...

    def http2_failed(self, origin: Origin) -> None: ...

    def avoid_http2(self, origin: Origin) -> None: ...


# This class has over 12 attributes, because each part listed at the top of this file is
# one of them.
class Http2Connection(asyncio.Protocol):
    """One connection, which carries as many transfers (requests in flight) at a time as
    the peer allows.

    This class has over 15 methods: those of the pool and the transfer (14), of asyncio
    (6), of keep-alive (3), and of the other parts (4).
    """

    def __init__(self, home: Http2Home, origin: Origin) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self.max_header_bytes = home.options.max_header_bytes
        self.max_header_count = home.options.max_header_count
        #: Whether open streams may finish, but no new streams are opened.
        self.is_retired = False
        self._is_closed = False
        self._home = home
        self._pulse = KeepAlive(self, home.ticker, home.options.silence)
        self._streams = Streams()
        self._peer = PeerSettings(home.options.max_streams)
        self._encoder = FieldEncoder()
        #: The beginning of a frame whose rest has not arrived.
        self._received = b""
        # `connection_made` sets _transport, _outbox, _endings and _frames.
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._outbox: WriteBuffer = None  # type: ignore[assignment]
        self._endings: StreamEndings = None  # type: ignore[assignment]
        self._frames: FrameHandlers = None  # type: ignore[assignment]

    # How the connection begins (RFC 9113 section 3.4)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        allowance = FloodGuard()
        outbox = WriteBuffer(self._transport, self._peer, allowance)
        endings = StreamEndings(self, self._streams, outbox, self._home.ticker)
        self._outbox, self._endings = outbox, endings
        self._frames = FrameHandlers(
            self, self._home, self._peer, self._encoder, endings, outbox, allowance
        )
        settings: dict[int, int] = {
            Setting.ENABLE_PUSH: 0,
            Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            Setting.MAX_HEADER_LIST_SIZE: self.max_header_bytes,
        }
        outbox.write(
            frames.PREFACE
            + frames.settings(settings)
            + frames.window_update(0, CONNECTION_WINDOW - DEFAULT_WINDOW)
        )

    # Methods that send requests (RFC 9113 section 8.1)

    @property
    def has_room(self) -> bool:
        """Whether another stream may be opened now (RFC 9113 section 5.1.2)."""
        return (
            len(self._streams) < self._peer.streams
            and not self.is_retired
            and not self._pulse.is_doubted
            and not self._transport.is_closing()
        )

    @property
    def is_full(self) -> bool:
        """Whether the peer's own limit prevents new streams."""
        return self._peer.is_known and len(self._streams) >= self._peer.streams

    @property
    def is_waiting(self) -> bool:
        """Whether any stream is open."""
        return bool(self._streams)

    @property
    def is_resting(self) -> bool:
        """Whether no stream is open, and new ones may be opened."""
        return not self._streams and not self.is_retired

    @property
    def is_closing(self) -> bool:
        """Whether the socket is closed, although `connection_lost` was not called
        yet."""
        return self._transport.is_closing()

    def start(self, transfer: Transfer) -> None:
        """Open a stream: send HEADERS, and the body as far as the windows allow."""
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
            self.retire()

    async def send_piece(self, transfer: Transfer, piece: bytes) -> None:
        """Send a piece of a streamed body, once the windows have room for it."""
        stream = _stream_of(transfer)
        if stream is not None and piece:
            await self._outbox.send_piece(stream, piece)
            transfer.note_progress()

    def send_end(self, transfer: Transfer) -> None:
        """End the request's streamed body."""
        stream = _stream_of(transfer)
        if stream is not None:
            transfer.is_sending = False
            self._outbox.write(frames.data(stream.id, b"", is_last=True))

    def rest(self) -> None:
        """Report to the pool that a request could not be written, so that another
        request may use the connection."""
        self.has_room_again()

    def slim(self) -> None:
        """Free no memory: the state of the connection, such as the HPACK tables, must
        stay equal to the peer's."""

    # Methods that receive bytes (RFC 9113 section 4.1)

    def data_received(self, data: bytes) -> None:
        if self._is_closed:
            return  # TLS still delivers bytes that arrived before our close_notify
        was_asked = self._pulse.hear()
        self._outbox.hold()
        try:
            received, self._received = frames.split(self._received + data)
            handle = self._frames.handle
            for frame in received:
                handle(frame)
                if self._is_closed:
                    return
            if self._received:
                frames.check_size(self._received)
        except FrameError as exc:
            self._break(exc)
        finally:
            self._outbox.flush()
        if was_asked and not self._is_closed:
            self.has_room_again()

    def has_room_again(self) -> None:
        """Report to the connection pool that another stream may be opened on this
        connection."""
        self._home.has_room_again(self)

    def ping(self) -> None:
        """Send PING; its ACK, or any other frame, shows that the peer is alive."""
        if not self._is_closed:
            self._outbox.write(frames.ping())

    # Methods that are called when the caller reads the response or abandons it

    def consumed(self, transfer: Transfer, size: int) -> None:
        """Let the peer send `size` more bytes on this stream."""
        stream = _stream_of(transfer)
        if stream is not None:
            self._endings.consumed(stream, size)

    def abandon(self, transfer: Transfer, *, timed_out: bool = False) -> None:
        """Stop a transfer (the request in flight). Read the rest of its stream if the
        rest is short, else reset the stream. After a timeout, send PING to a silent
        peer."""
        stream = _stream_of(transfer)
        if stream is None:
            return
        transfer.stream = None
        self._endings.abandon(stream, is_sending=transfer.is_sending)
        if timed_out:
            self._pulse.doubt()
        self.has_room_again()

    def get_extra_info(self, name: str) -> Any:
        """Return a value that httpx's network streams have, such as `server_addr` or
        `ssl_object`."""
        names = {"server_addr": "peername", "client_addr": "sockname"}
        return self._transport.get_extra_info(names.get(name, name))

    # Methods that end the connection (RFC 9113 sections 5.4.1 and 9.1)

    def retire(self) -> None:
        """Let the open streams finish, and open no new ones."""
        if not self.is_retired:
            self.is_retired = True
            self._home.retired(self)
            if not self._streams:
                self.close()

    def close(self) -> None:
        """Send GOAWAY, and close the socket."""
        if not self._is_closed:
            self._outbox.write(frames.goaway(ErrorCode.NO_ERROR))
            self._outbox.flush()
            self._is_closed = True
            self._transport.close()

    def abort(self) -> None:
        """Close the socket at once."""
        self._is_closed = True
        self._transport.abort()
        self._home.lost(self)

    def die(self) -> None:
        """Close the connection, because the peer did not answer a PING."""
        self._transport.abort()
        self._lose(
            httpx.ReadTimeout(
                f"The server {self.origin.host} did not answer a PING frame, so the "
                "HTTP/2 connection was closed"
            )
        )

    def _break(self, exc: FrameError) -> None:
        """End the connection with an error: GOAWAY with the code (RFC 9113 section
        5.4.1)."""
        self._outbox.write(frames.goaway(exc.code))
        self._outbox.flush()
        self._home.http2_failed(self.origin)
        self._lose(UnreadableError(str(exc)))

    def pause_writing(self) -> None:
        self._outbox.pause()

    def resume_writing(self) -> None:
        self._outbox.resume()
        self._outbox.send_bodies(self._streams.values())

    def eof_received(self) -> None:
        self._lose(ResetError(f"The server {self.origin.host} closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        if was_refused_by(exc) and not self._peer.is_known:
            self._lose(
                TlsError(
                    f"The server {self.origin.host} refused the TLS connection: {exc}; "
                    "if the server requires a client certificate, set http.cert"
                )
            )
        cause = exc or "the server closed the connection"
        self._lose(ResetError(f"The connection to {self.origin.host} broke: {cause}"))
        self._home.gone(self)
        # Delete the parts that refer to the connection, so that no reference cycle is
        # left.
        del self._frames, self._endings

    def _lose(self, error: Exception) -> None:
        """End the connection. Its requests are sent again on other connections if
        possible, or else fail."""
        self.is_retired = self._is_closed = True
        self._home.ticker.unwatch(self._endings)
        self._pulse.stop()
        self._home.lost(self)
        self._transport.close()
        for stream in list(self._streams.values()):
            self._endings.forget(stream)
            if stream.transfer is not None:
                resend.after_loss(self._home, stream.transfer, error)


def _stream_of(transfer: Transfer) -> Stream | None:
    return cast("Stream | None", transfer.stream)
