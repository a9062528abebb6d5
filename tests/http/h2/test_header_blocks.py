"""Header blocks of one frame or several, written by hpack's encoder."""

import itertools

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.errors import HeaderTooLargeError
from crawler.http.h2 import frames
from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.frames import CONTINUATION, HEADERS, Frame, FrameError
from crawler.http.h2.header_blocks import BlockReader

FIELDS = [(b":status", b"200"), (b"server", b"books"), (b"x-long", b"y" * 300)]


def block_of(fields: list[tuple[bytes, bytes]] = FIELDS) -> bytes:
    return bytes(Encoder().encode(fields))


def headers(block: bytes, flags: int = frames.END_HEADERS, stream: int = 1) -> Frame:
    return Frame(HEADERS, flags, stream, block)


def continuation(block: bytes, flags: int = 0, stream: int = 1) -> Frame:
    return Frame(CONTINUATION, flags, stream, block)


def test_a_header_block_in_one_frame_is_decoded() -> None:
    reader, block = BlockReader(16_384), block_of()

    assert list(reader.begin(headers(block)) or []) == FIELDS
    assert reader.open is None
    assert reader.size == len(block)


def test_padding_and_priority_are_not_part_of_the_header_block() -> None:
    flags = frames.END_HEADERS | frames.PADDED | frames.PRIORITY_FLAG
    payload = b"\x03" + b"\0\0\0\0\x10" + block_of() + bytes(3)

    assert list(BlockReader(16_384).begin(headers(payload, flags)) or []) == FIELDS


@given(st.lists(st.integers(0, 250), min_size=1, max_size=8))
def test_a_header_block_is_decoded_however_it_is_split(cuts: list[int]) -> None:
    reader, block = BlockReader(16_384), block_of()
    borders = [0, *sorted(min(cut, len(block)) for cut in cuts), len(block)]
    first, *rest, last = [
        block[start:end] for start, end in itertools.pairwise(borders)
    ]
    begun = headers(first, frames.END_STREAM)

    assert reader.begin(begun) is None
    assert reader.open is begun
    assert [reader.go_on(continuation(part)) for part in rest] == [None] * len(rest)
    frame, fields = reader.go_on(continuation(last, frames.END_HEADERS)) or (None, [])

    assert frame is begun
    assert list(fields) == FIELDS
    assert reader.open is None
    assert reader.size == len(block)


def test_every_header_block_changes_the_table_for_the_next() -> None:
    encoder, reader = Encoder(), BlockReader(16_384)
    first, second = [bytes(encoder.encode(FIELDS)) for _ in range(2)]

    reader.begin(headers(first))

    assert len(second) < 10
    assert list(reader.begin(headers(second)) or []) == FIELDS


@pytest.mark.parametrize("stream", [1, 3])
def test_a_continuation_may_only_follow_headers_of_its_stream(stream: int) -> None:
    reader = BlockReader(16_384)
    if stream == 3:
        reader.begin(headers(b"", 0, stream=1))

    with pytest.raises(FrameError, match=r"follows no HEADERS") as raised:
        reader.go_on(continuation(b"", stream=stream))
    assert raised.value.code == ErrorCode.PROTOCOL_ERROR


def test_an_invalid_header_block_ends_the_connection() -> None:
    with pytest.raises(FrameError, match="header fields cannot be decoded: ") as raised:
        BlockReader(16_384).begin(headers(b"\x80"))
    assert raised.value.code == ErrorCode.COMPRESSION_ERROR


@pytest.mark.parametrize(
    ("part", "words"),
    [
        pytest.param(bytes(101), "has over 1,000 bytes", id="bytes"),
        pytest.param(b"", "has over 64 HTTP/2 frames", id="empty frames"),
    ],
)
def test_an_endless_header_block_is_too_large(part: bytes, words: str) -> None:
    reader = BlockReader(1_000)
    reader.begin(headers(part, 0))

    with pytest.raises(FrameError, match=words) as raised:
        any(reader.go_on(continuation(part)) for _ in range(65))
    assert raised.value.code == ErrorCode.ENHANCE_YOUR_CALM
    assert isinstance(raised.value.told, HeaderTooLargeError)


@pytest.mark.parametrize(("parts", "is_allowed"), [(63, True), (64, False)])
def test_a_header_block_has_at_most_64_frames(parts: int, is_allowed: bool) -> None:
    reader = BlockReader(1_000)
    reader.begin(headers(b"", 0))
    for _ in range(62):
        reader.go_on(continuation(b""))

    assert reader.go_on(continuation(b"")) is None
    if not is_allowed:
        with pytest.raises(FrameError):
            reader.go_on(continuation(b""))


def test_header_fields_over_the_limit_are_rejected_even_in_a_small_block() -> None:
    block = block_of([(b"x", b"0" * 900), (b"y", b"0" * 900)])
    limit = 1_600
    assert len(block) < limit

    with pytest.raises(FrameError, match="has over 1,600 bytes"):
        BlockReader(limit).begin(headers(block))
