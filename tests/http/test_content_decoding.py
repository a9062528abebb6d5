import gzip
import itertools
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.content_decoding import ACCEPT_ENCODING, Bounds, Decoder
from crawler.http.errors import BombError, TooLargeError, TruncatedError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MiB = 1024 * 1024

Compress = Callable[[bytes], bytes]


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


ENCODINGS: list[tuple[str, Compress]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstd.compress),
]
encodings = pytest.mark.parametrize(
    ("name", "compress"),
    ENCODINGS,
    ids=["gzip", "x-gzip", "zlib", "raw deflate", "br", "zstd"],
)


def decoded(names: list[str], *chunks: bytes, bounds: Bounds | None = None) -> bytes:
    decoder = Decoder(names, bounds or Bounds())
    body = b"".join(piece for chunk in chunks for piece in decoder.decode(chunk))
    decoder.finish()
    return body


@encodings
def test_a_body_comes_back_whole(name: str, compress: Compress) -> None:
    page = b"<p>a page</p>" * 50_000

    assert Decoder([name], Bounds()).complete(compress(page)) == page


@encodings
def test_a_body_may_come_byte_by_byte(name: str, compress: Compress) -> None:
    page = bytes(range(256)) * 4
    wire = compress(page)

    assert decoded([name], *(wire[i : i + 1] for i in range(len(wire)))) == page


@given(
    st.sampled_from(ENCODINGS),
    st.binary(max_size=4000),
    st.lists(st.integers(0, 5000), max_size=6),
)
def test_where_the_wire_is_cut_changes_nothing(
    encoding: tuple[str, Compress], page: bytes, cuts: list[int]
) -> None:
    name, compress = encoding
    wire = compress(page)
    borders = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    chunks = [wire[a:b] for a, b in itertools.pairwise(borders)]

    assert decoded([name], *chunks) == page


@encodings
def test_a_cut_body_is_truncated(name: str, compress: Compress) -> None:
    wire = compress(b"<p>a page</p>" * 1000)

    with pytest.raises(TruncatedError):
        decoded([name], wire[:-1])
    with pytest.raises(TruncatedError):
        decoded([name], wire[:1])


@encodings
def test_an_empty_body_is_empty_in_every_encoding(
    name: str, compress: Compress
) -> None:
    assert decoded([name]) == b""
    assert decoded([name], compress(b"")) == b""


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_page_that_is_not_encoded_at_all_is_an_error(name: str) -> None:
    with pytest.raises(httpx.DecodingError):
        decoded([name], b"<!doctype html><title>plain</title>" * 10)


@encodings
def test_a_bomb_is_stopped_before_it_grows(name: str, compress: Compress) -> None:
    wire = compress(bytes(64 * MiB))
    decoder = Decoder([name], Bounds())
    sizes: list[int] = []
    tracemalloc.start()
    try:
        with pytest.raises(BombError):
            sizes.extend(len(piece) for piece in decoder.decode(wire))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert max(sizes, default=0) <= MiB
    assert peak < 4 * MiB


def test_a_bomb_inside_a_bomb_is_stopped_as_well() -> None:
    wire = gzip.compress(gzip.compress(bytes(64 * MiB)))

    with pytest.raises(BombError):
        decoded(["gzip", "gzip"], wire)


def test_a_layer_that_unpacks_into_empty_members_is_a_bomb() -> None:
    wire = gzip.compress(gzip.compress(b"") * 9_000)

    with pytest.raises(BombError):
        decoded(["gzip", "gzip"], wire, bounds=Bounds(ratio_after=10_000))


def test_members_without_end_are_a_bomb() -> None:
    with pytest.raises(BombError, match="members"):
        decoded(["gzip"], gzip.compress(b"") * 10_001)


def test_a_body_larger_than_max_decoded_is_too_large() -> None:
    noise = bytes(hash((i, 7)) & 0xFF for i in range(4096))

    with pytest.raises(TooLargeError, match="max_decoded"):
        decoded(["gzip"], gzip.compress(noise * 3), bounds=Bounds(max_decoded=4096))


@pytest.mark.parametrize(
    ("name", "wire"), [("gzip", gzip.compress(b"page")), ("identity", bytes(24))]
)
def test_a_body_larger_than_max_body_on_the_wire_is_too_large(
    name: str, wire: bytes
) -> None:
    bounds = Bounds(max_body=len(wire) - 1)

    with pytest.raises(TooLargeError, match="max_body"):
        decoded([name], wire[:10], wire[10:], bounds=bounds)


@pytest.mark.parametrize(
    ("name", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)]
)
def test_all_members_are_read(name: str, compress: Compress) -> None:
    wire = compress(b"one ") + compress(b"two ") + compress(b"three")

    assert decoded([name], wire) == b"one two three"
    assert decoded([name], *(bytes([byte]) for byte in wire)) == b"one two three"


@pytest.mark.parametrize(
    ("name", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress)],
)
def test_junk_after_the_end_is_noted_and_left_out(
    name: str, compress: Compress
) -> None:
    decoder = Decoder([name], Bounds())

    body = decoder.complete(compress(b"page") + b"\0\0\0\0 a comment")

    assert body == b"page"
    assert decoder.has_junk


def test_two_encodings_are_undone_in_reverse_order() -> None:
    wire = brotli.compress(gzip.compress(b"page"))

    assert decoded(["gzip", "br"], wire) == b"page"
    assert decoded([" GZIP", "Br "], wire) == b"page"


def test_more_encodings_than_allowed_are_refused_unread() -> None:
    with pytest.raises(httpx.DecodingError, match="stacked"):
        Decoder(["gzip"] * 3, Bounds())


@pytest.mark.parametrize("name", ["identity", "", "utf-8", "none"])
def test_an_encoding_that_nobody_knows_leaves_the_body_as_it_came(name: str) -> None:
    decoder = Decoder([name], Bounds())

    assert decoder.complete(b"\x1f\x8bpage") == b"\x1f\x8bpage"


def test_a_window_too_large_for_the_web_is_refused() -> None:
    options = {int(zstd.CompressionParameter.window_log): 27}
    wire = zstd.ZstdCompressor(options=options).compress(
        bytes(1000), mode=zstd.ZstdCompressor.FLUSH_BLOCK
    )

    with pytest.raises(httpx.DecodingError):
        decoded(["zstd"], wire)


def test_what_is_offered_can_be_undone() -> None:
    for name in ACCEPT_ENCODING.split(", "):
        with pytest.raises(httpx.DecodingError):
            Decoder([name], Bounds()).complete(b"no such encoding")
