"""Whether the peer of an HTTP/2 connection is still there. No I/O, no clock.

A machine that lost its power, or a middlebox its table, says nothing. After a time of
silence the peer is asked by a PING (RFC 9113 section 6.7); a sign of life of any kind
will do for an answer, and no sign for as long again means that nobody is there.
"""

__all__ = ["Pulse"]


class Pulse:
    """When the peer was heard, and whether it was asked to say something since."""

    __slots__ = ("_asked_at", "_heard_at", "_silence", "is_doubted")

    def __init__(self, silence: float, now: float) -> None:
        self._silence = silence
        self._heard_at = now
        self._asked_at: float | None = None
        #: Whether nobody shall join until the peer is heard again.
        self.is_doubted = False

    def hear(self, now: float) -> bool:
        """Something came; say whether that was the answer to a question."""
        self._heard_at = now
        if self._asked_at is None:
            return False
        self._asked_at = None
        self.is_doubted = False
        return True

    def ask(self, now: float) -> bool:
        """Ask for a sign of life; False if that was done already."""
        if self._asked_at is not None:
            return False
        self._asked_at = now
        return True

    @property
    def is_asked(self) -> bool:
        return self._asked_at is not None

    def is_silent(self, now: float) -> bool:
        """Whether nothing was heard for long."""
        return self._heard_at + self._silence <= now

    def is_dead(self, now: float) -> bool:
        """Whether it was asked, and had as long as it may take to answer."""
        return self._asked_at is not None and self._asked_at + self._silence <= now

    def next_look(self) -> float:
        """When it will be silent for too long, or dead, if nothing is heard."""
        since = self._heard_at if self._asked_at is None else self._asked_at
        return since + self._silence
