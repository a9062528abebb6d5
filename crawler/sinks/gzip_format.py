"""Compresses the bytes of another format with gzip; equal items give equal bytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

from crawler.sinks.formats import Format
from crawler.store.base import ItemRow

#: The `wbits` with which zlib writes a gzip header and trailer; neither contains a
#: date.
_GZIP = 31


class Gzip(Format):
    """The format `inner`, compressed with gzip. A gzip stream cannot be cut and
    continued, so the whole file is written when the run publishes."""

    def __init__(self, inner: Format) -> None:
        self._inner = inner
        self._stream = zlib.compressobj(wbits=_GZIP)
        self.looks = inner.looks
        self.shape = f"{inner.shape} gzip"

    def look(self, rows: Sequence[ItemRow]) -> None:
        self._inner.look(rows)

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        self._stream = zlib.compressobj(wbits=_GZIP)
        for piece in self._inner.start(existing):
            yield self._stream.compress(piece)

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        return self._stream.compress(self._inner.encode(rows))

    def end(self) -> bytes:
        return self._stream.compress(self._inner.end()) + self._stream.flush()
