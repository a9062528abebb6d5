"""An HTTP/1.1 connection, which carries one request at a time (RFC 9112).

The reader (answer_reader.py) parses the bytes; this module applies the result to the
connection and to the transfer (the request in flight). Nothing here awaits: bytes
arrive in `data_received`, and all their effects are done when it returns.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

import httpx

from crawler.http.body import HIGH_WATER, LOW_WATER
from crawler.http.errors import ResetError, TlsError, TruncatedError
from crawler.http.h1.answer_reader import AnswerHead, AnswerReader
from crawler.http.h1.heads import forwarded_head, request_head
from crawler.http.origins import Origin
from crawler.http.timeout_wheel import NEVER, TimeoutWheel
from crawler.http.tls import said_goodbye, was_refused_by
from crawler.http.transfer import Transfer, TransferHome

__all__ = ["Http1Connection"]

#: If the crawl abandons a body, its rest is read if at most _DRAINED_BYTES are missing,
#: because this costs less than a new connection. It is read for at most
#: _DRAINED_SECONDS. A chunked body does not say how much is missing, so at most
#: _DRAINED_BYTES of it are read.
_DRAINED_BYTES = 64 * 1024
_DRAINED_SECONDS = 2.0


class Http1Home(TransferHome, Protocol):
    """The methods of the connection pool (pool.py) that an HTTP/1.1 connection
    calls."""

    def released(self, connection: Any) -> None: ...

    def lost(self, connection: Any) -> None: ...

    def gone(self, connection: Any) -> None: ...

    def send_again(self, transfer: Transfer) -> None: ...

    def failed_reuse(self, transfer: Transfer) -> None: ...


class Http1Connection(asyncio.Protocol):
    """Carries one transfer (a request in flight) at a time, and is idle in the pool in
    between.

    This class has over 15 methods: those of the pool and of the transfer (13), and
    those of asyncio (6).
    """

    __slots__ = (
        "_drain_left",
        "_home",
        "_is_paused",
        "_is_reused",
        "_reader",
        "_ticker",
        "_transfer",
        "_transport",
        "_writable",
        "due",
        "idle_since",
        "origin",
    )

    def __init__(self, home: Http1Home, origin: Origin) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self.due = NEVER
        self._home = home
        self._ticker: TimeoutWheel = home.ticker
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        #: The reader is created for the first request, and again for the first request
        #: after `slim`.
        self._reader: AnswerReader | None = None
        self._transfer: Transfer | None = None
        self._is_reused = False
        self._is_paused = False
        self._writable: asyncio.Future[None] | None = None
        #: How many bytes of an abandoned body must still be read; negative if no
        #: abandoned body is being read.
        self._drain_left = -1

    # Methods that the pool and the requests in flight call

    @property
    def is_closing(self) -> bool:
        """Whether the connection is closed or about to close; True even before
        `connection_lost` is called."""
        return self._transport.is_closing()

    def start(self, transfer: Transfer) -> None:
        """Send the request, and its body if the body is in memory. Raise
        LocalProtocolError if the head has a forbidden character."""
        if self.origin.is_forwarding:
            assert self.origin.proxy is not None
            head = forwarded_head(transfer.request, self.origin.proxy.own_fields)
        else:
            head = request_head(transfer.request)
        if self._reader is None:
            options = self._home.options
            self._reader = AnswerReader(
                options.max_header_count, options.max_header_bytes
            )
        self._reader.is_bodiless = transfer.request.method == "HEAD"
        self._transfer = transfer
        transfer.begin(self)
        content = transfer.content
        if content is None:
            transfer.is_sending = True
            self._transport.write(head)
        elif not content:
            self._transport.write(head)
        else:
            self._transport.write(head + content)
            if self._writable is not None:
                transfer.sends_by_itself(self._transport.get_write_buffer_size)

    async def send_piece(self, transfer: Transfer, piece: bytes) -> None:
        """Send a piece of a streamed body, chunked unless its length was announced."""
        if not piece or self._transfer is not transfer or self.is_closing:
            return
        if _is_chunked(transfer):
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        self._transport.write(piece)
        if self._writable is not None:
            await self._writable
        transfer.note_progress()

    def send_end(self, transfer: Transfer) -> None:
        """End the request's streamed body; if it is chunked, send the last chunk."""
        transfer.is_sending = False
        if self._transfer is not transfer or self.is_closing:
            return
        if _is_chunked(transfer):
            self._transport.write(b"0\r\n\r\n")

    def abandon(self, transfer: Transfer, *, timed_out: bool = False) -> None:
        """Stop a transfer (the request in flight). Read the rest of the response's body
        if the rest is short and the request has not timed out; else close the
        connection."""
        self._transfer = None
        reader = self._reader
        framing = None if reader is None else reader.framing
        if timed_out or reader is None or framing is None:
            self.abort()
            return
        if framing.length is not None:
            left = framing.length - transfer.body.received
        elif framing.is_chunked and reader.keeps_alive:
            left = _DRAINED_BYTES
        else:
            self.abort()
            return
        if left > _DRAINED_BYTES or transfer.is_sending or reader.is_faulty:
            self.abort()
            return
        self._drain_left = left
        self._resume()
        self.due = self._ticker.now + _DRAINED_SECONDS
        self._ticker.watch(self)

    def expire(self, now: float) -> None:
        """Close the connection, because reading an abandoned body takes too long."""
        self.abort()

    def consumed(self, transfer: Transfer, size: int) -> None:
        """Resume reading from the socket once the consumer has read most of the
        received bytes."""
        if self._is_paused and transfer.body.queued < LOW_WATER:
            self._resume()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def rest(self) -> None:
        """Return the connection to the pool, because the request was not sent."""
        self._home.released(self)

    def slim(self) -> None:
        """Free the response reader's memory, because the connection may be idle for
        long. The next request creates a new reader."""
        self._free_reader()

    def _free_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.let_go()

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()
        self._home.lost(self)

    def get_extra_info(self, name: str) -> Any:
        """Return a value that httpx's network streams have, such as `server_addr` or
        `ssl_object`."""
        names = {"server_addr": "peername", "client_addr": "sockname"}
        return self._transport.get_extra_info(names.get(name, name))

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast is needed, because uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        if self._transfer is not None and self._transfer.content:
            self._transfer.is_sending = False
            self._transfer.note_progress()

    def data_received(self, data: bytes) -> None:
        reader, transfer = self._reader, self._transfer
        if reader is None or (transfer is None and self._drain_left < 0):
            # Unexpected bytes: a 408, a TLS alert, or a response without a request.
            self.abort()
            return
        body = reader.feed(data)
        if transfer is not None:
            self._take_head(transfer, reader)
        if body:
            self._pass_on(body)
        self._go_on(reader)

    def _take_head(self, transfer: Transfer, reader: AnswerReader) -> None:
        if reader.new_head is not None:
            head, reader.new_head = reader.new_head, None
            self._answer(transfer, head)
        elif reader.framing is None:
            transfer.note_progress()

    def _go_on(self, reader: AnswerReader) -> None:
        """Act on an error or on the end of the response, if the reader found one."""
        transfer = self._transfer
        if reader.error is not None:
            self._fail(reader.error)
        elif transfer is None and self._drain_left < 0:
            # the request was abandoned, or bytes arrived after the end of the response
            self.abort()
        elif reader.is_ended:
            self._finish(reader)
        elif transfer is not None:
            self._hold_back(transfer)

    def _answer(self, transfer: Transfer, head: AnswerHead) -> None:
        status, reason, version, fields, framing = head
        is_late = status == 408 and framing.is_closing and self._is_reused
        if is_late and transfer.is_unanswered:
            # The server closed the idle connection with a 408, which crossed the new
            # request (RFC 9110 section 15.5.9).
            self._transfer = None
            self.abort()
            self._home.send_again(transfer)
            return
        transfer.reason_phrase = reason
        transfer.http_version = version
        if transfer.request.method == "HEAD":
            transfer.answer(status, fields, [], None)
        elif not transfer.answer(status, fields, framing.encodings, framing.length):
            transfer.abandon()

    def _pass_on(self, body: bytes) -> None:
        transfer = self._transfer
        self._drain_left -= len(body)
        if transfer is not None and not transfer.feed(body):
            transfer.abandon()

    def _hold_back(self, transfer: Transfer) -> None:
        if transfer.body.queued > HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _finish(self, reader: AnswerReader) -> None:
        """End a complete response: wake its caller, then return the connection to the
        pool or close the connection."""
        transfer, self._transfer = self._transfer, None
        may_stay = reader.keeps_alive and not reader.is_faulty
        if transfer is not None:
            # If the server responded before it read the whole request, close the
            # connection: the server need not read the rest (RFC 9112 section 9.5).
            may_stay &= not (transfer.is_sending or self._has_unsent(transfer))
            transfer.complete()
        else:
            self._drain_left = -1
            self._ticker.unwatch(self)
        self._resume()
        self._is_reused = True
        if reader.is_spent:
            self._free_reader()
        else:
            reader.forget()
        if may_stay:
            self._home.released(self)
        else:
            self.close()
            self._home.lost(self)

    def _has_unsent(self, transfer: Transfer) -> bool:
        return transfer.content != b"" and self._transport.get_write_buffer_size() > 0

    def _fail(self, error: Exception) -> None:
        transfer, self._transfer = self._transfer, None
        self.abort()
        if transfer is not None:
            transfer.fail(error)

    def eof_received(self) -> None:
        """Handle the end of the input, which also ends a body without a length."""
        transfer, reader = self._transfer, self._reader
        if transfer is None or reader is None:
            self._home.lost(self)
        elif reader.framing is not None and self._is_whole(reader, transfer):
            self._transfer = None
            transfer.complete()

    def _is_whole(self, reader: AnswerReader, transfer: Transfer) -> bool:
        """Return whether the body is complete, now that no more bytes will arrive."""
        framing = reader.framing
        assert framing is not None
        if framing.is_chunked:
            return reader.has_last_chunk
        if framing.length is not None:
            return False
        if not self._home.options.require_close_notify:
            return True
        return said_goodbye(self._transport) or transfer.body.end_by_coding()

    def connection_lost(self, exc: Exception | None) -> None:
        self.resume_writing()
        self._ticker.unwatch(self)
        self._home.gone(self)
        transfer, self._transfer = self._transfer, None
        reader = self._reader
        self._free_reader()
        if transfer is None or reader is None:
            return
        if self._is_reused and not reader.has_begun:
            # The server closed the idle connection at the moment when this request was
            # sent on it, so the request may be sent again.
            if transfer.may_be_sent_again:
                self._home.send_again(transfer)
                return
            self._home.failed_reuse(transfer)
        transfer.fail(self._why_lost(reader, exc))

    def _why_lost(self, reader: AnswerReader, exc: Exception | None) -> Exception:
        """Return the error for the request whose connection was lost."""
        error: Exception
        if reader.framing is not None:
            error = TruncatedError(
                "The connection ended before the end of the response's body"
            )
        elif was_refused_by(exc):
            error = TlsError(
                f"The server {self.origin.host} refused the TLS connection: {exc}; if "
                "the server requires a client certificate, set http.cert"
            )
        elif isinstance(exc, OSError):
            error = ResetError(f"The connection to {self.origin.host} broke: {exc}")
        else:
            when = "in the middle of" if reader.has_begun else "before it sent"
            return httpx.RemoteProtocolError(
                f"The server closed the connection {when} the response's head"
            )
        error.__cause__ = exc
        return error


def _is_chunked(transfer: Transfer) -> bool:
    return "transfer-encoding" in transfer.request.headers
