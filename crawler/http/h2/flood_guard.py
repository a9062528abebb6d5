"""How much an HTTP/2 peer may send that brings nothing (RFC 9113 section 10.5).

Every frame is paid from an allowance, which progress fills up again: a head, a piece
of body that went out, and the bytes of bodies either way. So a flood comes to an end,
be it of PING, of SETTINGS, or of a kind that nobody has thought of yet.
"""

from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.frames import FrameError

__all__ = ["BYTES_FOR_FRAME", "FRAMES_FOR_HEAD", "FRAMES_FOR_PIECE", "FloodGuard"]

FRAMES_FOR_HEAD = 50
#: For window updates: peers send some for each piece of body that they get.
FRAMES_FOR_PIECE = 4
BYTES_FOR_FRAME = 16
_MOST = 2_000


class FloodGuard:
    """The frames that one peer may still send without any progress."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _MOST

    def spend(self, count: int) -> None:
        """So many frames came, or what is as dear; too many are a connection error."""
        self._left -= count
        if self._left < 0:
            raise FrameError(ErrorCode.ENHANCE_YOUR_CALM, "Frames that bring nothing")

    def earn(self, count: int) -> None:
        """There was progress, which is worth so many frames."""
        left = self._left + count
        self._left = left if left < _MOST else _MOST
