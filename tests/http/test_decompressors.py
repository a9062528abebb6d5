"""Each content encoding: headers, checksums, members, junk and bombs."""

import gzip
import sys
import tracemalloc
import zlib

import brotli  # type: ignore[import-untyped]
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.content_decoding import Bounds, Decoder
from crawler.http.errors import BombError, TruncatedError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd
from tests.http.encoded import Compress, MiB, cut, decoded, encodings, raw_deflate


@encodings
def test_a_cut_body_is_truncated(name: str, compress: Compress) -> None:
    wire = compress(b"<p>a page</p>" * 1000)

    # The checksum alone may be missing: 8 bytes for gzip, none or 4 for the others.
    for length in (1, len(wire) // 2, len(wire) - 9):
        with pytest.raises(TruncatedError):
            decoded([name], wire[:length])


@pytest.mark.parametrize(
    ("name", "compress", "checksum"),
    [("gzip", gzip.compress, 8), ("deflate", zlib.compress, 4)],
)
def test_a_body_without_its_checksum_is_complete(
    name: str, compress: Compress, checksum: int
) -> None:
    page = b"<p>a page</p>" * 1000
    wire = compress(page)

    for missing in range(1, checksum + 1):
        assert decoded([name], wire[:-missing]) == page
    with pytest.raises(TruncatedError):
        decoded([name], wire[: -checksum - 1])


@pytest.mark.parametrize(
    ("name", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_wrong_checksum_is_an_error(name: str, compress: Compress) -> None:
    wire = compress(b"<p>a page</p>" * 1000)

    for place in (-1, -4):
        broken = bytearray(wire)
        broken[place] ^= 0xFF
        with pytest.raises(httpx.DecodingError, match="does not match"):
            decoded([name], bytes(broken))


@given(
    st.binary(max_size=40).map(lambda name: name.replace(b"\0", b"")),
    st.binary(max_size=40).map(lambda text: text.replace(b"\0", b"")),
    st.binary(max_size=40),
    st.integers(0, 0x1F),
    st.integers(1, 30),
)
def test_every_valid_gzip_header_is_accepted(
    name: bytes, comment: bytes, extra: bytes, flags: int, step: int
) -> None:
    page = b"<p>a page</p>" * 10
    header = bytes((0x1F, 0x8B, 8, flags)) + bytes(6)
    if flags & 4:
        header += len(extra).to_bytes(2, "little") + extra
    header += name + b"\0" if flags & 8 else b""
    header += comment + b"\0" if flags & 16 else b""
    header += b"\x12\x34" if flags & 2 else b""
    wire = header + gzip.compress(page)[10:]

    assert decoded(["gzip"], *cut(wire, step)) == page


def test_an_endless_gzip_header_is_an_error() -> None:
    header = bytes((0x1F, 0x8B, 8, 8)) + bytes(6)

    with pytest.raises(httpx.DecodingError, match="the gzip header has over"):
        decoded(["gzip"], header, *[b"name" * 1000] * 100)


@encodings
def test_an_empty_body_is_valid_in_every_encoding(
    name: str, compress: Compress
) -> None:
    assert decoded([name]) == b""
    assert decoded([name], compress(b"")) == b""


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_not_encoded_is_an_error(name: str) -> None:
    with pytest.raises(httpx.DecodingError):
        decoded([name], b"<!doctype html><title>plain</title>" * 10)


def table(rows: int) -> bytes:
    """A page that packs well, and not too well."""
    cells = (b"%d" % (row * 7919 % 1_000_003) for row in range(rows))
    return b"".join(b"<tr><td>%b</td></tr>\n" % cell for cell in cells)


@pytest.mark.parametrize("quality", [0, 1, 5, 9, 11])
@pytest.mark.parametrize("step", [1000, 16_384, 2**30])
def test_large_brotli_bodies_are_decoded_completely(quality: int, step: int) -> None:
    page = table(100_000 if quality < 11 else 30_000)
    wire = brotli.compress(page, quality=quality)

    assert decoded(["br"], *cut(wire, step)) == page


@pytest.mark.parametrize("junk", [b"\n", b"\r\n", b"\0\0\0", b"<!-- 0.1 s -->" * 9])
@pytest.mark.parametrize("step", [1, 1000, 2**30])
def test_junk_after_a_brotli_body_is_skipped(junk: bytes, step: int) -> None:
    page = table(20_000) if step > 1 else table(100)
    wire = brotli.compress(page, quality=5)
    decoder = Decoder(["br"], Bounds())

    pieces = [p for chunk in cut(wire + junk, step) for p in decoder.decode(chunk)]
    decoder.finish()

    assert b"".join(pieces) == page
    assert decoder.has_junk


def test_a_brotli_bomb_followed_by_junk_is_stopped_too() -> None:
    wire = brotli.compress(bytes(64 * MiB), quality=3) + b"\n"

    with pytest.raises(BombError):
        decoded(["br"], wire)


@encodings
def test_a_bomb_is_stopped_before_it_uses_memory(name: str, compress: Compress) -> None:
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


@pytest.mark.parametrize(
    ("name", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)]
)
def test_all_members_are_decoded(name: str, compress: Compress) -> None:
    wire = compress(b"one ") + compress(b"two ") + compress(b"three")

    assert decoded([name], wire) == b"one two three"
    assert decoded([name], *(bytes([byte]) for byte in wire)) == b"one two three"


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("zstd", zstd.compress),
    ],
)
def test_junk_after_the_end_is_recorded_and_skipped(
    name: str, compress: Compress
) -> None:
    decoder = Decoder([name], Bounds())

    body = decoder.complete(compress(b"page") + b"\0\0\0\0 a comment")

    assert body == b"page"
    assert decoder.has_junk


def test_a_zstd_window_over_the_limit_is_rejected() -> None:
    options = {int(zstd.CompressionParameter.window_log): 27}
    wire = zstd.ZstdCompressor(options=options).compress(
        bytes(1000), mode=zstd.ZstdCompressor.FLUSH_BLOCK
    )

    with pytest.raises(httpx.DecodingError):
        decoded(["zstd"], wire)
