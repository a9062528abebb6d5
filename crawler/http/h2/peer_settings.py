"""The settings of an HTTP/2 peer, from its SETTINGS frames (RFC 9113 section 6.5.2)."""

from crawler.http.h2.codes import ErrorCode, Setting
from crawler.http.h2.flow_control import DEFAULT_WINDOW, MAX_WINDOW
from crawler.http.h2.frames import MAX_FRAME_SIZE, FrameError

__all__ = ["PeerSettings"]

#: Maximum number of streams opened before the peer's first SETTINGS frame.
_STREAMS_BEFORE_SETTINGS = 10


class PeerSettings:
    """The peer's current settings. Before its first SETTINGS frame, they are the RFC's
    defaults."""

    __slots__ = (
        "_our_streams",
        "frame_size",
        "is_known",
        "streams",
        "window",
    )

    def __init__(self, max_streams: int) -> None:
        #: Whether the first SETTINGS frame was received.
        self.is_known = False
        #: Maximum number of open streams: the peer's limit or ours, whichever is lower.
        self.streams = min(_STREAMS_BEFORE_SETTINGS, max_streams)
        #: Number of bytes of a request's body that may be sent on a new stream.
        self.window = DEFAULT_WINDOW
        #: Maximum size in bytes of a frame's payload.
        self.frame_size = MAX_FRAME_SIZE
        self._our_streams = max_streams

    def begin(self) -> None:
        """Record the first SETTINGS frame. Unless it limits the number of streams, our
        own limit applies from now on."""
        self.is_known = True
        self.streams = self._our_streams

    def apply(self, code: int, value: int) -> None:
        """Apply one setting; raise FrameError if its value is invalid. Unknown settings
        are ignored. header_fields.py handles the size of the HPACK table."""
        if code == Setting.MAX_CONCURRENT_STREAMS:
            self.streams = min(value, self._our_streams)
        elif code == Setting.INITIAL_WINDOW_SIZE:
            if value > MAX_WINDOW:
                raise FrameError(
                    ErrorCode.FLOW_CONTROL_ERROR,
                    f"The server set INITIAL_WINDOW_SIZE to {value:,}; the maximum is "
                    "2**31 - 1 (RFC 9113 section 6.5.2)",
                )
            self.window = value
        elif code == Setting.MAX_FRAME_SIZE:
            if not MAX_FRAME_SIZE <= value < 2**24:
                raise FrameError(
                    ErrorCode.PROTOCOL_ERROR,
                    f"The server set MAX_FRAME_SIZE to {value:,}; it must be from "
                    "16,384 to 16,777,215 (RFC 9113 section 6.5.2)",
                )
            self.frame_size = value
        elif code == Setting.ENABLE_PUSH and value:
            raise FrameError(
                ErrorCode.PROTOCOL_ERROR,
                f"The server set ENABLE_PUSH to {value}; a server may only set it to 0 "
                "(RFC 9113 section 6.5.2)",
            )
