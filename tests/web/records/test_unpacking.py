"""Compressed files in limited steps: gzip, zstd, several members, damage."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.records.unpacking import STEP, Unpacker

PACKERS = [
    pytest.param(gzip.compress, id="gzip"),
    pytest.param(zstd.compress, id="zstd"),
    pytest.param(bytes, id="not compressed"),
]


def unpacked(*pieces: bytes) -> list[bytes]:
    unpacker = Unpacker()
    found = [part for piece in pieces for part in unpacker.feed(piece)]
    return [*found, *unpacker.close()]


@pytest.mark.parametrize("pack", PACKERS)
@given(st.binary(max_size=200), st.integers(1, 50))
def test_a_body_is_decompressed_however_it_is_split(
    pack: Callable[[bytes], bytes], body: bytes, step: int
) -> None:
    # A body that begins like a compressed one is one: not here.
    body = b"{" + body if pack is bytes else body
    wire = pack(body)

    found = unpacked(
        *(wire[start : start + step] for start in range(0, len(wire), step))
    )

    assert b"".join(found) == body


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_all_members_are_decompressed_and_junk_after_them_is_skipped(
    pack: Callable[[bytes], bytes],
) -> None:
    wire = pack(b"one ") + pack(b"two") + b"\0\0\0\0 junk"

    assert b"".join(unpacked(wire)) == b"one two"


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_the_output_comes_in_limited_steps(pack: Callable[[bytes], bytes]) -> None:
    sizes = [len(piece) for piece in unpacked(pack(bytes(5 * STEP)))]

    assert sum(sizes) == 5 * STEP
    assert max(sizes) <= STEP


@pytest.mark.parametrize(
    ("pack", "message"),
    [(gzip.compress, "gzip data is"), (zstd.compress, "zstd data is")],
)
def test_a_damaged_body_is_an_error(
    pack: Callable[[bytes], bytes], message: str
) -> None:
    wire = bytearray(pack(b"a page " * 100))
    wire[4:] = b"\xff" * (len(wire) - 4)

    with pytest.raises(ValueError, match=message):
        unpacked(bytes(wire))
