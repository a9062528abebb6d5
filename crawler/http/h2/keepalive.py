"""Finds dead peers of HTTP/2 connections by PING (RFC 9113 section 6.7).

A server that lost power, or a NAT that lost its table, sends no error. After some
seconds without a frame the peer receives a PING. Any frame counts as an answer. If no
frame arrives for the same time again, the connection counts as dead.
"""

from typing import Protocol

from crawler.http.timeout_wheel import NEVER, TimeoutWheel

__all__ = ["KeepAlive"]


class KeptAlive(Protocol):
    """The methods of a connection that keep-alive calls."""

    @property
    def is_waiting(self) -> bool:
        """Whether any request on this connection waits for a response."""

    def ping(self) -> None: ...

    def die(self) -> None:
        """End the connection, because the peer is dead."""


class KeepAlive:
    """Remembers when the last frame arrived, and whether a PING is unanswered."""

    __slots__ = (
        "_asked_at",
        "_has_spoken",
        "_heard_at",
        "_patient",
        "_silence",
        "_ticker",
        "due",
        "is_doubted",
    )

    def __init__(
        self, patient: KeptAlive, ticker: TimeoutWheel, silence: float
    ) -> None:
        # The checked connection. None once this connection has ended, because a
        # reference cycle would delay freeing the memory.
        self._patient: KeptAlive | None = patient
        self._ticker = ticker
        self._silence = silence
        self._heard_at = ticker.now
        self._has_spoken = False
        self._asked_at: float | None = None
        #: Whether no new request may be sent before the peer's next frame, because a
        #: request has timed out.
        self.is_doubted = False
        #: When to check next whether the peer has stopped sending: seconds of the event
        #: loop's clock, rounded by timeout_wheel.py. NEVER: no check is due.
        self.due = NEVER

    def hear(self) -> bool:
        """Record that bytes were received; return whether a PING was unanswered until
        now."""
        self._heard_at = self._ticker.now
        self._has_spoken = True
        if self._asked_at is None:
            return False
        self._asked_at = None
        self.is_doubted = False
        return True

    def listen(self, *, is_alone: bool) -> None:
        """Record that a request is about to be sent. `is_alone` says whether the
        connection has no other request."""
        if is_alone and self._is_silent():
            # The peer may have died while the connection was idle.
            self._ask()
        if self.due == NEVER:
            self._look_at(self._ticker.now + self._silence)

    def doubt(self) -> None:
        """Record that a request has timed out: while the peer is silent, no new
        requests are sent."""
        if self._is_silent():
            self.is_doubted = True
            self._ask()

    def stop(self) -> None:
        """Stop checking, because the connection has ended."""
        self._ticker.unwatch(self)
        self._patient = None

    def expire(self, now: float) -> None:
        """If the peer has been silent, send a PING; if a PING stays unanswered, end the
        connection."""
        patient = self._patient
        self.due = NEVER
        self._ticker.unwatch(self)
        if patient is None:
            return
        if self._asked_at is not None and now >= self._asked_at + self._silence:
            patient.die()
        elif patient.is_waiting or self._asked_at is not None:
            # Send no PING to a peer that has never sent a frame: the timeouts of the
            # requests are enough.
            if self._has_spoken:
                self.doubt()
            since = now
            if self._asked_at is not None:
                since = self._asked_at
            elif self._has_spoken:
                since = self._heard_at
            self._look_at(since + self._silence)

    def _is_silent(self) -> bool:
        return self._heard_at + self._silence <= self._ticker.now

    def _ask(self) -> None:
        if self._asked_at is None and self._patient is not None:
            self._asked_at = self._ticker.now
            self._patient.ping()
            self._look_at(self._asked_at + self._silence)

    def _look_at(self, when: float) -> None:
        self.due = min(self.due, when)
        self._ticker.watch(self)
