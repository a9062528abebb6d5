"""Whether the peer of an HTTP/2 connection is still there.

A machine that lost its power, or a middlebox its table, says nothing. After a time of
silence the peer is asked by a PING (RFC 9113 section 6.7); a sign of life of any kind
will do for an answer, and no sign for as long again means that nobody is there.
"""

from typing import Protocol

from crawler.http.timeout_wheel import NEVER, TimeoutWheel

__all__ = ["KeepAlive"]


class KeptAlive(Protocol):
    """A connection whose pulse is taken."""

    @property
    def is_waiting(self) -> bool:
        """Whether anybody waits for an answer."""

    def ping(self) -> None:
        """Ask the peer to say something."""

    def die(self) -> None:
        """The peer is gone."""


class KeepAlive:
    """When the peer was heard, and whether it was asked to say something since."""

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
        # Let go at the end: the two know each other, and should leave no cycle.
        self._patient: KeptAlive | None = patient
        self._ticker = ticker
        self._silence = silence
        self._heard_at = ticker.now
        self._has_spoken = False
        self._asked_at: float | None = None
        #: Whether nobody shall join those who wait until the peer is heard again.
        self.is_doubted = False
        #: When to look whether there is still nothing.
        self.due = NEVER

    def hear(self) -> bool:
        """Something came; say whether that was the answer to a question."""
        self._heard_at = self._ticker.now
        self._has_spoken = True
        if self._asked_at is None:
            return False
        self._asked_at = None
        self.is_doubted = False
        return True

    def listen(self, *, is_alone: bool) -> None:
        """Somebody is about to wait, as the only one or not: will he be answered?"""
        if is_alone and self._is_silent():
            # It may have died while it was idle; the answer, or the PING's, will tell.
            self._ask()
        if self.due == NEVER:
            self._look_at(self._ticker.now + self._silence)

    def doubt(self) -> None:
        """Somebody has waited for too long: if all is silent, nobody shall join."""
        if self._is_silent():
            self.is_doubted = True
            self._ask()

    def stop(self) -> None:
        """The connection is gone."""
        self._ticker.unwatch(self)
        self._patient = None

    def expire(self, now: float) -> None:
        """It is time to look: is anybody waiting, and who is silent?"""
        patient = self._patient
        self.due = NEVER
        self._ticker.unwatch(self)
        if patient is None:
            return
        if self._asked_at is not None and now >= self._asked_at + self._silence:
            patient.die()
        elif patient.is_waiting or self._asked_at is not None:
            # A peer that never spoke is left to the timeouts of those who wait for it.
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
