"""HTTP/2 frames as bytes (RFC 9113 sections 4 and 6): split, read and built. No state.

The functions that read a frame raise FrameError if its length or stream is wrong: some
frames must be on stream 0, the connection. frame_handlers.py applies the frame.
"""

from struct import Struct, error
from typing import NamedTuple

from crawler.http.h2.codes import ErrorCode

__all__ = [
    "ACK",
    "END_HEADERS",
    "END_STREAM",
    "MAX_FRAME_SIZE",
    "PADDED",
    "PREFACE",
    "PRIORITY_FLAG",
    "Frame",
    "FrameError",
    "StreamError",
    "check_priority",
    "check_size",
    "data",
    "goaway",
    "goaway_of",
    "headers",
    "number_of",
    "payload_of",
    "ping",
    "ping_of",
    "reset",
    "settings",
    "settings_of",
    "split",
    "window_update",
]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: Maximum size in bytes of a frame's payload: the default of HTTP/2, which our SETTINGS
#: do not change.
MAX_FRAME_SIZE = 16_384

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9

_NAMES = (
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
)

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY_FLAG = 0x20

_HEADER = Struct(">HBBBL")
_LONG = Struct(">L")
_SETTING = Struct(">HL")
_PING_BYTES = 8


class ProtocolError(Exception):
    """The peer broke the HTTP/2 protocol. `told` is the error with which the request
    on the frame's stream fails; None if this error's own text is enough."""

    def __init__(
        self, code: ErrorCode, message: str, told: Exception | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.told = told


class FrameError(ProtocolError):
    """A connection error: the whole connection ends (RFC 9113 section 5.4.1)."""


class StreamError(ProtocolError):
    """A stream error: only its stream ends (RFC 9113 section 5.4.2)."""


class Frame(NamedTuple):
    """One frame, without the reserved bit of its stream's number."""

    type: int
    flags: int
    stream_id: int
    payload: bytes


def split(received: bytes) -> tuple[list[Frame], bytes]:
    """Cut received bytes into whole frames. Return the frames, and the rest: the
    beginning of the next frame."""
    frames: list[Frame] = []
    new = tuple.__new__
    start, end = 0, len(received)
    while end - start >= 9:
        high, low, kind, flags, stream_id = _HEADER.unpack_from(received, start)
        length = high << 8 | low
        stop = start + 9 + length
        if stop > end or length > MAX_FRAME_SIZE:
            break
        payload = received[start + 9 : stop]
        # This call is equal to Frame(...), but takes half the time: each response has
        # about three frames.
        frames.append(new(Frame, (kind, flags, stream_id & 0x7FFFFFFF, payload)))
        start = stop
    return frames, received[start:] if start else received


def check_size(received: bytes) -> None:
    """Raise FrameError if the frame that begins with these bytes is larger than
    allowed."""
    length = int.from_bytes(received[:3], "big")
    if len(received) >= 3 and length > MAX_FRAME_SIZE:
        raise FrameError(
            ErrorCode.FRAME_SIZE_ERROR,
            f"The server sent an HTTP/2 frame of {length:,} bytes; the limit is 16,384 "
            "(RFC 9113 section 4.2)",
        )


def payload_of(frame: Frame) -> bytes:
    """Return the payload of DATA or HEADERS without padding and priority."""
    payload, start = frame.payload, 0
    padding = 0
    if frame.flags & PADDED:
        if not payload:
            raise FrameError(
                ErrorCode.FRAME_SIZE_ERROR,
                f"The server's {_name(frame)} frame has a padding flag, but no payload "
                "(RFC 9113 section 6.1)",
            )
        padding, start = payload[0], 1
    if frame.type == HEADERS and frame.flags & PRIORITY_FLAG:
        start += 5
    stop = len(payload) - padding
    if stop < start:
        raise FrameError(
            ErrorCode.PROTOCOL_ERROR,
            f"The server's {_name(frame)} frame has more padding than payload "
            "(RFC 9113 section 6.1)",
        )
    return payload[start:stop]


def number_of(frame: Frame) -> int:
    """Return the only number in the frame: the error code of a RST_STREAM, or the bytes
    of a WINDOW_UPDATE."""
    try:
        (number,) = _LONG.unpack(frame.payload)
    except error:
        raise FrameError(
            ErrorCode.FRAME_SIZE_ERROR,
            f"The server's {_name(frame)} frame has {len(frame.payload)} bytes, not 4 "
            "(RFC 9113 sections 6.4 and 6.9)",
        ) from None
    return int(number)


def check_priority(frame: Frame) -> None:
    """Raise FrameError if a PRIORITY frame is malformed; its content is ignored."""
    if not frame.stream_id:
        raise FrameError(
            ErrorCode.PROTOCOL_ERROR,
            "The server sent a PRIORITY frame on stream 0; it must be on another "
            "stream (RFC 9113 section 6.3)",
        )
    if len(frame.payload) != 5:
        raise FrameError(
            ErrorCode.FRAME_SIZE_ERROR,
            f"The server's PRIORITY frame has {len(frame.payload)} bytes, not 5 "
            "(RFC 9113 section 6.3)",
        )


def settings_of(frame: Frame) -> list[tuple[int, int]]:
    """Return the settings in a SETTINGS frame, in the order in which they apply."""
    _check_on_connection(frame)
    is_ack = frame.flags & ACK
    if len(frame.payload) % _SETTING.size or (is_ack and frame.payload):
        raise FrameError(
            ErrorCode.FRAME_SIZE_ERROR,
            f"The server's SETTINGS frame has {len(frame.payload)} bytes; it must have "
            "a multiple of 6, or 0 if its ACK flag is set (RFC 9113 section 6.5)",
        )
    return list(_SETTING.iter_unpack(frame.payload))


def ping_of(frame: Frame) -> bytes:
    """Return the bytes that the ACK of a PING must repeat."""
    _check_on_connection(frame)
    if len(frame.payload) != _PING_BYTES:
        raise FrameError(
            ErrorCode.FRAME_SIZE_ERROR,
            f"The server's PING frame has {len(frame.payload)} bytes, not 8 "
            "(RFC 9113 section 6.7)",
        )
    return frame.payload


def goaway_of(frame: Frame) -> tuple[int, int]:
    """Return the number of the last stream that the peer may have processed, and the
    error code."""
    _check_on_connection(frame)
    if len(frame.payload) < 8:
        raise FrameError(
            ErrorCode.FRAME_SIZE_ERROR,
            f"The server's GOAWAY frame has {len(frame.payload)} bytes; it must have "
            "at least 8 (RFC 9113 section 6.8)",
        )
    (last,) = _LONG.unpack_from(frame.payload)
    (code,) = _LONG.unpack_from(frame.payload, 4)
    return last & 0x7FFFFFFF, code


def _check_on_connection(frame: Frame) -> None:
    if frame.stream_id:
        raise FrameError(
            ErrorCode.PROTOCOL_ERROR,
            f"The server sent a {_name(frame)} frame on stream {frame.stream_id}; it "
            "must be on stream 0 (RFC 9113 section 6)",
        )


def _name(frame: Frame) -> str:
    return _NAMES[frame.type] if frame.type < len(_NAMES) else f"Frame {frame.type}"


def _frame(kind: int, flags: int, stream_id: int, payload: bytes | memoryview) -> bytes:
    length = len(payload)
    return _HEADER.pack(length >> 8, length & 0xFF, kind, flags, stream_id) + payload


def data(stream_id: int, payload: bytes | memoryview, *, is_last: bool) -> bytes:
    return _frame(DATA, END_STREAM if is_last else 0, stream_id, payload)


def headers(
    stream_id: int, block: bytes, *, is_last: bool, max_frame_size: int
) -> bytes:
    """Return a HEADERS frame, followed by CONTINUATION frames if the header block is
    larger than one frame."""
    first, rest = block[:max_frame_size], block[max_frame_size:]
    flags = END_STREAM if is_last else 0
    parts = [_frame(HEADERS, flags if rest else flags | END_HEADERS, stream_id, first)]
    while rest:
        part, rest = rest[:max_frame_size], rest[max_frame_size:]
        parts.append(_frame(CONTINUATION, 0 if rest else END_HEADERS, stream_id, part))
    return b"".join(parts)


def reset(stream_id: int, code: ErrorCode) -> bytes:
    return _frame(RST_STREAM, 0, stream_id, _LONG.pack(code))


def settings(values: dict[int, int]) -> bytes:
    payload = b"".join(_SETTING.pack(*item) for item in values.items())
    return _frame(SETTINGS, 0, 0, payload)


def settings_ack() -> bytes:
    return _frame(SETTINGS, ACK, 0, b"")


def ping(payload: bytes = bytes(_PING_BYTES), *, is_ack: bool = False) -> bytes:
    return _frame(PING, ACK if is_ack else 0, 0, payload)


def goaway(code: ErrorCode) -> bytes:
    # We report 0 as the peer's last stream: without push a server opens none.
    return _frame(GOAWAY, 0, 0, _LONG.pack(0) + _LONG.pack(code))


def window_update(stream_id: int, size: int) -> bytes:
    return _frame(WINDOW_UPDATE, 0, stream_id, _LONG.pack(size))
