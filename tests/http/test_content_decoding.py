import gzip
import itertools
import sys

import brotli  # type: ignore[import-untyped]
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.content_decoding import ACCEPT_ENCODING, Bounds, Decoder
from crawler.http.errors import BombError, TooLargeError
from tests.http.encoded import (
    ENCODINGS,
    Compress,
    MiB,
    decoded,
    encodings,
)

if sys.version_info >= (3, 14):
    pass
else:
    pass


@encodings
def test_a_body_is_decoded_completely(name: str, compress: Compress) -> None:
    page = b"<p>a page</p>" * 50_000

    assert Decoder([name], Bounds()).complete(compress(page)) == page


@encodings
def test_a_body_may_arrive_byte_by_byte(name: str, compress: Compress) -> None:
    page = bytes(range(256)) * 4
    wire = compress(page)

    assert decoded([name], *(wire[i : i + 1] for i in range(len(wire)))) == page


@given(
    st.sampled_from(ENCODINGS),
    st.binary(max_size=4000),
    st.lists(st.integers(0, 5000), max_size=6),
)
def test_a_body_is_decoded_however_it_is_split(
    encoding: tuple[str, Compress], page: bytes, cuts: list[int]
) -> None:
    name, compress = encoding
    wire = compress(page)
    borders = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    chunks = [wire[a:b] for a, b in itertools.pairwise(borders)]

    assert decoded([name], *chunks) == page


def test_a_bomb_inside_a_bomb_is_stopped_too() -> None:
    wire = gzip.compress(gzip.compress(bytes(64 * MiB)))

    with pytest.raises(BombError):
        decoded(["gzip", "gzip"], wire)


def test_an_encoding_that_decodes_to_empty_members_is_a_bomb() -> None:
    wire = gzip.compress(gzip.compress(b"") * 9_000)

    with pytest.raises(BombError):
        decoded(["gzip", "gzip"], wire, bounds=Bounds(ratio_after=10_000))


def test_endless_gzip_members_are_a_bomb() -> None:
    with pytest.raises(BombError, match="separate gzip streams"):
        decoded(["gzip"], gzip.compress(b"") * 10_001)


def test_a_body_larger_than_max_decoded_is_too_large() -> None:
    noise = bytes(hash((i, 7)) & 0xFF for i in range(4096))

    with pytest.raises(TooLargeError, match="max_decoded"):
        decoded(["gzip"], gzip.compress(noise * 3), bounds=Bounds(max_decoded=4096))


@pytest.mark.parametrize(
    ("name", "wire"),
    [("gzip", gzip.compress(b"page", mtime=0)), ("identity", bytes(24))],
)
def test_a_body_larger_than_max_body_before_decoding_is_too_large(
    name: str, wire: bytes
) -> None:
    bounds = Bounds(max_body=len(wire) - 1)

    with pytest.raises(TooLargeError, match="max_body"):
        decoded([name], wire[:10], wire[10:], bounds=bounds)


def test_two_encodings_are_decoded_in_reverse_order() -> None:
    wire = brotli.compress(gzip.compress(b"page"))

    assert decoded(["gzip", "br"], wire) == b"page"
    assert decoded([" GZIP", "Br "], wire) == b"page"


def test_too_many_encodings_are_rejected_unread() -> None:
    with pytest.raises(httpx.DecodingError, match="are applied"):
        Decoder(["gzip"] * 3, Bounds())


@pytest.mark.parametrize(
    "names",
    [
        ["gzip", "utf-8"],
        ["none", "gzip"],
        ["gzip;q=1.0"],
        [" GZIP ; q=1.0 "],
        ["chunked", "gzip"],
        ["gzip", ""],
        ['"gzip"'],
        ["identity", "x-gzip", "identity"],
        ["utf-8", "binary", "iso-8859-1", "gzip"],
    ],
)
def test_an_unknown_encoding_does_not_prevent_known_ones(names: list[str]) -> None:
    assert decoded(names, gzip.compress(b"page")) == b"page"


@pytest.mark.parametrize(
    "name", ["compress", "x-compress", "exi", "dcb", "aes128gcm", "XZ", "lzma"]
)
def test_a_body_that_cannot_be_decoded_is_an_error(name: str) -> None:
    with pytest.raises(httpx.DecodingError, match=f"{name.lower()[2:]}.* gzip"):
        Decoder([name], Bounds())


@pytest.mark.parametrize("name", ["identity", "", "utf-8", "none"])
def test_a_body_with_an_unknown_encoding_is_returned_unchanged(name: str) -> None:
    decoder = Decoder([name], Bounds())

    assert decoder.complete(b"\x1f\x8bpage") == b"\x1f\x8bpage"


def test_every_offered_encoding_can_be_decoded() -> None:
    for name in ACCEPT_ENCODING.split(", "):
        with pytest.raises(httpx.DecodingError):
            Decoder([name], Bounds()).complete(b"no such encoding")
