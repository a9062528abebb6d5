"""Limits frames of an HTTP/2 peer that bring no progress (RFC 9113 section 10.5).

Each connection has an allowance of frames, and every frame uses up a part of it.
Progress refills the allowance: a head, a piece of body sent, body bytes in either
direction. So a flood of any kind of frame ends the connection.
"""

from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.frames import FrameError

__all__ = [
    "BLOCK_BYTES_FOR_FRAME",
    "BYTES_FOR_FRAME",
    "FRAMES_FOR_HEAD",
    "FRAMES_FOR_PIECE",
    "FloodGuard",
]

FRAMES_FOR_HEAD = 50
#: Number of frames that the peer may send for each piece of a request's body, because
#: some peers send several window updates for one piece.
FRAMES_FOR_PIECE = 4
#: Number of body bytes after which the peer may send one more frame. Without a limit, a
#: body of 32 MiB in frames of 16 bytes took a minute of CPU time.
BYTES_FOR_FRAME = 64
#: Number of compressed bytes of a header block that take as long to read as one frame.
BLOCK_BYTES_FOR_FRAME = 16
_MOST = 4_000


class FloodGuard:
    """The number of frames that one peer may still send without progress."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left: float = _MOST

    def spend(self, count: float) -> None:
        """Subtract frames, or work of the same cost, from the number of frames that the
        peer may still send. Raise FrameError if none is left."""
        self._left -= count
        if self._left < 0:
            raise FrameError(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"The server sent over {_MOST:,} HTTP/2 frames without progress in any "
                "response, which is probably an attack (RFC 9113 section 10.5)",
            )

    def earn(self, count: float) -> None:
        """Let the peer send more frames, because of progress (such as received body
        bytes)."""
        left = self._left + count
        self._left = left if left < _MOST else _MOST
