"""One request in flight, from the wait for a connection to the last byte of its
response.

The pool finds a connection for the transfer, and the connection fills in the response.
The transfer's clock ends the transfer after a timeout. The caller awaits the head.
Every change of the transfer's state is synchronous, so that a cancellation finds a
consistent state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from crawler.http.body import HIGH_WATER, Body
from crawler.http.content_decoding import Bounds, Decoder
from crawler.http.errors import TooLargeError
from crawler.http.options import TransportOptions
from crawler.http.timeout_wheel import TimeoutWheel
from crawler.http.transfer_clock import TransferClock

if TYPE_CHECKING:
    from crawler.http.origins import Origin

__all__ = ["Connection", "Fields", "Transfer", "TransferHome"]

Fields = list[tuple[bytes, bytes]]

_IDEMPOTENT = frozenset(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
#: Maximum number of times that one request is sent again because its connection failed.
_MAX_RESENT = 2


class Connection(Protocol):
    """Carries transfers: one at a time with HTTP/1.1, many with HTTP/2."""

    origin: Origin
    #: The time at which the connection's last transfer ended, on the clock of
    #: timeout_wheel.py.
    idle_since: float

    @property
    def is_closing(self) -> bool: ...

    def start(self, transfer: Transfer) -> None: ...

    def abandon(self, transfer: Transfer, *, timed_out: bool = False) -> None: ...

    def consumed(self, transfer: Transfer, size: int) -> None: ...

    async def send_piece(self, transfer: Transfer, piece: bytes) -> None: ...

    def send_end(self, transfer: Transfer) -> None: ...

    def rest(self) -> None: ...

    def slim(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def get_extra_info(self, name: str) -> Any: ...


#: Fields that describe the encoded body; they are wrong after decoding.
_ENCODED = (b"content-encoding", b"content-length")


class TransferHome(Protocol):
    """The methods of the connection pool (pool.py) that a transfer calls."""

    ticker: TimeoutWheel
    options: TransportOptions

    def forget(self, transfer: Transfer) -> None: ...


class Transfer:
    """A request, and as much of its response as has arrived.

    This class has over 15 methods and 12 attributes, because connection, caller and
    pool each need a few of them. Another object for each request would cost one percent
    of the request's time.
    """

    __slots__ = (
        "_home",
        "body",
        "bounds",
        "clock",
        "connection",
        "content",
        "fields",
        "first_error",
        "has_waited",
        "head",
        "http_version",
        "informational",
        "is_done",
        "is_sending",
        "network_stream",
        "origin",
        "original",
        "reason_phrase",
        "refused",
        "request",
        "resent",
        "started",
        "status",
        "stream",
        "wants_fresh",
    )

    def __init__(
        self, request: httpx.Request, origin: Origin, home: TransferHome
    ) -> None:
        options = home.options
        self.request = request
        self.origin = origin
        self.bounds: Bounds = request.extensions.get("bounds") or options.bounds
        self.content: bytes | None = _content(request)
        #: Done when the response's head has arrived; holds the error if the request has
        #: failed before.
        self.head: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.body = Body(self)
        self.connection: Connection | None = None
        self.network_stream: Connection | None = None
        #: The HTTP/2 stream of the request; None with HTTP/1.1.
        self.stream: object = None
        #: Done when a streamed request body may be sent; None if the request has no
        #: such body.
        self.started: asyncio.Future[None] | None = None
        self.status = 0
        self.fields: Fields = []
        #: The response's header fields that described the body before decoding.
        self.original: dict[str, str | int | None] = {}
        self.http_version = b"HTTP/1.1"
        self.reason_phrase = b""
        self.informational = 0
        self.is_done = False
        #: Whether a part of the request has not been sent yet.
        self.is_sending = False
        self.resent = 0
        #: The HTTP/2 error of the peer because of which the request was sent again.
        self.first_error: Exception | None = None
        self.refused = 0
        #: Whether the request has waited because of a limit on connections.
        self.has_waited = False
        #: Whether the request needs a new connection, because an idle connection has
        #: just failed.
        self.wants_fresh = False
        self._home = home
        limits: dict[str, float | None] | None = request.extensions.get("timeout")
        self.clock = TransferClock(self, limits, options, home.ticker)

    def shown_fields(self) -> Fields:
        """Return the response's header fields, without those about an encoding that was
        decoded."""
        if not self.original:
            return self.fields
        return [field for field in self.fields if field[0].lower() not in _ENCODED]

    @property
    def has_head(self) -> bool:
        """Whether the response's head has arrived, or will never arrive because the
        request has failed."""
        return self.head.done()

    @property
    def is_unanswered(self) -> bool:
        """Whether the request could be sent again.

        True if the whole request is in memory, no head of a response has arrived, and
        the request was not sent too often.
        """
        return (
            not self.head.done()
            and self.content is not None
            and self.resent < _MAX_RESENT
        )

    @property
    def may_be_sent_again(self) -> bool:
        """Whether the request may be sent again without asking the caller.

        True if the request could be sent again (`is_unanswered`), and its method is
        idempotent (RFC 9110 section 9.2.2).
        """
        return self.is_unanswered and self.request.method in _IDEMPOTENT

    # Methods that the connection calls

    def begin(self, connection: Connection) -> None:
        """Record that the request is being written."""
        self.connection = self.network_stream = connection
        if self.started is not None and not self.started.done():
            self.started.set_result(None)
        self.informational = 0
        self.clock.begin(has_body=self.content != b"")

    def sends_by_itself(self, unsent: Callable[[], int]) -> None:
        """Record that the rest of the request is in the socket's buffer; `unsent`
        returns how many bytes are left there."""
        self.is_sending = True
        self.clock.watch_unsent(unsent)

    def wait_anew(self) -> None:
        """Forget the connection, because the request must be sent again on another
        one."""
        self.connection = None
        self.wants_fresh = True

    def note_progress(self) -> None:
        """Record that the peer made progress with this request."""
        self.clock.note_progress()

    def answer(
        self, status: int, fields: Fields, encodings: list[bytes], length: int | None
    ) -> bool:
        """Store the response's final head; return False if the response's body is too
        large or cannot be decoded."""
        self.status = status
        self.fields = fields
        self.clock.note_progress()
        options = self._home.options
        if encodings and options.decode and self.request.method != "HEAD":
            names = b",".join(encodings).decode("latin-1")
            self.original = {"content_encoding": names, "content_length": length}
            try:
                self.body.decode_with(Decoder(names.split(","), self.bounds))
            except httpx.DecodingError as exc:
                self.body.fail(exc)
        if options.min_rate:
            self.clock.watch_rate()
        if length is not None and length > self.bounds.max_body:
            self.body.fail(_too_large(f"{length:,}", self.bounds))
        if not self.head.done():
            self.head.set_result(None)
        return not self.body.is_failed

    def feed(self, data: bytes) -> bool:
        """Store a piece of the response's body; return False if the body has become too
        large."""
        self.clock.note_progress()
        body = self.body
        body.feed(data)
        if body.received > self.bounds.max_body:
            body.fail(_too_large(f"over {self.bounds.max_body:,}", self.bounds))
            return False
        return True

    def complete(self) -> None:
        """Record that the body is complete, which ends the transfer."""
        self.body.end()
        self._finish()

    def fail(self, error: Exception) -> None:
        """End the transfer (the request in flight) with an error, because its
        connection cannot continue."""
        if self.is_done:
            return
        if self.head.done():
            self.body.fail(error)
        else:
            self.head.set_exception(self._with_first(error))
        self._finish()

    def _with_first(self, error: Exception) -> Exception:
        """Return an error that names both why the request was sent again, and why this
        second try failed."""
        first = self.first_error
        if first is None or str(first) == str(error):
            return error
        told = type(first)(f"{first}; a second try failed, too: {error}")
        told.__cause__ = error
        return told

    def _finish(self) -> None:
        self.is_done = True
        self.connection = None
        self.clock.stop()

    # Methods that the caller and the clock call

    def consumed(self, size: int) -> None:
        """Record that the consumer has read this many received bytes."""
        if self.connection is not None:
            if self.body.queued + size > HIGH_WATER:
                self.clock.restart_rate()
            self.connection.consumed(self, size)

    def abandon(self, *, timed_out: bool = False) -> None:
        """End the transfer (the request in flight) without an error, because the caller
        stopped waiting."""
        if self.is_done:
            return
        connection = self.connection
        self._finish()
        if connection is not None:
            connection.abandon(self, timed_out=timed_out)
        else:
            self._home.forget(self)

    def stop(self, error: Exception, *, timed_out: bool = False) -> None:
        """End the transfer (the request in flight) although its connection could
        continue, such as after a timeout. The caller receives the error."""
        if self.is_done:
            return
        if self.head.done():
            self.body.fail(error)
        else:
            self.head.set_exception(self._with_first(error))
        self.abandon(timed_out=timed_out)


def _too_large(size: str, bounds: Bounds) -> TooLargeError:
    return TooLargeError(
        f"The response's body has {size} bytes; to allow over {bounds.max_body:,} "
        "bytes, raise http.max_body"
    )


def _content(request: httpx.Request) -> bytes | None:
    """Return the request's body if it is in memory; None if it is a stream."""
    try:
        return request.content
    except httpx.RequestNotRead:
        return None
