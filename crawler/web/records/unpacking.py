"""Decompresses gzip and zstd files piece by piece, in limited steps.

Rule: no I/O. The output comes in steps, so that no decompression bomb fills the memory.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from typing import Any

#: Maximum number of bytes in one step of output.
STEP = 256 * 1024
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Unpacker:
    """Decompresses a body; a body that is not compressed is returned unchanged.

    Raises ValueError if the compressed data is damaged.
    """

    def __init__(self) -> None:
        self._head: bytes | None = b""
        self._inflate: Any = None
        self._zstd: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes of this piece."""
        if self._head is not None:
            data = self._head + data
            if len(data) < len(ZSTD):
                self._head = data
                return
            self._head = None
            if data.startswith(GZIP):
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            elif data.startswith(ZSTD):
                self._zstd = _zstd_decompressor()
        if self._inflate is not None:
            yield from self._gunzip(data)
        elif self._zstd is not None:
            yield from self._unzstd(data)
        else:
            yield data

    def close(self) -> Iterator[bytes]:
        """Yield the rest of the body: a body under four bytes, which `feed` holds
        back."""
        if self._head:
            yield self._head
            self._head = None

    def _gunzip(self, data: bytes) -> Iterator[bytes]:
        while data:
            try:
                yield self._inflate.decompress(data, STEP)
            except zlib.error as exc:
                raise ValueError(f"the gzip data is damaged: {exc}") from exc
            data = self._inflate.unconsumed_tail
            if self._inflate.eof:
                data = self._inflate.unused_data
                # the bytes after the last gzip member are ignored
                if not data.startswith(GZIP):
                    return
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def _unzstd(self, data: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece = self._zstd.decompress(data, STEP)
            except Exception as exc:  # each library has its own errors
                raise ValueError(f"the zstd data is damaged: {exc}") from exc
            if piece:
                yield piece
            if self._zstd.eof:
                data = self._zstd.unused_data
                if not data.startswith(ZSTD):
                    return
                self._zstd = _zstd_decompressor()
            elif self._zstd.needs_input or not piece:
                return
            else:
                data = b""


def _zstd_decompressor() -> Any:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError as exc:
        raise ValueError(
            "the file is compressed with zstd; to read zstd, run pip install "
            "'exact-crawler[speed]'"
        ) from exc
    return zstd.ZstdDecompressor()
