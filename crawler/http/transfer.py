"""One request in flight, from the wait for a connection to the answer's last byte.

The parts pass a transfer on to each other: the pool finds it a connection, the
connection fills it, its clock ends what takes too long, the caller awaits its head.
Every change of its state is synchronous, so that a cancellation finds it whole.
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
#: How often one request is sent again because its connection failed.
_MAX_RESENT = 2


class Connection(Protocol):
    """What carries transfers: over HTTP/1.1 one at a time, over HTTP/2 many."""

    origin: Origin
    #: The timeout wheel's time at which the last transfer ended.
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


#: Fields that describe the encoded body; wrong once it is decoded.
_ENCODED = (b"content-encoding", b"content-length")


class TransferHome(Protocol):
    """The pool, as a transfer sees it."""

    ticker: TimeoutWheel
    options: TransportOptions

    def forget(self, transfer: Transfer) -> None: ...


class Transfer:
    """A request, and the answer as far as it is here.

    Over 15 methods and 12 attributes: connection, caller and pool each have their few,
    and another object for each exchange would cost one percent of it.
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
        #: Done when the head is here, or will never be.
        self.head: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.body = Body(self)
        self.connection: Connection | None = None
        self.network_stream: Connection | None = None
        #: What the connection keeps beside it.
        self.stream: object = None
        #: Done when a body that has to be streamed may be sent.
        self.started: asyncio.Future[None] | None = None
        self.status = 0
        self.fields: Fields = []
        #: What the head said of a body that is decoded.
        self.original: dict[str, str | int | None] = {}
        self.http_version = b"HTTP/1.1"
        self.reason_phrase = b""
        self.informational = 0
        self.is_done = False
        #: Whether a part of the request is still to be sent.
        self.is_sending = False
        self.resent = 0
        #: What was wrong with the peer's HTTP/2, if it was sent again for that.
        self.first_error: Exception | None = None
        self.refused = 0
        #: Whether a limit has kept it waiting.
        self.has_waited = False
        #: Whether an idle connection would not do, since one has just failed it.
        self.wants_fresh = False
        self._home = home
        limits: dict[str, float | None] | None = request.extensions.get("timeout")
        self.clock = TransferClock(self, limits, options, home.ticker)

    def shown_fields(self) -> Fields:
        """The head's fields, without those of an encoding that was undone."""
        if not self.original:
            return self.fields
        return [field for field in self.fields if field[0].lower() not in _ENCODED]

    @property
    def has_head(self) -> bool:
        """Whether the head is here, or will never be."""
        return self.head.done()

    @property
    def is_unanswered(self) -> bool:
        """Whether the whole request is at hand, no head of a response has come, and it
        was not sent again too often."""
        return (
            not self.head.done()
            and self.content is not None
            and self.resent < _MAX_RESENT
        )

    @property
    def may_be_sent_again(self) -> bool:
        """Whether the request may be sent again without asking the caller: it
        `is_unanswered`, and its method is idempotent (RFC 9110 9.2.2)."""
        return self.is_unanswered and self.request.method in _IDEMPOTENT

    # The connection's side

    def begin(self, connection: Connection) -> None:
        """The request is being written."""
        self.connection = self.network_stream = connection
        if self.started is not None and not self.started.done():
            self.started.set_result(None)
        self.informational = 0
        self.clock.begin(has_body=self.content != b"")

    def sends_by_itself(self, unsent: Callable[[], int]) -> None:
        """The system sends the rest; `unsent` tells how many bytes are left."""
        self.is_sending = True
        self.clock.watch_unsent(unsent)

    def wait_anew(self) -> None:
        """The request has to be sent on another connection."""
        self.connection = None
        self.wants_fresh = True

    def note_progress(self) -> None:
        """The peer did something for this request."""
        self.clock.note_progress()

    def answer(
        self, status: int, fields: Fields, encodings: list[bytes], length: int | None
    ) -> bool:
        """Take the final head; False if the body that follows is refused."""
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
            self.body.fail(_too_large(f"{length:,} bytes are announced", self.bounds))
        if not self.head.done():
            self.head.set_result(None)
        return not self.body.is_failed

    def feed(self, data: bytes) -> bool:
        """Take a piece of the body; False if the body has become too large."""
        self.clock.note_progress()
        body = self.body
        body.feed(data)
        if body.received > self.bounds.max_body:
            body.fail(_too_large("The body is too large", self.bounds))
            return False
        return True

    def complete(self) -> None:
        """Take the end of the body."""
        self.body.end()
        self._finish()

    def fail(self, error: Exception) -> None:
        """End it with an error, because its connection cannot go on."""
        if self.is_done:
            return
        if self.head.done():
            self.body.fail(error)
        else:
            self.head.set_exception(self._with_first(error))
        self._finish()

    def _with_first(self, error: Exception) -> Exception:
        """The error that tells why another try was made, and how that ended."""
        first = self.first_error
        if first is None or str(first) == str(error):
            return error
        told = type(first)(f"{first}; another connection: {error}")
        told.__cause__ = error
        return told

    def _finish(self) -> None:
        self.is_done = True
        self.connection = None
        self.clock.stop()

    # The caller's side

    def consumed(self, size: int) -> None:
        """The consumer has read this many bytes of the wire."""
        if self.connection is not None:
            if self.body.queued + size > HIGH_WATER:
                self.clock.restart_rate()
            self.connection.consumed(self, size)

    def abandon(self, *, timed_out: bool = False) -> None:
        """End it without an error: the caller does not wait any more."""
        if self.is_done:
            return
        connection = self.connection
        self._finish()
        if connection is not None:
            connection.abandon(self, timed_out=timed_out)
        else:
            self._home.forget(self)

    def stop(self, error: Exception, *, timed_out: bool = False) -> None:
        """End it from the crawl's side, with an error for the caller."""
        if self.is_done:
            return
        if self.head.done():
            self.body.fail(error)
        else:
            self.head.set_exception(self._with_first(error))
        self.abandon(timed_out=timed_out)


def _too_large(what: str, bounds: Bounds) -> TooLargeError:
    return TooLargeError(f"{what}; max_body is {bounds.max_body:,} bytes")


def _content(request: httpx.Request) -> bytes | None:
    """The request's body if it is in memory; None if it is a stream."""
    try:
        return request.content
    except httpx.RequestNotRead:
        return None
