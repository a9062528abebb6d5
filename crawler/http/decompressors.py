"""Decompressors for the values of Content-Encoding (gzip, deflate, br, zstd), with the
interface of Python's `compression.zstd.ZstdDecompressor`.

No call returns much more than was asked for, so that a decompression bomb is noticed
before it has grown. No I/O, no clock.
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Protocol

import msgspec

try:
    import brotli  # type: ignore[import-untyped]
except ImportError:
    # On PyPy brotli is not installed, because it cannot limit its output there.
    brotli = None

__all__ = ["FORMATS", "REGISTERED", "ContentCoding", "Decompressor", "errors"]

#: Base-2 logarithm of the largest zstd window: RFC 9659 allows up to 8 MiB on the web.
_ZSTD_WINDOW_LOG = 23
#: Maximum size of a gzip header in bytes: the file name and the comment in it have no
#: limit of their own.
_MAX_GZIP_HEADER = 72 * 1024
#: Maximum number of bytes of a brotli body that are kept, so that the body can be
#: decoded a second time.
_MAX_KEPT = 2 * 1024 * 1024


class Decompressor(Protocol):
    """Decodes one member of an encoded body: for example a gzip file, or a zstd
    frame."""

    @property
    def eof(self) -> bool:
        """Whether the member (such as a gzip file) has ended."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether `decompress` has returned all output of its input, so that it needs
        more input."""
        ...

    @property
    def unused_data(self) -> bytes:
        """The input after the end of the member (such as a gzip file)."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class ContentCoding(msgspec.Struct, frozen=True):
    """A content encoding: how its members (such as gzip files) begin, and which
    decompressor they need."""

    name: str
    #: Number of bytes of a member (such as a gzip file) that must have arrived before
    #: decoding can begin.
    head: int
    open: Callable[[bytes], Decompressor]
    #: Returns whether the bytes after a member (such as a gzip file) begin another
    #: member. If not, these bytes are ignored.
    continues: Callable[[bytes], bool] = lambda head: False
    #: Returns whether a body may end within this member (such as a gzip file), because
    #: no data is missing, only the trailer with the checksum.
    may_stop: Callable[[Decompressor], bool] = lambda member: False


class _Frame(msgspec.Struct, frozen=True):
    """The header and trailer around a deflate stream, as gzip or zlib define them."""

    #: Returns the offset at which the header ends; None while the header is incomplete.
    header_end: Callable[[bytes], int | None]
    #: Adds a piece of decoded data to a checksum, and returns the new checksum.
    checksum: Callable[..., int]
    #: Length of the trailer in bytes.
    trailer: int
    #: Raises zlib.error if the trailer does not match the checksum and the size of the
    #: decoded data.
    verify: Callable[[bytes, int, int], None]


class _Inflate:
    """Decodes a deflate stream with a header before it and a checksum after it.

    zlib receives only the bare deflate stream, because only then does it report where
    the last block ends. A body that is cut off after that block lacks its checksum, but
    no data.
    """

    __slots__ = (
        "_check",
        "_frame",
        "_head",
        "_object",
        "_size",
        "_tail",
        "needs_input",
    )

    def __init__(self, frame: _Frame) -> None:
        self._frame = frame
        self._object = zlib.decompressobj(-zlib.MAX_WBITS)
        self._check, self._size = frame.checksum(b""), 0
        #: The part of the header received so far; None once the header is complete.
        self._head: bytes | None = b""
        #: The bytes after the last block of the deflate stream.
        self._tail = b""
        self.needs_input = True

    @property
    def has_all_data(self) -> bool:
        """Whether the last block of the deflate stream has ended."""
        return self._object.eof

    @property
    def eof(self) -> bool:
        return self._object.eof and len(self._tail) >= self._frame.trailer

    @property
    def unused_data(self) -> bytes:
        return self._tail[self._frame.trailer :]

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._head is not None:
            self._head += data
            end = self._frame.header_end(self._head)
            if end is None:
                return b""
            data, self._head = self._head[end:], None
        if self._object.eof:
            self._take_tail(data)
            return b""
        left = self._object.unconsumed_tail
        piece = self._object.decompress(left + data, max_length)
        self._check = self._frame.checksum(piece, self._check)
        self._size += len(piece)
        # If the piece is full, zlib may hold more output although it took all input.
        self.needs_input = len(piece) < max_length
        if self._object.eof:
            self._take_tail(self._object.unused_data)
        return piece

    def _take_tail(self, data: bytes) -> None:
        self.needs_input = True
        self._tail += data
        length = self._frame.trailer
        if len(self._tail) >= length:
            self._frame.verify(self._tail[:length], self._check, self._size)


def _gzip_header_end(head: bytes) -> int | None:
    """Return where a gzip header ends (RFC 1952 section 2.3); None if it is
    incomplete."""
    if head[:3] != b"\x1f\x8b\x08"[: len(head)]:
        raise zlib.error("the gzip header is missing")
    if len(head) > _MAX_GZIP_HEADER:
        raise zlib.error(f"the gzip header has over {_MAX_GZIP_HEADER:,} bytes")
    if len(head) < 12:
        # Wait for 12 bytes: every gzip header has ten bytes, and the length of an extra
        # field may follow.
        return None
    flags, end = head[3], 10
    if flags & _EXTRA_FIELD:
        end = 12 + int.from_bytes(head[10:12], "little")
    for _ in range(bool(flags & _FILE_NAME) + bool(flags & _COMMENT)):
        end = head.find(b"\0", end) + 1
        if not end:
            return None
    if flags & _HEADER_CHECK:
        end += 2
    return end if len(head) >= end else None


def _verify_gzip(trailer: bytes, check: int, size: int) -> None:
    if trailer[:4] != check.to_bytes(4, "little"):
        raise zlib.error("the checksum in the gzip trailer does not match the data")
    if trailer[4:] != (size & 0xFFFFFFFF).to_bytes(4, "little"):
        raise zlib.error("the length in the gzip trailer does not match the data")


def _zlib_header_end(head: bytes) -> int | None:
    """Return where a zlib header ends (RFC 1950 section 2.2); None if it is
    incomplete."""
    if len(head) < 2:
        return None
    if head[1] & _PRESET_DICTIONARY:
        raise zlib.error(
            "the zlib data needs a preset dictionary, which HTTP does not provide"
        )
    return 2


def _verify_zlib(trailer: bytes, check: int, size: int) -> None:
    if trailer != check.to_bytes(4, "big"):
        raise zlib.error("the checksum in the zlib trailer does not match the data")


_HEADER_CHECK, _EXTRA_FIELD, _FILE_NAME, _COMMENT = 0x02, 0x04, 0x08, 0x10
_PRESET_DICTIONARY = 0x20
_GZIP = _Frame(_gzip_header_end, zlib.crc32, 8, _verify_gzip)
_ZLIB = _Frame(_zlib_header_end, zlib.adler32, 4, _verify_zlib)
_NO_FRAME = _Frame(lambda _: 0, lambda *_: 0, 0, lambda *_: None)


def _open_deflate(head: bytes) -> Decompressor:
    is_zlib = head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    # Many servers omit the zlib header; browsers accept both.
    return _Inflate(_ZLIB if is_zlib else _NO_FRAME)


def _has_all_data(member: Decompressor) -> bool:
    return isinstance(member, _Inflate) and member.has_all_data


class _Brotli:
    """Decodes a brotli stream.

    The brotli library raises an error if bytes follow the stream's end, and then loses
    its output. So the input is kept, up to a limit, to decode such a body again.
    """

    __slots__ = (
        "_given",
        "_kept",
        "_kept_size",
        "_object",
        "_second",
        "needs_input",
        "unused_data",
    )

    def __init__(self) -> None:
        self._object = brotli.Decompressor()
        #: The input so far; None if it is too large to be decoded again.
        self._kept: list[bytes] | None = []
        self._kept_size = 0
        #: Number of decoded bytes returned so far.
        self._given = 0
        #: The output of `_decode_again`; None if the body is decoded for the first
        #: time.
        self._second: Iterator[bytes] | None = None
        self.needs_input = True
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return bool(self._object.is_finished())

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._second is not None:
            return next(self._second)
        self._keep(data)
        try:
            piece: bytes = self._object.process(data, output_buffer_limit=max_length)
        except brotli.error:
            if not self._kept:
                raise
            self._second = self._decode_again(self._kept, max_length)
            self._kept, self.needs_input = None, False
            return next(self._second)
        self._given += len(piece)
        # The brotli library's `can_accept_more_data` ignores output that the library
        # still holds.
        self.needs_input = not piece
        return piece

    def _keep(self, data: bytes) -> None:
        if self._kept is not None and data:
            self._kept.append(data)
            self._kept_size += len(data)
            if self._kept_size > _MAX_KEPT:
                self._kept = None

    def _decode_again(self, kept: list[bytes], max_length: int) -> Iterator[bytes]:
        """Decode the brotli body again from the kept input, with the last piece byte by
        byte, to find where the stream ends.

        Output that was already returned is skipped. Raises brotli.error if the stream's
        end is missing.
        """
        self._object = brotli.Decompressor()
        *before, last = kept
        given, steps = self._given, [last[i : i + 1] for i in range(len(last))]
        for number, data in enumerate((*before, *steps), 1 - len(before)):
            self.unused_data = last[max(number, 0) :]
            rest = data
            while piece := self._object.process(rest, output_buffer_limit=max_length):
                rest = b""
                yield piece[given:]
                given -= min(given, len(piece))
            if self.eof:
                yield b""
        raise brotli.error("the end of the brotli data is missing")


def _open_zstd(head: bytes) -> Decompressor:
    zstd = _zstd()
    limit = {int(zstd.DecompressionParameter.window_log_max): _ZSTD_WINDOW_LOG}
    opened: Decompressor = zstd.ZstdDecompressor(options=limit)
    return opened


def _zstd() -> ModuleType:
    """Return the zstd module, which is imported when a body first needs it."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _continues_zstd(head: bytes) -> bool:
    is_skippable = head[0] & 0xF0 == 0x50 and head[1:4] == b"\x2a\x4d\x18"
    return is_skippable or head[:4] == b"\x28\xb5\x2f\xfd"


FORMATS = {
    "gzip": ContentCoding(
        "gzip",
        head=2,
        open=lambda head: _Inflate(_GZIP),
        continues=lambda head: head[:2] == b"\x1f\x8b",
        may_stop=_has_all_data,
    ),
    "deflate": ContentCoding("deflate", 2, _open_deflate, may_stop=_has_all_data),
    "zstd": ContentCoding("zstd", 4, _open_zstd, _continues_zstd),
}
if brotli:
    FORMATS["br"] = ContentCoding("br", 1, open=lambda head: _Brotli())


def errors() -> tuple[type[Exception], ...]:
    """Return the exception classes that the decompression libraries raise for a damaged
    body."""
    found = (zlib.error, _zstd().ZstdError)
    return (*found, brotli.error) if brotli else found


#: Names of encodings: those registered at IANA, and three more in use. If a body with
#: one of these encodings cannot be decoded here, it is not treated as text.
REGISTERED = frozenset(
    {
        "aes128gcm", "br", "bzip2", "compress", "dcb", "dcz", "deflate", "exi", "gzip",
        "lzma", "pack200-gzip", "sdch", "xz", "zstd",
    }
)  # fmt: skip
