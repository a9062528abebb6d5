"""Encoded bodies for tests, and how they are decoded."""

import gzip
import sys
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest

from crawler.http.content_decoding import Bounds, Decoder

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


def cut(wire: bytes, step: int) -> list[bytes]:
    return [wire[start : start + step] for start in range(0, len(wire), step)]
