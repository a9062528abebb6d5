"""One request on its way, from the wish for a connection to the answer's last byte.

A transfer is what the parts pass among themselves: the pool finds it a connection,
the connection fills it, the ticker tells it the time, the caller waits for its head.
Every change of its state is synchronous, so that a cancellation finds it whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from crawler.http.body import HIGH_WATER, Body
from crawler.http.content_decoding import Bounds, Decoder
from crawler.http.errors import DeadlineError, TooLargeError, TooSlowError
from crawler.http.options import TransportOptions
from crawler.http.timeout_wheel import NEVER, TimeoutWheel

if TYPE_CHECKING:
    from crawler.http.origins import Origin

__all__ = ["Connection", "Fields", "Transfer", "TransferHome"]

Fields = list[tuple[bytes, bytes]]

_IDEMPOTENT = frozenset(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
#: How often one request is sent again because of what its connection went through.
_MAX_RESENT = 2
_NO_TIMEOUTS: dict[str, float | None] = {}


class Connection(Protocol):
    """What carries a transfer."""

    origin: Origin
    #: The ticker's time at which the last transfer ended.
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


_ENCODED = (b"content-encoding", b"content-length")


class TransferHome(Protocol):
    """The pool, as a transfer sees it."""

    ticker: TimeoutWheel
    options: TransportOptions

    def forget(self, transfer: Transfer) -> None: ...


class Transfer:
    """A request, its timeouts, and the answer as far as it is here."""

    __slots__ = (
        "_deadline",
        "_deadline_seconds",
        "_home",
        "_left_unsent",
        "_limits",
        "_rate_due",
        "_rate_mark",
        "_since",
        "_unsent",
        "body",
        "bounds",
        "connection",
        "content",
        "due",
        "fields",
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
        self.refused = 0
        #: Whether a limit has kept it waiting.
        self.has_waited = False
        #: Whether an idle connection would not do, since one has just failed it.
        self.wants_fresh = False
        self._home = home
        self._limits: dict[str, float | None] = (
            request.extensions.get("timeout") or _NO_TIMEOUTS
        )
        now = home.ticker.now
        self._since = now
        self._rate_due, self._rate_mark = NEVER, 0
        self._unsent: Callable[[], int] | None = None
        self._left_unsent = 0
        self._deadline_seconds = self._limits.get("total", options.timeouts.total)
        self._deadline = (
            NEVER if self._deadline_seconds is None else now + self._deadline_seconds
        )
        self.due = self._deadline
        self._wait_until(now, _shorter(self.connect_seconds, self._pool_seconds))
        home.ticker.watch(self)

    def shown_fields(self) -> Fields:
        """The head's fields, less those that speak of an encoding that was undone."""
        if not self.original:
            return self.fields
        return [field for field in self.fields if field[0].lower() not in _ENCODED]

    @property
    def connect_seconds(self) -> float | None:
        """How long a connection may take to stand."""
        return self._limits.get("connect", self._home.options.timeouts.connect)

    @property
    def may_be_sent_again(self) -> bool:
        """Whether another try, unasked, cannot do harm, and none was wasted yet."""
        return (
            not self.head.done()
            and self.content is not None
            and self.resent < _MAX_RESENT
            and self.request.method in _IDEMPOTENT
        )

    # The connection's side

    def begin(self, connection: Connection) -> None:
        """The request is being written."""
        self.connection = self.network_stream = connection
        if self.started is not None and not self.started.done():
            self.started.set_result(None)
        self.informational = 0
        self.note_progress()
        seconds = self._read_seconds
        if self.content != b"":
            seconds = _shorter(seconds, self._write_seconds)
        self._wait_until(self._since, seconds)

    def sends_by_itself(self, unsent: Callable[[], int]) -> None:
        """All of it is the system's to send; `unsent` tells how much is left."""
        self.is_sending = True
        self._unsent, self._left_unsent = unsent, unsent()

    def wait_anew(self) -> None:
        """It has to be sent on another connection."""
        self.connection = None
        self.wants_fresh = True
        self.note_progress()
        self._wait_until(self._since, self.connect_seconds)

    def note_progress(self) -> None:
        """The peer did something for this request."""
        self._since = self._home.ticker.now

    def answer(
        self, status: int, fields: Fields, encodings: list[bytes], length: int | None
    ) -> bool:
        """Take the final head; False when the body that follows is not wanted."""
        self.status = status
        self.fields = fields
        self.note_progress()
        options = self._home.options
        if encodings and options.decode and self.request.method != "HEAD":
            names = b",".join(encodings).decode("latin-1")
            self.original = {"content_encoding": names, "content_length": length}
            try:
                self.body.decode_with(Decoder(names.split(","), self.bounds))
            except httpx.DecodingError as exc:
                self.body.fail(exc)
        if options.min_rate:
            self._rate_due = self._since + options.min_rate_window
            self.due = min(self.due, self._rate_due)
        if length is not None and length > self.bounds.max_body:
            self.body.fail(_too_large(f"{length:,} bytes are announced", self.bounds))
        if not self.head.done():
            self.head.set_result(None)
        return not self.body.is_failed

    def feed(self, data: bytes) -> bool:
        """Pass a piece of the body on; False when it has become too large."""
        self._since = self._home.ticker.now
        body = self.body
        body.feed(data)
        if body.received > self.bounds.max_body:
            body.fail(_too_large("The body goes on", self.bounds))
            return False
        return True

    def complete(self) -> None:
        """The body's last byte was fed."""
        self.body.end()
        self._finish()

    def fail(self, error: Exception) -> None:
        """The connection cannot go on with it; whoever waits gets the error."""
        if self.is_done:
            return
        if self.head.done():
            self.body.fail(error)
        else:
            self.head.set_exception(error)
        self._finish()

    def _finish(self) -> None:
        self.is_done = True
        self.connection = None
        self._home.ticker.unwatch(self)

    # The caller's side

    def consumed(self, size: int) -> None:
        """The consumer has read so many bytes of the wire."""
        if self.connection is not None:
            if self.body.queued + size > HIGH_WATER:
                # It was held back by us; its time starts anew.
                self.note_progress()
                self._rate_mark = -1
            self.connection.consumed(self, size)

    def abandon(self, *, timed_out: bool = False) -> None:
        """Nobody waits for it any more."""
        if self.is_done:
            return
        connection = self.connection
        self._finish()
        if connection is not None:
            connection.abandon(self, timed_out=timed_out)
        else:
            self._home.forget(self)

    def stop(self, error: Exception, *, timed_out: bool = False) -> None:
        """End it from our side, with an error for whoever waits."""
        if self.is_done:
            return
        if self.head.done():
            self.body.fail(error)
        else:
            self.head.set_exception(error)
        self.abandon(timed_out=timed_out)

    # The ticker's side

    @property
    def _pool_seconds(self) -> float | None:
        return self._limits.get("pool", self._home.options.timeouts.pool)

    @property
    def _write_seconds(self) -> float | None:
        return self._limits.get("write", self._home.options.timeouts.write)

    @property
    def _read_seconds(self) -> float | None:
        return self._limits.get("read", self._home.options.timeouts.read)

    def _wait_until(self, since: float, seconds: float | None) -> None:
        self.due = min(
            self._deadline,
            self._rate_due,
            NEVER if seconds is None else since + seconds,
        )

    def expire(self, now: float) -> None:
        """Some time is over: which one, and is it really?"""
        if now >= self._deadline:
            self.stop(
                DeadlineError(f"The exchange took {self._deadline_seconds:g} s"),
                timed_out=True,
            )
        elif self.connection is None:
            self._expire_waiting(now)
        else:
            self._expire_reading(now)

    def _expire_waiting(self, now: float) -> None:
        error: httpx.TransportError
        if self.origin.dials:
            seconds = self.connect_seconds
            error = self.origin.timeout_error(seconds)
        else:
            seconds = self._pool_seconds
            error = httpx.PoolTimeout(f"No connection became free within {seconds} s")
        if seconds is not None and now >= self._since + seconds:
            self.stop(error, timed_out=True)
        else:
            # Once the dial is over, the other limit holds: look again soon.
            left = 1.0 if seconds is None else min(1.0, self._since + seconds - now)
            self._wait_until(now, left)

    def _expire_reading(self, now: float) -> None:
        seconds = self._read_seconds
        if self.is_sending and not self.head.done():
            seconds = self._write_seconds
            if self._has_sent_more():
                self._since = now
        if self.body.queued > HIGH_WATER:
            self._since = now  # it is the consumer who lets us wait
        if seconds is not None and now >= self._since + seconds:
            kind = httpx.WriteTimeout if self.is_sending else httpx.ReadTimeout
            self.stop(kind(f"Nothing came for {seconds:g} s"), timed_out=True)
            return
        if now >= self._rate_due and self._is_too_slow(now):
            rate = self._home.options.min_rate
            self.stop(TooSlowError(f"The body comes below {rate:g} bytes a second"))
            return
        self._wait_until(self._since, seconds)

    def _has_sent_more(self) -> bool:
        if self._unsent is None:
            return False
        before, self._left_unsent = self._left_unsent, self._unsent()
        return self._left_unsent < before

    def _is_too_slow(self, now: float) -> bool:
        options = self._home.options
        body, mark = self.body, self._rate_mark
        self._rate_due = now + options.min_rate_window
        self._rate_mark = body.received
        if mark < 0 or body.queued > HIGH_WATER:
            return False
        return body.received - mark < options.min_rate * options.min_rate_window


def _shorter(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)


def _too_large(what: str, bounds: Bounds) -> TooLargeError:
    return TooLargeError(f"{what}; max_body is {bounds.max_body:,} bytes")


def _content(request: httpx.Request) -> bytes | None:
    """The request's body if it is in memory; None if it has to be streamed."""
    try:
        return request.content
    except httpx.RequestNotRead:
        return None
