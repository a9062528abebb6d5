"""Content-Encoding undone in bounded steps (RFC 9110 section 8.4).

No call decodes more than 1 MiB, so that the bounds are looked at before a bomb
has grown; only what can be decoded that way is offered in `ACCEPT_ENCODING`.
No I/O, no clock.
"""

from collections.abc import Iterator, Sequence

import httpx
import msgspec

from crawler.http.decompressors import (
    ERRORS,
    FORMATS,
    REGISTERED,
    ContentCoding,
    Decompressor,
)
from crawler.http.errors import BombError, TooLargeError, TruncatedError

__all__ = ["ACCEPT_ENCODING", "Bounds", "Decoder"]

MiB = 1024 * 1024

#: Brotli overshoots its limit by up to one of its own blocks, of the same size.
_STEP = MiB // 2
#: Each member makes the rest of its slice be copied once.
_SLICE = 64 * 1024
#: More members than this are no file, but work for its own sake.
_MAX_MEMBERS = 10_000

ACCEPT_ENCODING = ", ".join(
    name for name in ("gzip", "deflate", "br", "zstd") if name in FORMATS
)


class Bounds(msgspec.Struct, frozen=True):
    """How large a body may be, in bytes, and how far it may unpack."""

    #: Bytes of one body as they come over the wire.
    max_body: int = 32 * MiB
    #: Bytes of one body once decoded.
    max_decoded: int = 64 * MiB
    #: Decoded bytes for each byte of the wire, once there are `ratio_after`.
    max_ratio: int = 200
    ratio_after: int = MiB
    #: Encodings stacked on one another.
    max_encodings: int = 2


class Decoder:
    """One body's way back through its encodings, within bounds.

        decoder = Decoder(["gzip"], Bounds())
        for chunk in wire:
            for piece in decoder.decode(chunk):
                ...
        decoder.finish()

    Names that are no codings, such as "utf-8", are skipped, as in browsers. A coding
    that packs, but is not undone here, is a DecodingError.
    """

    def __init__(self, encodings: Sequence[str], bounds: Bounds) -> None:
        names = [name for name in map(_normalized, encodings) if name in REGISTERED]
        for name in names:
            if name not in FORMATS:
                raise httpx.DecodingError(
                    f"The body is packed as {name}, which is not undone here; "
                    f"the request offers {ACCEPT_ENCODING}"
                )
        if len(names) > bounds.max_encodings:
            raise httpx.DecodingError(
                f"{len(names)} encodings are stacked on one another; "
                f"at most {bounds.max_encodings} are undone"
            )
        #: Whether the wire may have been cut: then only the codings tell the end.
        self.may_be_cut = False
        #: Bytes of the wire that were taken so far.
        self.received = 0
        self._bounds = bounds
        self._layers = [_Layer(FORMATS[name]) for name in reversed(names)]

    @property
    def has_codings(self) -> bool:
        """Whether there is anything to undo."""
        return bool(self._layers)

    @property
    def has_junk(self) -> bool:
        """Whether bytes that belong to no encoding followed the body's end."""
        return any(layer.has_junk for layer in self._layers)

    def decode(self, chunk: bytes) -> Iterator[bytes]:
        """Give what the chunk adds, in pieces of at most 1 MiB."""
        self.received += len(chunk)
        if self.received > self._bounds.max_body:
            raise TooLargeError(
                f"The body is larger than max_body, {self._bounds.max_body:,} bytes"
            )
        pieces: Iterator[bytes] = iter((chunk,))
        for layer in self._layers:
            pieces = self._bounded(layer, pieces)
        return filter(None, pieces)

    def finish(self) -> None:
        """Say that the wire has ended; raise if the encodings have not."""
        for layer in self._layers:
            is_begun = layer.has_members or not self.may_be_cut
            if not (layer.has_ended and is_begun):
                raise TruncatedError(f"The {layer.format.name} body ends too early")

    def complete(self, body: bytes) -> bytes:
        """Decode a whole body that has already arrived."""
        pieces = list(self.decode(body))
        self.finish()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _bounded(self, layer: "_Layer", chunks: Iterator[bytes]) -> Iterator[bytes]:
        # Every layer is counted: an outer one may unpack into nothing but work.
        for chunk in chunks:
            try:
                for piece in layer.feed(chunk):
                    layer.produced += len(piece)
                    self._check(layer.produced)
                    yield piece
            except ERRORS as exc:
                raise httpx.DecodingError(
                    f"The body is not valid {layer.format.name}: {exc}"
                ) from exc

    def _check(self, produced: int) -> None:
        bounds = self._bounds
        allowed = max(bounds.ratio_after, bounds.max_ratio * self.received)
        if produced > allowed:
            raise BombError(
                f"{self.received:,} bytes unpack to {produced:,} and more; "
                f"max_ratio is {bounds.max_ratio}"
            )
        if produced > bounds.max_decoded:
            raise TooLargeError(
                "The body unpacks to more than max_decoded, "
                f"{bounds.max_decoded:,} bytes"
            )


class _Layer:
    """One encoding undone, member after member."""

    __slots__ = ("_current", "_held", "_members", "format", "has_junk", "produced")

    def __init__(self, form: ContentCoding) -> None:
        self.format = form
        #: Decoded bytes that this layer gave so far.
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
        """Whether the wire may stop here; an empty body is one in every encoding."""
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
            raise BombError(f"The {form.name} body has over {_MAX_MEMBERS:,} members")
        else:
            self._members += 1
            self._current = form.open(data)
        return self._current


def _normalized(name: str) -> str:
    # Some servers write it like Accept-Encoding, with a weight.
    name = name.partition(";")[0].strip().strip('"').lower()
    # RFC 9110 section 8.4.1: x-gzip and x-compress are the same things.
    return name.removeprefix("x-")
