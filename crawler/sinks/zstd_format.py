"""Compresses the bytes of another format, as one Zstandard frame."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from crawler.sinks.formats import Format
from crawler.store.base import ItemRow

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Zstandard(Format):
    """The format `inner`, compressed with Zstandard. A frame cannot be cut and
    continued, so the whole file is written when the run publishes."""

    def __init__(self, inner: Format) -> None:
        self._inner = inner
        self._frame = zstd.ZstdCompressor()
        self.looks = inner.looks
        self.shape = f"{inner.shape} zstd"

    def look(self, rows: Sequence[ItemRow]) -> None:
        self._inner.look(rows)

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        self._frame = zstd.ZstdCompressor()
        for piece in self._inner.start(existing):
            yield self._frame.compress(piece)

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        return self._frame.compress(self._inner.encode(rows))

    def end(self) -> bytes:
        return self._frame.compress(self._inner.end()) + self._frame.flush()
