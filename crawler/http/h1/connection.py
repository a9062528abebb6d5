"""One HTTP/1.1 connection: a request after the other (RFC 9112).

The parser is llhttp, by httptools; this file decides what its events mean for the
transfer and for the connection. Nothing here awaits: bytes come in by
`data_received`, and everything that follows from them has happened when it returns.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Protocol, cast

import httptools
import httpx

from crawler.http.body import HIGH_WATER, LOW_WATER
from crawler.http.errors import (
    HeaderTooLargeError,
    ResetError,
    TlsError,
    TruncatedError,
    UnreadableError,
)
from crawler.http.h1.chunks import ChunkReader
from crawler.http.h1.heads import (
    Framing,
    body_start,
    forwarded_head,
    framing_of,
    may_be_repaired,
    repaired_head,
    request_head,
)
from crawler.http.origins import Origin
from crawler.http.timeout_wheel import NEVER, TimeoutWheel
from crawler.http.tls import was_refused_by
from crawler.http.transfer import Fields, Transfer, TransferHome

__all__ = ["Http1Connection"]

#: An abandoned body with no more than this to come is read to its end, which costs
#: less than a new connection; but not for longer than this.
_DRAINED_BYTES = 64 * 1024
_DRAINED_SECONDS = 2.0
_MAX_INFORMATIONAL = 16
#: Chunks may be this much larger on the wire than what they carry: one-byte chunks
#: pass, chunk extensions and empty lines without end do not.
_MAX_OVERHEAD = 16
_ALLOWANCE = 128 * 1024
#: From this length on, the rest of a body goes past the parser, which is spent by it.
_RAW_BYTES = 512 * 1024


class Http1Home(TransferHome, Protocol):
    """The pool, as an HTTP/1.1 connection sees it."""

    def released(self, connection: Any) -> None: ...

    def lost(self, connection: Any) -> None: ...

    def gone(self, connection: Any) -> None: ...

    def send_again(self, transfer: Transfer) -> None: ...

    def failed_reuse(self, transfer: Transfer) -> None: ...


class Http1Connection(asyncio.Protocol):
    """Carries one transfer at a time, and is idle in the pool in between.

    Over 15 methods and 12 attributes, because four interfaces meet here: the pool's and
    the transfer's (12 methods), asyncio's (6), the parser's callbacks (6). Another
    object between parser and connection would cost each answer two percent.
    """

    __slots__ = (
        "_chunks",
        "_drain_left",
        "_error",
        "_fields",
        "_framing",
        "_head",
        "_home",
        "_is_answered",
        "_is_broken",
        "_is_faulty",
        "_is_paused",
        "_is_reused",
        "_is_spent",
        "_keeps_alive",
        "_left_raw",
        "_overhead",
        "_parser",
        "_pieces",
        "_reason",
        "_ticker",
        "_trailers",
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
        self._parser: Any = None
        self._transfer: Transfer | None = None
        self._is_reused = False
        self._is_paused = False
        self._writable: asyncio.Future[None] | None = None
        self._drain_left = -1
        self._forget_answer()

    def _forget_answer(self) -> None:
        #: What came of a head that is not complete, for the lenient second reading.
        self._head: bytes = b""
        self._fields: Fields = []
        self._trailers: Fields = []
        self._framing: Framing | None = None
        #: Reads a chunked body that does not come with its head.
        self._chunks: ChunkReader | None = None
        self._reason = b""
        self._pieces: list[bytes] = []
        #: Bytes of the body to come that go past the parser.
        self._left_raw = 0
        self._overhead = 0
        #: Whether the parser gave up on a head that may yet be read leniently.
        self._is_broken = False
        self._is_answered = False
        self._keeps_alive = False
        #: Whether the parser cannot read another answer.
        self._is_spent = False
        #: Whether bytes came that belong to no answer: the next one cannot be trusted.
        self._is_faulty = False
        self._error: Exception | None = None

    # The pool's and the transfer's side

    @property
    def is_closing(self) -> bool:
        """Whether it is gone, though `connection_lost` is yet to come."""
        return self._transport.is_closing()

    def start(self, transfer: Transfer) -> None:
        """Send the request, and its body if it is in memory."""
        if self.origin.is_forwarding:
            assert self.origin.proxy is not None
            head = forwarded_head(transfer.request, self.origin.proxy.own_fields)
        else:
            head = request_head(transfer.request)
        if self._parser is None:
            self._parser = _new_parser(self)
            self._forget_answer()
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
        """The streamed body has been sent."""
        transfer.is_sending = False
        if self._transfer is not transfer or self.is_closing:
            return
        if _is_chunked(transfer):
            self._transport.write(b"0\r\n\r\n")

    def abandon(self, transfer: Transfer, *, timed_out: bool = False) -> None:
        """Nobody wants the rest: read it to the end if it is short, else hang up."""
        self._transfer = None
        framing = self._framing
        if timed_out or framing is None or framing.length is None:
            self.abort()
            return
        left = framing.length - transfer.body.received
        if left > _DRAINED_BYTES or transfer.is_sending or self._is_faulty:
            self.abort()
            return
        self._drain_left = left
        self._resume()
        self.due = self._ticker.now + _DRAINED_SECONDS
        self._ticker.watch(self)

    def expire(self, now: float) -> None:
        """The rest of an abandoned body takes too long."""
        self.abort()

    def consumed(self, transfer: Transfer, size: int) -> None:
        """Go on reading once the consumer has caught up."""
        if self._is_paused and transfer.body.queued < LOW_WATER:
            self._resume()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def rest(self) -> None:
        """There is nothing to be carried after all."""
        self._home.released(self)

    def slim(self) -> None:
        """It may be idle for long: let go of what the next request makes anew."""
        self._parser = None
        self._fields = self._trailers = _NO_FIELDS
        self._pieces = _NO_PIECES

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()
        self._home.lost(self)

    def get_extra_info(self, name: str) -> Any:
        """What httpx calls a network stream: `server_addr`, `ssl_object` and so on."""
        names = {"server_addr": "peername", "client_addr": "sockname"}
        return self._transport.get_extra_info(names.get(name, name))

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
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
        if self._left_raw:
            self._receive_raw(data)
        elif self._chunks is not None:
            self._receive_chunks(self._chunks, data)
        elif self._transfer is None and self._drain_left < 0:
            # Unasked: a 408, an alert, or an answer to nobody's request.
            self.abort()
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        if self._framing is None:
            self._head += data
        try:
            if self._is_broken:
                raise httptools.HttpParserError("The head is broken")
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            if not self._goes_on_after(exc, len(data)):
                return
        framing = self._framing
        if framing is not None and framing.is_chunked and not self._is_answered:
            self._go_on_in_chunks()
        elif framing is not None:
            self._pass_on(len(data))
        elif self._transfer is not None:
            self._wait_for_head(self._transfer)

    def _goes_on_after(self, error: Exception, added: int) -> bool:
        """Whether the answer can be read, though the parser has given up."""
        is_headed = self._framing is not None and self._framing.is_chunked
        may_go_on = self._error is None and (is_headed or self._is_answered)
        if may_go_on or self._read_leniently(added):
            self._is_faulty = True
            return True
        self._fail(self._error or UnreadableError(f"{error}"))
        return False

    def _go_on_in_chunks(self) -> None:
        """Read the chunks that are here again, without the parser, and all others.

        It refuses some that browsers read, and does not say where it stopped.
        """
        options = self._home.options
        self._pieces.clear()
        self._chunks = ChunkReader(options.max_header_count, options.max_header_bytes)
        self._keeps_alive = self._parser.should_keep_alive()
        self._is_spent = True
        self._receive_chunks(self._chunks, self._head[body_start(self._head) :])

    def _receive_chunks(self, chunks: ChunkReader, data: bytes) -> None:
        """Take a piece of a chunked body that goes past the parser."""
        try:
            self._pieces += chunks.feed(data)
        except httpx.RemoteProtocolError as exc:
            self._fail(exc)
            return
        self._is_answered = chunks.is_ended
        self._is_faulty |= bool(chunks.surplus)
        self._pass_on(len(data))

    def _receive_raw(self, data: bytes) -> None:
        """Take what can be nothing but body: no parser has to look at it."""
        left = self._left_raw - len(data)
        if left < 0:
            self._is_faulty = True
            data = data[:left]
        self._left_raw = max(left, 0)
        self._is_answered = left <= 0
        self._pieces.append(data)
        self._pass_on(len(data))

    def _wait_for_head(self, transfer: Transfer) -> None:
        transfer.note_progress()
        if len(self._head) > self._home.options.max_header_bytes:
            self._fail(HeaderTooLargeError("The head does not end"))

    def _read_leniently(self, added: int) -> bool:
        """Read the head again as browsers would; False if they could not, either."""
        if self._framing is not None or self._error is not None:
            return False
        since = len(self._head) - added if self._is_broken else 0
        if body_start(self._head, since) is None:
            # What can be left out is seen when all of it is here.
            self._is_broken = may_be_repaired(self._head, since)
            return self._is_broken
        repaired = repaired_head(self._head)
        if repaired is None:
            return False
        self._is_broken = False
        self._head = repaired
        self._fields, self._reason = [], b""
        self._parser = _new_parser(self, lenient_headers=True)
        try:
            self._parser.feed_data(repaired)
        except httptools.HttpParserError:
            if self._head is not repaired and self._framing is None:
                # That was an informational one; the next head has faults, too.
                return self._read_leniently(0)
            return self._framing is not None
        return True

    def _pass_on(self, received: int) -> None:
        """Hand over the pieces of body that these bytes brought, in one."""
        transfer, pieces = self._transfer, self._pieces
        self._head = b""
        if pieces:
            chunk = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            received -= len(chunk)
            self._drain_left -= len(chunk)
            if transfer is not None and not transfer.feed(chunk):
                transfer.abandon()
                return
        self._overhead += received
        if self._is_answered:
            self._finish()
        elif transfer is not None:
            self._go_on_raw(transfer)
            self._hold_back(transfer)
        elif self._drain_left < 0:
            self.abort()

    def _go_on_raw(self, transfer: Transfer) -> None:
        """Spare the parser the rest of a long body of a known length."""
        framing = self._framing
        if framing is None or framing.length is None or self._left_raw:
            return
        left = framing.length - transfer.body.received
        if left > _RAW_BYTES:
            self._left_raw = left
            self._is_spent = True
            self._keeps_alive = self._parser.should_keep_alive()

    def _hold_back(self, transfer: Transfer) -> None:
        if self._overhead > _ALLOWANCE + _MAX_OVERHEAD * transfer.body.received:
            self._fail(UnreadableError("The chunks carry next to nothing"))
        elif transfer.body.queued > HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _finish(self) -> None:
        """The answer is complete: free the caller, then the connection."""
        transfer, self._transfer = self._transfer, None
        may_stay = self._keeps_alive and not self._is_faulty
        if transfer is not None:
            # A peer that answers early need not read the rest (RFC 9112 section 9.5).
            may_stay &= not (transfer.is_sending or self._has_unsent(transfer))
            transfer.complete()
        else:
            self._drain_left = -1
            self._ticker.unwatch(self)
        self._resume()
        self._is_reused = True
        if self._is_spent:
            self._parser = None
        if may_stay:
            self._forget_answer()
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
        """The peer has ended; a body without a length has thereby ended as well."""
        transfer, framing = self._transfer, self._framing
        if transfer is None:
            self._home.lost(self)
        elif framing is not None and self._is_ended_by_close(framing, transfer):
            self._transfer = None
            transfer.complete()

    def _is_ended_by_close(self, framing: Framing, transfer: Transfer) -> bool:
        """Whether the body is whole, now that nothing more comes."""
        if self._chunks is not None:
            return self._chunks.has_last_chunk
        if framing.length is not None:
            return False
        if not self._home.options.require_close_notify:
            return True
        return _was_said_goodbye(self._transport) or transfer.body.end_by_coding()

    def connection_lost(self, exc: Exception | None) -> None:
        self.resume_writing()
        self._ticker.unwatch(self)
        self._home.gone(self)
        transfer, self._transfer = self._transfer, None
        self._parser = None
        if transfer is None:
            return
        if self._is_reused and not self._head and self._framing is None:
            # It closed in the very moment in which it was used again.
            if transfer.may_be_sent_again:
                self._home.send_again(transfer)
                return
            self._home.failed_reuse(transfer)
        if self._framing is not None:
            transfer.fail(_caused(TruncatedError("The body ends too early"), exc))
        elif was_refused_by(exc):
            transfer.fail(_caused(TlsError(f"{self.origin.host}: {exc}"), exc))
        elif isinstance(exc, OSError):
            transfer.fail(_caused(ResetError(f"The connection broke: {exc}"), exc))
        else:
            where = "in the head of" if self._head else "without"
            transfer.fail(_protocol_error(f"The server hung up {where} an answer"))

    # The parser's side

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        options = self._home.options
        # What comes after the head are trailers: counted, and left out.
        fields = self._fields if self._framing is None else self._trailers
        fields.append((name, value))
        if len(fields) > options.max_header_count:
            self._error = HeaderTooLargeError(
                f"There are more than {options.max_header_count} header lines"
            )
            raise self._error

    def on_headers_complete(self) -> None:
        transfer = self._transfer
        if transfer is None or self._is_answered:
            return
        if len(self._head) > self._home.options.max_header_bytes:
            self._measure_head()
        status = self._parser.get_status_code()
        if status < 200:
            self._take_informational(transfer, status)
        else:
            self._take_final(transfer, status)

    def _take_final(self, transfer: Transfer, status: int) -> None:
        try:
            framing = framing_of(self._fields)
        except UnreadableError as exc:
            self._error = exc
            raise
        is_late = status == 408 and framing.is_closing and self._is_reused
        if is_late and transfer.is_unanswered:
            # The server was tired of the idle connection; the request crossed its
            # answer (RFC 9110 section 15.5.9).
            self._transfer = None
            self.abort()
            self._home.send_again(transfer)
            return
        self._framing = framing
        if status in (204, 304):
            framing.length, framing.encodings, framing.is_chunked = 0, [], False
        transfer.reason_phrase = self._reason
        transfer.http_version = (
            b"HTTP/1.0" if self._parser.get_http_version() == "1.0" else b"HTTP/1.1"
        )
        if transfer.request.method == "HEAD":
            transfer.answer(status, self._fields, [], None)
            self._end_without_body(transfer, framing)
            return
        if not transfer.answer(status, self._fields, framing.encodings, framing.length):
            transfer.abandon()

    def _measure_head(self) -> None:
        """What came is more than a head may be; how much of it was head?"""
        size = sum(len(name) + len(value) + 4 for name, value in self._fields)
        if size > self._home.options.max_header_bytes:
            self._error = HeaderTooLargeError(f"The head has {size:,} bytes")
            raise self._error

    def _end_without_body(self, transfer: Transfer, framing: Framing) -> None:
        """A HEAD was asked: the parser does not know, and waits for a body."""
        is_old = transfer.http_version == b"HTTP/1.0"
        self._is_answered = True
        self._keeps_alive = not (framing.is_closing or is_old)
        self._is_spent = True

    def _take_informational(self, transfer: Transfer, status: int) -> None:
        transfer.informational += 1
        if status == 101 or transfer.informational > _MAX_INFORMATIONAL:
            self._error = UnreadableError(f"An unasked {status}, or too many of it")
            raise self._error
        self._fields, self._reason = [], b""
        self._head = self._head[body_start(self._head) :]

    def on_body(self, piece: bytes) -> None:
        if self._is_answered:
            self._is_faulty = True
        else:
            self._pieces.append(piece)

    def on_message_begin(self) -> None:
        if self._is_answered:
            self._is_faulty = True

    def on_message_complete(self) -> None:
        if self._framing is not None and not self._is_answered:
            self._is_answered = True
            # Asked now: after the message the parser has forgotten.
            self._keeps_alive = self._parser.should_keep_alive()


def _was_said_goodbye(transport: asyncio.Transport) -> bool:
    """Whether the peer itself ended what came; below TLS anybody can cut a connection.

    asyncio reports both in the same way. A TLS object that has seen close_notify reads
    as ended, and one that has not wants more bytes (RFC 9112 section 9.8).
    """
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return True
    try:
        return not tls.read(1)
    except ssl.SSLError:
        return False


#: What an idle connection holds; it is replaced before anything is added.
_NO_FIELDS: Fields = []
_NO_PIECES: list[bytes] = []


def _new_parser(connection: Http1Connection, *, lenient_headers: bool = False) -> Any:
    """A parser; the lenient one lets control characters pass in values."""
    parser = httptools.HttpResponseParser(connection)
    # Browsers end a line at its LF; a CR that stands alone stays an error.
    parser.set_dangerous_leniencies(
        lenient_headers=lenient_headers, lenient_optional_cr_before_lf=True
    )
    return parser


def _is_chunked(transfer: Transfer) -> bool:
    return "transfer-encoding" in transfer.request.headers


def _protocol_error(message: str) -> httpx.RemoteProtocolError:
    return httpx.RemoteProtocolError(message)


def _caused(error: Exception, cause: Exception | None) -> Exception:
    error.__cause__ = cause
    return error
