"""Ends the streams of an HTTP/2 connection (RFC 9113 section 5.1).

A stream ends by END_STREAM, by RST_STREAM of either side, or with its connection. If
the crawl has abandoned a stream, the rest of its body is read if it is short. Otherwise
the stream is reset.
"""

from __future__ import annotations

from typing import Protocol

from crawler.http.h2 import frames
from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.streams import Stream, Streams
from crawler.http.h2.write_buffer import WriteBuffer
from crawler.http.timeout_wheel import NEVER, TimeoutWheel

__all__ = ["StreamEndings"]

#: The rest of an abandoned body is read if at most _DRAINED_BYTES are missing, and for
#: at most _DRAINED_SECONDS. Otherwise the stream is reset. Some servers block clients
#: that reset many streams.
_DRAINED_BYTES = 64 * 1024
_DRAINED_SECONDS = 5.0
#: If a connection has reset a larger share of its streams than this, it opens no new
#: streams.
_MAX_RESET_SHARE = 0.3
_FREE_RESETS = 20


class EndingConnection(Protocol):
    """The methods of a connection that `StreamEndings` calls."""

    is_retired: bool

    def has_room_again(self) -> None: ...

    def retire(self) -> None: ...

    def close(self) -> None: ...


class StreamEndings:
    """Ends streams, and removes them from their connection."""

    __slots__ = ("_connection", "_outbox", "_resets", "_ticker", "due", "streams")

    def __init__(
        self,
        connection: EndingConnection,
        streams: Streams,
        outbox: WriteBuffer,
        ticker: TimeoutWheel,
    ) -> None:
        self._connection = connection
        self.streams = streams
        self._outbox = outbox
        self._ticker = ticker
        self._resets = 0
        #: The time at which `expire` is called to reset an abandoned stream, on the
        #: clock of timeout_wheel.py.
        self.due = NEVER

    def end(self, stream: Stream) -> None:
        """Handle END_STREAM, by which the response is complete. Do nothing if the
        stream is already closed."""
        if stream.id not in self.streams:
            return
        if stream.transfer is not None and stream.transfer.is_sending:
            # The server responds early, and does not need the rest of the request (RFC
            # 9113 section 8.1).
            self._outbox.write(frames.reset(stream.id, ErrorCode.NO_ERROR))
        self.forget(stream)
        stream.finish()
        self._connection.has_room_again()

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """Send RST_STREAM, and close the stream."""
        self._outbox.write(frames.reset(stream.id, code))
        self.forget(stream)
        self._resets += 1
        if self._resets > max(_FREE_RESETS, self.streams.opened * _MAX_RESET_SHARE):
            # Servers see a connection with mostly resets as an attack, and close it.
            self._connection.retire()

    def forget(self, stream: Stream) -> None:
        """Remove a stream that is closed on both sides."""
        self.streams.pop(stream.id, None)
        if stream.transfer is not None:
            stream.transfer.stream = None
        stream.stop_sending()
        if self._connection.is_retired and not self.streams:
            self._connection.close()

    def consumed(self, stream: Stream, size: int) -> None:
        """Count bytes that the crawl has read; let the peer send as many again, by
        WINDOW_UPDATE frames in large steps."""
        more = stream.receive_window.consume(size)
        if more:
            self._outbox.write(frames.window_update(stream.id, more))

    def abandon(self, stream: Stream, *, is_sending: bool) -> None:
        """End a stream whose response the crawl no longer wants. `is_sending` says
        whether the request's body is still being sent."""
        stream.transfer = None
        stream.stop_sending()
        is_short = stream.left is not None and stream.left <= _DRAINED_BYTES
        if is_short and not is_sending:
            self._drain(stream)
        else:
            self.reset(stream, ErrorCode.CANCEL)

    def _drain(self, stream: Stream) -> None:
        more = stream.receive_window.consume_all()
        if more:
            self._outbox.write(frames.window_update(stream.id, more))
        stream.due = self._ticker.now + _DRAINED_SECONDS
        self.due = min(self.due, stream.due)
        self._ticker.watch(self)

    def expire(self, now: float) -> None:
        """Reset the abandoned streams whose remaining body took too long to arrive."""
        streams = self.streams
        for stream in [each for each in streams.values() if each.due <= now]:
            self.reset(stream, ErrorCode.CANCEL)
        self.due = min((each.due for each in streams.values()), default=NEVER)
        if self.due == NEVER:
            self._ticker.unwatch(self)
        self._connection.has_room_again()
