"""What an HTTP/2 peer has asked of us by SETTINGS (RFC 9113 section 6.5.2)."""

from crawler.http.h2.codes import ErrorCode, Setting
from crawler.http.h2.flow_control import DEFAULT_WINDOW, MAX_WINDOW
from crawler.http.h2.frames import MAX_FRAME_SIZE, FrameError

__all__ = ["PeerSettings"]

#: Streams that are opened before the peer has said how many it takes.
_STREAMS_BEFORE_SETTINGS = 10


class PeerSettings:
    """The settings as of now, which before the peer's preface are those of the RFC."""

    __slots__ = (
        "_our_streams",
        "frame_size",
        "is_known",
        "streams",
        "window",
    )

    def __init__(self, max_streams: int) -> None:
        #: Whether the peer's first SETTINGS are here.
        self.is_known = False
        #: Streams at a time, by the peer's limit and ours.
        self.streams = min(_STREAMS_BEFORE_SETTINGS, max_streams)
        #: What of a body it takes on a new stream, and in one frame.
        self.window = DEFAULT_WINDOW
        self.frame_size = MAX_FRAME_SIZE
        self._our_streams = max_streams

    def begin(self) -> None:
        """The first SETTINGS: without a limit in it there is only ours."""
        self.is_known = True
        self.streams = self._our_streams

    def apply(self, code: int, value: int) -> None:
        """Apply one setting; others are the encoder's, or unknown and ignored."""
        if code == Setting.MAX_CONCURRENT_STREAMS:
            self.streams = min(value, self._our_streams)
        elif code == Setting.INITIAL_WINDOW_SIZE:
            if value > MAX_WINDOW:
                raise FrameError(ErrorCode.FLOW_CONTROL_ERROR, "A window too large")
            self.window = value
        elif code == Setting.MAX_FRAME_SIZE:
            if not MAX_FRAME_SIZE <= value < 2**24:
                raise FrameError(ErrorCode.PROTOCOL_ERROR, "A frame size out of range")
            self.frame_size = value
        elif code == Setting.ENABLE_PUSH and value:
            raise FrameError(ErrorCode.PROTOCOL_ERROR, "A server asks for push")
