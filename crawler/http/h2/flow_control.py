"""Flow control: how much may be sent, and how much may come (RFC 9113 section 5.2).

Windows count bytes of DATA, its padding included. There is one for each direction of
each stream, and of the connection; what is sent or comes has to fit into both. No I/O.
"""

from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.frames import FrameError, StreamError

__all__ = ["DEFAULT_WINDOW", "MAX_WINDOW", "ReceiveWindow", "grown", "moved"]

#: Every window before anybody has said something else (section 6.9.2).
DEFAULT_WINDOW = 65_535
MAX_WINDOW = 2**31 - 1


def grown(room: int, size: int) -> int:
    """Give what the peer takes from us after a WINDOW_UPDATE (section 6.9.1)."""
    if not size:
        raise StreamError(ErrorCode.PROTOCOL_ERROR, "A window that does not grow")
    if room + size > MAX_WINDOW:
        raise StreamError(ErrorCode.FLOW_CONTROL_ERROR, "A window too large")
    return room + size


def moved(room: int, difference: int) -> int:
    """Give what it takes after SETTINGS_INITIAL_WINDOW_SIZE has changed by so much.

    That may be less than nothing (section 6.9.2).
    """
    if room + difference > MAX_WINDOW:
        raise FrameError(ErrorCode.FLOW_CONTROL_ERROR, "A window too large")
    return room + difference


class ReceiveWindow:
    """What the peer may still send us, and what we have not yet allowed it again."""

    __slots__ = ("_consumed", "_room", "_size")

    def __init__(self, size: int) -> None:
        self._size = self._room = size
        #: Bytes that were consumed and not yet credited.
        self._consumed = 0

    def receive(self, size: int) -> None:
        """So much has come; it takes its room until it is consumed."""
        self._room -= size
        if self._room < 0:
            raise FrameError(ErrorCode.FLOW_CONTROL_ERROR, "More than the window")

    def consume(self, size: int) -> int:
        """So much is out of the way; give by how much to let the window grow now.

        In large steps: each is a frame, and the peer has the other half meanwhile.
        """
        self._consumed += size
        if self._consumed < self._size // 2:
            return 0
        more, self._consumed = self._consumed, 0
        self._room += more
        return more

    def consume_all(self) -> int:
        """All that has come is out of the way."""
        return self.consume(self._size - self._room - self._consumed)
