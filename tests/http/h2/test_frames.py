from contextlib import suppress

import pytest
from hyperframe.frame import Frame as Reference
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.h2 import frames
from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.frames import Frame, FrameError

FRAMES = st.lists(
    st.tuples(
        st.integers(0, 255),
        st.integers(0, 255),
        st.integers(0, 2**31 - 1),
        st.binary(max_size=300),
    ),
    max_size=6,
)


def built(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    length = len(payload).to_bytes(3, "big")
    return length + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


@given(FRAMES, st.integers(0, 2000))
def test_frames_are_found_however_the_bytes_are_split(
    expected: list[tuple[int, int, int, bytes]], cut: int
) -> None:
    wire = b"".join(built(*each) for each in expected)

    first, rest = frames.split(wire[:cut])
    second, left = frames.split(rest + wire[cut:])

    assert [tuple(each) for each in first + second] == expected
    assert left == b""


@given(st.binary(max_size=2000))
def test_any_bytes_are_frames_or_an_error(noise: bytes) -> None:
    with suppress(FrameError):
        found, rest = frames.split(noise)

        assert sum(9 + len(each.payload) for each in found) + len(rest) == len(noise)


def test_the_reserved_bit_is_not_part_of_the_stream_number() -> None:
    wire = b"\0\0\0\0\0" + (0x80000005).to_bytes(4, "big")

    assert frames.split(wire) == ([Frame(0, 0, 5, b"")], b"")


@pytest.mark.parametrize(
    ("wire", "name", "stream_id"),
    [
        (frames.data(1, b"x", is_last=True), "DataFrame", 1),
        (frames.reset(3, ErrorCode.CANCEL), "RstStreamFrame", 3),
        (frames.settings({2: 0, 4: 100}), "SettingsFrame", 0),
        (frames.settings_ack(), "SettingsFrame", 0),
        (frames.ping(), "PingFrame", 0),
        (frames.goaway(ErrorCode.NO_ERROR), "GoAwayFrame", 0),
        (frames.window_update(5, 100), "WindowUpdateFrame", 5),
        (
            frames.headers(7, b"block", is_last=True, max_frame_size=100),
            "HeadersFrame",
            7,
        ),
    ],
)
def test_other_libraries_can_parse_the_written_frames(
    wire: bytes, name: str, stream_id: int
) -> None:
    read, length = Reference.parse_frame_header(memoryview(wire[:9]))
    read.parse_body(memoryview(wire[9:]))

    assert (type(read).__name__, read.stream_id) == (name, stream_id)
    assert length == len(wire) - 9
    assert read.serialize() == wire


def test_a_header_block_larger_than_a_frame_is_continued() -> None:
    wire = frames.headers(1, bytes(250), is_last=True, max_frame_size=100)

    found, _ = frames.split(wire)

    assert [each.type for each in found] == [1, 9, 9]
    assert [each.flags for each in found] == [1, 0, 4]
    assert b"".join(each.payload for each in found) == bytes(250)


@given(st.binary(max_size=40), st.integers(0, 255))
def test_padding_is_removed_or_an_error(payload: bytes, flags: int) -> None:
    for kind in (frames.DATA, frames.HEADERS):
        try:
            inner = frames.payload_of(Frame(kind, flags, 1, payload))
        except FrameError:
            continue
        assert inner in payload
