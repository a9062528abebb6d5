"""Content-Encoding undone in bounded steps (RFC 9110 section 8.4).

No call decodes more than 1 MiB, so that the bounds are looked at before a bomb
has grown; only what can be decoded that way is offered in `ACCEPT_ENCODING`.
No I/O, no clock.
"""

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx

from .errors import BombError, TooLargeError, TruncatedError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

try:
    import brotli  # type: ignore[import-untyped]
except ImportError:  # PyPy has no brotli that can be bounded
    brotli = None

__all__ = ["ACCEPT_ENCODING", "Bounds", "Decoder"]

MiB = 1024 * 1024

#: Brotli overshoots its limit by up to one of its own blocks, of the same size.
_STEP = MiB // 2
#: Each member makes the rest of its slice be copied once.
_SLICE = 64 * 1024
#: RFC 9659: a window above 8 MiB is not for the web.
_ZSTD_WINDOW_LOG = 23
#: More members than this are no file, but work for its own sake.
_MAX_MEMBERS = 10_000

ACCEPT_ENCODING = "gzip, deflate, br, zstd" if brotli else "gzip, deflate, zstd"


@dataclass(frozen=True, slots=True)
class Bounds:
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

    An encoding that nobody here knows leaves the body as it came, as in browsers.
    """

    def __init__(self, encodings: Sequence[str], bounds: Bounds) -> None:
        names = [name for name in map(_normalized, encodings) if name != "identity"]
        if len(names) > bounds.max_encodings:
            raise httpx.DecodingError(
                f"{len(names)} encodings are stacked on one another; "
                f"at most {bounds.max_encodings} are undone"
            )
        if not all(name in _FORMATS for name in names):
            names = []
        #: Bytes of the wire that were taken so far.
        self.received = 0
        self._bounds = bounds
        self._layers = [_Layer(_FORMATS[name]) for name in reversed(names)]

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
            if not layer.has_ended:
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
            except _ERRORS as exc:
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

    def __init__(self, form: "_Format") -> None:
        self.format = form
        #: Decoded bytes that this layer gave so far.
        self.produced = 0
        self.has_junk = False
        self._current: _Decompressor | None = None
        self._members = 0
        self._held = b""

    @property
    def has_ended(self) -> bool:
        """Whether the wire may stop here; an empty body is one in every encoding."""
        if self._current is not None:
            return False
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

    def _begin(self, data: bytes) -> "_Decompressor | None":
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


class _Decompressor(Protocol):
    """What zstd gives, and what the others are made to look like."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Zlib:
    __slots__ = ("_object", "needs_input")

    def __init__(self, window_bits: int) -> None:
        self._object = zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        tail = self._object.unconsumed_tail
        piece = self._object.decompress(tail + data, max_length)
        # A full piece may have left output inside, though all input was taken.
        self.needs_input = len(piece) < max_length
        return piece


class _Brotli:
    __slots__ = ("_object",)

    unused_data = b""  # what follows the end is an error to the library

    def __init__(self) -> None:
        self._object = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._object.is_finished())

    @property
    def needs_input(self) -> bool:
        return bool(self._object.can_accept_more_data())

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece: bytes = self._object.process(data, output_buffer_limit=max_length)
        return piece


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    #: Bytes that must be seen before a member can be opened.
    head: int
    open: Callable[[bytes], _Decompressor]
    #: Whether what follows a member is another one, rather than junk.
    continues: Callable[[bytes], bool]


def _open_deflate(head: bytes) -> _Decompressor:
    is_zlib = head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    # Many senders leave the zlib frame out; browsers read both.
    return _Zlib(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


def _open_zstd(head: bytes) -> _Decompressor:
    limit = {int(zstd.DecompressionParameter.window_log_max): _ZSTD_WINDOW_LOG}
    return zstd.ZstdDecompressor(options=limit)


def _continues_zstd(head: bytes) -> bool:
    is_skippable = head[0] & 0xF0 == 0x50 and head[1:4] == b"\x2a\x4d\x18"
    return is_skippable or head[:4] == b"\x28\xb5\x2f\xfd"


_FORMATS = {
    "gzip": _Format(
        "gzip",
        head=2,
        open=lambda head: _Zlib(16 + zlib.MAX_WBITS),
        continues=lambda head: head[:2] == b"\x1f\x8b",
    ),
    "deflate": _Format("deflate", 2, _open_deflate, continues=lambda head: False),
    "zstd": _Format("zstd", 4, _open_zstd, _continues_zstd),
}
_ERRORS: tuple[type[Exception], ...] = (zlib.error, zstd.ZstdError)
if brotli:
    _FORMATS["br"] = _Format(
        "br", 1, open=lambda head: _Brotli(), continues=lambda head: True
    )
    _ERRORS = (*_ERRORS, brotli.error)


def _normalized(name: str) -> str:
    name = name.strip().lower()
    # RFC 9110 section 8.4.1.3: x-gzip is the same thing.
    return "gzip" if name == "x-gzip" else name or "identity"
