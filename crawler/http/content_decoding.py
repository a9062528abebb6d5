"""Decodes Content-Encoding in limited steps (RFC 9110 section 8.4).

No call decodes more than 1 MiB, so that limits are checked before a decompression bomb
has grown. `ACCEPT_ENCODING` offers only encodings that can be decoded in such steps. A
body may consist of several members: complete gzip files or zstd frames, one after the
other. No I/O, no clock.
"""

from collections.abc import Iterator, Sequence

import httpx
import msgspec

from crawler.http.decompressors import (
    FORMATS,
    REGISTERED,
    ContentCoding,
    Decompressor,
    errors,
)
from crawler.http.errors import BombError, TooLargeError, TruncatedError

__all__ = ["ACCEPT_ENCODING", "Bounds", "Decoder"]

MiB = 1024 * 1024

#: Maximum output of one step in bytes. Brotli may exceed this limit by one of its
#: blocks, which has at most the same size.
_STEP = MiB // 2
#: Received bytes are decoded in slices of this size. Each member (such as a gzip file)
#: in a slice costs a copy of the slice's rest, which would take quadratic time in a
#: large slice.
_SLICE = 64 * 1024
#: Maximum number of members (such as gzip files) in one body. A body with more of them
#: is an attack on CPU time.
_MAX_MEMBERS = 10_000

ACCEPT_ENCODING = ", ".join(
    name for name in ("gzip", "deflate", "br", "zstd") if name in FORMATS
)


class Bounds(msgspec.Struct, frozen=True):
    """Limits on the size of a response's body in bytes, and on its compression
    ratio."""

    #: Maximum number of bytes of one body, as received.
    max_body: int = 32 * MiB
    #: Maximum number of bytes of one body, after decoding.
    max_decoded: int = 64 * MiB
    #: Maximum number of decoded bytes for each received byte. It is checked only for
    #: bodies of more than `ratio_after` decoded bytes.
    max_ratio: int = 200
    ratio_after: int = MiB
    #: Maximum number of encodings that are applied to one body.
    max_encodings: int = 2


class Decoder:
    """Decodes one body through its encodings, within limits.

        decoder = Decoder(["gzip"], Bounds())
        for chunk in wire:
            for piece in decoder.decode(chunk):
                ...
        decoder.finish()

    Names that are not encodings, such as "utf-8", are ignored, as in browsers. A known
    encoding that cannot be decoded here (such as "compress") raises DecodingError.
    """

    def __init__(self, encodings: Sequence[str], bounds: Bounds) -> None:
        names = [name for name in map(_normalized, encodings) if name in REGISTERED]
        for name in names:
            if name not in FORMATS:
                raise httpx.DecodingError(
                    f"The response's body has the Content-Encoding {name}, which is "
                    f"not supported; the request offered only {ACCEPT_ENCODING}"
                )
        if len(names) > bounds.max_encodings:
            raise httpx.DecodingError(
                f"{len(names)} encodings are applied to the response's body, but "
                f"http.max_encodings allows {bounds.max_encodings}"
            )
        #: Whether the connection may have been cut off. Then only the encodings show
        #: whether the body is complete.
        self.may_be_cut = False
        #: Number of bytes of the body received so far.
        self.received = 0
        self._bounds = bounds
        self._layers = [_Layer(FORMATS[name]) for name in reversed(names)]

    @property
    def has_codings(self) -> bool:
        """Whether there is an encoding to decode."""
        return bool(self._layers)

    @property
    def has_junk(self) -> bool:
        """Whether bytes that belong to no encoding followed the encoded body. They are
        ignored."""
        return any(layer.has_junk for layer in self._layers)

    def decode(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what the chunk decodes to, in pieces of at most 1 MiB."""
        self.received += len(chunk)
        if self.received > self._bounds.max_body:
            raise TooLargeError(
                f"The response's body has over {self._bounds.max_body:,} bytes; to "
                "allow larger bodies, raise http.max_body"
            )
        pieces: Iterator[bytes] = iter((chunk,))
        for layer in self._layers:
            pieces = self._bounded(layer, pieces)
        return filter(None, pieces)

    def finish(self) -> None:
        """Check that the body is complete, because no more bytes follow. Raise
        TruncatedError if the end of the encoded data is missing."""
        for layer in self._layers:
            is_begun = layer.has_members or not self.may_be_cut
            if not (layer.has_ended and is_begun):
                raise TruncatedError(
                    "The response's body is incomplete: the end of its "
                    f"{layer.format.name} data is missing"
                )

    def complete(self, body: bytes) -> bytes:
        """Return the decoded body; `body` is the whole body as received."""
        pieces = list(self.decode(body))
        self.finish()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _bounded(self, layer: "_Layer", chunks: Iterator[bytes]) -> Iterator[bytes]:
        # Limit the output of every encoding, not only of the last: a large intermediate
        # result may become a small body.
        for chunk in chunks:
            try:
                for piece in layer.feed(chunk):
                    layer.produced += len(piece)
                    self._check(layer.produced)
                    yield piece
            except errors() as exc:
                raise httpx.DecodingError(
                    f"The response's body is not valid {layer.format.name}: {exc}"
                ) from exc

    def _check(self, produced: int) -> None:
        bounds = self._bounds
        allowed = max(bounds.ratio_after, bounds.max_ratio * self.received)
        if produced > allowed:
            raise BombError(
                f"The body's {self.received:,} bytes decode to over {produced:,} "
                f"bytes; http.max_ratio allows a factor of {bounds.max_ratio}"
            )
        if produced > bounds.max_decoded:
            raise TooLargeError(
                f"The response's body decodes to over {bounds.max_decoded:,} bytes; to "
                "allow larger bodies, raise http.max_decoded"
            )


class _Layer:
    """Decodes one of a body's encodings, one member (such as a gzip file) after the
    other."""

    __slots__ = ("_current", "_held", "_members", "format", "has_junk", "produced")

    def __init__(self, form: ContentCoding) -> None:
        self.format = form
        #: Size in bytes of this encoding's output so far.
        self.produced = 0
        self.has_junk = False
        self._current: Decompressor | None = None
        self._members = 0
        self._held = b""

    @property
    def has_members(self) -> bool:
        return self._members > 0

    @property
    def has_ended(self) -> bool:
        """Whether the encoded data may end after the bytes received so far. An empty
        body is complete in every encoding."""
        if self._current is not None:
            return self.format.may_stop(self._current)
        return self._members > 0 or not self._held

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _SLICE):
            rest = self._held + data[start : start + _SLICE]
            self._held = b""
            while rest and not self.has_junk:
                current = self._current or self._begin(rest)
                if current is None:
                    break
                yield current.decompress(rest, _STEP)
                while not (current.eof or current.needs_input):
                    yield current.decompress(b"", _STEP)
                rest = b""
                if current.eof:
                    rest, self._current = current.unused_data, None

    def _begin(self, data: bytes) -> Decompressor | None:
        form = self.format
        if len(data) < form.head:
            self._held = data
        elif self._members and not form.continues(data):
            self.has_junk = True
        elif self._members == _MAX_MEMBERS:
            raise BombError(
                f"The response's body has over {_MAX_MEMBERS:,} separate {form.name} "
                "streams; this is probably an attack, so the body is not decoded"
            )
        else:
            self._members += 1
            self._current = form.open(data)
        return self._current


def _normalized(name: str) -> str:
    # Some servers add a weight, as in Accept-Encoding: "gzip;q=1.0".
    name = name.partition(";")[0].strip().strip('"').lower()
    # x-gzip and x-compress are other names of gzip and compress (RFC 9110 section
    # 8.4.1).
    return name.removeprefix("x-")
