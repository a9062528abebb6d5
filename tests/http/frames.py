"""HTTP/2 frames for the servers of the tests, written and read by hyperframe.

Not by the crawler's own frames module: a mistake there would be on both sides.
"""

from typing import NamedTuple

from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_FRAME_SIZE = 16_384

DATA, HEADERS, PRIORITY = DataFrame.type, HeadersFrame.type, PriorityFrame.type
RST_STREAM, SETTINGS = RstStreamFrame.type, SettingsFrame.type
PUSH_PROMISE, PING, GOAWAY = PushPromiseFrame.type, PingFrame.type, GoAwayFrame.type
WINDOW_UPDATE, CONTINUATION = WindowUpdateFrame.type, ContinuationFrame.type

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY_FLAG = 0x20


class Got(NamedTuple):
    """A frame of the client, as hyperframe has read it."""

    type: int
    flags: int
    stream_id: int
    payload: bytes


def read(head: bytes, payload: bytes) -> Got:
    """Read one frame; an error unless hyperframe takes it for well-formed."""
    frame, length = Frame.parse_frame_header(memoryview(head), strict=True)
    assert length == len(payload)
    frame.parse_body(memoryview(payload))
    assert frame.type is not None
    return Got(frame.type, head[4], frame.stream_id, payload)


def data(stream_id: int, payload: bytes, *, is_last: bool) -> bytes:
    return DataFrame(
        stream_id, payload, flags=["END_STREAM"] if is_last else []
    ).serialize()


def headers(
    stream_id: int, block: bytes, *, is_last: bool, max_frame_size: int = 16_384
) -> bytes:
    """HEADERS, and CONTINUATIONs for what does not fit into it."""
    starts = range(0, max(len(block), 1), max_frame_size)
    pieces = [block[start : start + max_frame_size] for start in starts]
    frames: list[Frame] = [HeadersFrame(stream_id, pieces[0])]
    if is_last:
        frames[0].flags.add("END_STREAM")
    frames += [ContinuationFrame(stream_id, piece) for piece in pieces[1:]]
    frames[-1].flags.add("END_HEADERS")
    return b"".join(frame.serialize() for frame in frames)


def reset(stream_id: int, code: int) -> bytes:
    return RstStreamFrame(stream_id, error_code=code).serialize()


def settings(values: dict[int, int]) -> bytes:
    return SettingsFrame(settings=dict(values)).serialize()


def settings_ack() -> bytes:
    return SettingsFrame(flags=["ACK"]).serialize()


def ping(payload: bytes = bytes(8), *, is_ack: bool = False) -> bytes:
    return PingFrame(opaque_data=payload, flags=["ACK"] if is_ack else []).serialize()


def goaway(last_id: int, code: int = 0) -> bytes:
    return GoAwayFrame(last_stream_id=last_id, error_code=code).serialize()


def window_update(stream_id: int, size: int) -> bytes:
    return WindowUpdateFrame(stream_id, window_increment=size).serialize()
