"""The timeouts of one transfer (a request in flight): which timeout runs now, and what
happens when it expires.

The timeout wheel reads `due` and calls `expire`. No timer is set for a single read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import httpx

from crawler.http.body import HIGH_WATER, Body
from crawler.http.errors import DeadlineError, TooSlowError
from crawler.http.options import TransportOptions
from crawler.http.timeout_wheel import NEVER, TimeoutWheel

__all__ = ["TransferClock"]

_NO_LIMITS: dict[str, float | None] = {}


class TimedOrigin(Protocol):
    @property
    def dials(self) -> object: ...

    def timeout_error(self, seconds: float | None) -> httpx.TransportError: ...


class Timed(Protocol):
    """The methods of a transfer that its clock uses."""

    body: Body
    is_sending: bool

    @property
    def origin(self) -> TimedOrigin: ...

    @property
    def connection(self) -> object: ...

    @property
    def has_head(self) -> bool: ...

    def stop(self, error: Exception, *, timed_out: bool = False) -> None: ...


class TransferClock:
    """Ends a transfer that takes too long in one phase, or in total."""

    __slots__ = (
        "_deadline",
        "_left_unsent",
        "_limits",
        "_options",
        "_rate_due",
        "_rate_mark",
        "_since",
        "_ticker",
        "_transfer",
        "_unsent",
        "due",
    )

    def __init__(
        self,
        transfer: Timed,
        limits: dict[str, float | None] | None,
        options: TransportOptions,
        ticker: TimeoutWheel,
    ) -> None:
        #: None once the transfer is over, so that no reference cycle is left.
        self._transfer: Timed | None = transfer
        self._limits = _NO_LIMITS if limits is None else limits
        self._options = options
        self._ticker = ticker
        #: The time of the last progress in the current phase, on the clock of
        #: timeout_wheel.py.
        self._since = now = ticker.now
        self._rate_due, self._rate_mark = NEVER, 0
        self._unsent: Callable[[], int] | None = None
        self._left_unsent = 0
        total = self._limits.get("total", options.timeouts.total)
        self._deadline = NEVER if total is None else now + total
        #: The time at which `expire` is called, on the clock of timeout_wheel.py.
        self.due = self._deadline
        ticker.watch(self)

    def seconds(self, phase: str) -> float | None:
        """Return the timeout of a phase (such as "read") in seconds: that of the
        request if it has one, else that of the transport."""
        limits = self._limits
        if phase in limits:
            return limits[phase]
        usual: float | None = getattr(self._options.timeouts, phase)
        return usual

    def wait(self) -> None:
        """Record that the request waits for a connection."""
        self._since = self._ticker.now
        seconds = _shorter(self.seconds("connect"), self.seconds("pool"))
        self._wait_until(self._since, seconds)

    def begin(self, *, has_body: bool) -> None:
        """Record that the request is being written."""
        self._since = now = self._ticker.now
        limits = self._limits
        seconds = limits.get("read", self._options.timeouts.read)
        if has_body:
            seconds = _shorter(seconds, self.seconds("write"))
        due = self._deadline
        if seconds is not None and now + seconds < due:
            due = now + seconds
        self.due = due if due < self._rate_due else self._rate_due

    def watch_unsent(self, unsent: Callable[[], int]) -> None:
        """Record that the rest of the request is in the socket's buffer. `unsent`
        returns how many bytes are left there."""
        self._unsent, self._left_unsent = unsent, unsent()

    def note_progress(self) -> None:
        """Record that the peer made progress with this request."""
        self._since = self._ticker.now

    def watch_rate(self) -> None:
        """Record that the body has begun: from now on its rate is checked."""
        self._rate_due = self._since + self._options.min_rate_window
        self.due = min(self.due, self._rate_due)

    def restart_rate(self) -> None:
        """Restart the measurement of the body's rate, because the crawl itself held the
        body back."""
        self._since = self._ticker.now
        self._rate_mark = -1

    def stop(self) -> None:
        """Stop all timeouts, because the transfer (the request in flight) is over."""
        self._ticker.unwatch(self)
        self._transfer = None

    def expire(self, now: float) -> None:
        """Check the timeout and the lowest rate that apply now; end the transfer (the
        request in flight) if either is violated."""
        transfer = self._transfer
        if transfer is None:
            return
        if now >= self._deadline:
            total = self._limits.get("total", self._options.timeouts.total)
            transfer.stop(
                DeadlineError(
                    f"The request took over {total:g} s in total; to allow more "
                    "time, raise http.total"
                ),
                timed_out=True,
            )
        elif transfer.connection is None:
            self._expire_waiting(transfer, now)
        else:
            self._expire_reading(transfer, now)

    def _expire_waiting(self, transfer: Timed, now: float) -> None:
        # `connect` applies while a connection is being opened, otherwise `pool`.
        is_dialled = bool(transfer.origin.dials)
        seconds = self.seconds("connect" if is_dialled else "pool")
        if seconds is None or now < self._since + seconds:
            # The other limit may apply later, so check again after at most a second.
            left = 1.0 if seconds is None else min(1.0, self._since + seconds - now)
            self._wait_until(now, left)
            return
        error: httpx.TransportError
        if is_dialled:
            error = transfer.origin.timeout_error(seconds)
        else:
            error = httpx.PoolTimeout(f"No connection became free within {seconds} s")
        transfer.stop(error, timed_out=True)

    def _expire_reading(self, transfer: Timed, now: float) -> None:
        seconds = self.seconds("read")
        if transfer.is_sending and not transfer.has_head:
            seconds = self.seconds("write")
            if self._has_sent_more():
                self._since = now
        if transfer.body.queued > HIGH_WATER:
            self._since = now  # the crawl holds the body back, not the peer
        if seconds is not None and now >= self._since + seconds:
            kind = httpx.WriteTimeout if transfer.is_sending else httpx.ReadTimeout
            what = "No part of the response arrived"
            if transfer.is_sending:
                what = "The server took no part of the request"
            transfer.stop(kind(f"{what} for {seconds:g} s"), timed_out=True)
            return
        if now >= self._rate_due and self._is_too_slow(transfer.body, now):
            rate = self._options.min_rate
            transfer.stop(
                TooSlowError(
                    f"The response's body arrives at under {rate:g} bytes a second "
                    "(http.min_rate)"
                )
            )
            return
        self._wait_until(self._since, seconds)

    def _wait_until(self, since: float, seconds: float | None) -> None:
        self.due = min(
            self._deadline,
            self._rate_due,
            NEVER if seconds is None else since + seconds,
        )

    def _has_sent_more(self) -> bool:
        if self._unsent is None:
            return False
        before, self._left_unsent = self._left_unsent, self._unsent()
        return self._left_unsent < before

    def _is_too_slow(self, body: Body, now: float) -> bool:
        options, mark = self._options, self._rate_mark
        self._rate_due = now + options.min_rate_window
        self._rate_mark = body.received
        if mark < 0 or body.queued > HIGH_WATER:
            return False
        return body.received - mark < options.min_rate * options.min_rate_window


def _shorter(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)
