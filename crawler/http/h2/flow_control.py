"""Flow control: how much each side may send (RFC 9113 section 5.2). No I/O.

A window counts bytes of DATA frames, including padding. The connection has a window in
each direction, and so has each stream. A frame must fit into both windows.
"""

from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.frames import FrameError, StreamError

__all__ = ["DEFAULT_WINDOW", "MAX_WINDOW", "ReceiveWindow", "grown", "moved"]

#: The initial size of every window (RFC 9113 section 6.9.2).
DEFAULT_WINDOW = 65_535
MAX_WINDOW = 2**31 - 1


def grown(room: int, size: int) -> int:
    """Return how many bytes may be sent after a WINDOW_UPDATE by `size`; before it,
    `room` bytes were allowed. Raise StreamError if `size` is 0, or if the window
    becomes too large (RFC 9113 section 6.9.1)."""
    if not size:
        raise StreamError(
            ErrorCode.PROTOCOL_ERROR,
            "The server sent a WINDOW_UPDATE frame with the increment 0, which must be "
            "at least 1 (RFC 9113 section 6.9)",
        )
    if room + size > MAX_WINDOW:
        raise StreamError(
            ErrorCode.FLOW_CONTROL_ERROR,
            f"The server's WINDOW_UPDATE frame enlarges a flow-control window by "
            f"{size:,} bytes to over 2**31 - 1 (RFC 9113 section 6.9.1)",
        )
    return room + size


def moved(room: int, difference: int) -> int:
    """Return how many bytes may be sent after SETTINGS_INITIAL_WINDOW_SIZE has changed
    by `difference`; before the change, `room` bytes were allowed.

    The result may be negative (RFC 9113 section 6.9.2). Raises FrameError if the window
    becomes too large.
    """
    if room + difference > MAX_WINDOW:
        raise FrameError(
            ErrorCode.FLOW_CONTROL_ERROR,
            "The server's setting INITIAL_WINDOW_SIZE enlarges a flow-control window "
            f"by {difference:,} bytes to over 2**31 - 1 (RFC 9113 section 6.9.2)",
        )
    return room + difference


class ReceiveWindow:
    """The bytes that the peer may still send, and the consumed bytes that no
    WINDOW_UPDATE has returned yet."""

    __slots__ = ("_consumed", "_room", "_size")

    def __init__(self, size: int) -> None:
        self._size = self._room = size
        self._consumed = 0

    def receive(self, size: int) -> None:
        """Count received bytes; they use up the window until they are consumed. Raise
        FrameError if they exceed the window."""
        self._room -= size
        if self._room < 0:
            raise FrameError(
                ErrorCode.FLOW_CONTROL_ERROR,
                f"The server sent {-self._room:,} bytes of DATA more than the "
                "flow-control window allows (RFC 9113 section 6.9.1)",
            )

    def consume(self, size: int) -> int:
        """Count consumed bytes; return by how much to enlarge the window now, or 0.

        The window is enlarged by half of its size at a time, because each step costs a
        frame. Meanwhile the peer can use the other half.
        """
        self._consumed += size
        if self._consumed < self._size // 2:
            return 0
        more, self._consumed = self._consumed, 0
        self._room += more
        return more

    def consume_all(self) -> int:
        """Count all received bytes as consumed; return by how much to enlarge the
        window now, or 0."""
        return self.consume(self._size - self._room - self._consumed)
