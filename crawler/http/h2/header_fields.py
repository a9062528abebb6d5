"""HTTP/2 header fields: encodes those of requests, checks those of responses (RFC 9113
section 8).

A crawl sends the same fields with nearly every request. These fields are added to the
HPACK table once; afterwards they cost one lookup. Fields that change are sent without
adding them. No I/O.
"""

import re

import httpx
from hpack import Encoder

from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.frames import StreamError
from crawler.http.transfer import Fields

__all__ = [
    "FieldEncoder",
    "MalformedError",
    "check_fields",
    "length_and_encodings",
    "read_head",
]

#: Fields that are not sent: those about the connection (RFC 9113 section 8.2.2), and
#: Host, which becomes `:authority`.
_DROPPED = frozenset(
    [
        b"host",
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"transfer-encoding",
        b"upgrade",
        b"te",
    ]
)
#: Header fields that are not added to the HPACK table, because their values change with
#: each request or are secret (RFC 7541 section 7.1.3).
_UNINDEXED = frozenset(
    [
        b"authorization",
        b"cookie",
        b"content-length",
        b"content-type",
        b"if-modified-since",
        b"if-none-match",
        b"proxy-authorization",
        b"range",
        b"referer",
    ]
)
_NAMES = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9a-z]+\n)*")
_SPLITTING = re.compile(rb"[\0\r\n]")
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"[!-~\x80-\xff]+")
#: Maximum number of digits in Content-Length.
_MAX_DIGITS = 18
#: Maximum number of encoded header blocks that are cached.
_KEPT_BLOCKS = 64


class MalformedError(StreamError):
    """A malformed response, which is a stream error (RFC 9113 section 8.1.1)."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.PROTOCOL_ERROR, message)


class FieldEncoder:
    """Encodes the header blocks of one connection's requests."""

    def __init__(self) -> None:
        self._encoder = Encoder()
        #: Cache of encoded header blocks. All their fields are in the peer's HPACK
        #: table.
        self._blocks: dict[tuple[bytes, ...], tuple[bytes, bytes]] = {}

    def limit_table(self, size: int) -> None:
        """Apply the peer's limit on the HPACK table, in bytes."""
        self._encoder.header_table_size = min(size, 4096)
        self._blocks.clear()

    def encode(self, request: httpx.Request) -> bytes:
        """Return the header block of a request. Raise LocalProtocolError if the path,
        the method or a header has a forbidden character."""
        url = request.url
        target = url.raw_path
        authority = b""
        constant = [request.method.encode("ascii", "replace"), url.raw_scheme]
        changing: Fields = []
        for name, value in request.headers.raw:
            lower = name.lower()
            if lower in _UNINDEXED:
                changing.append((lower, value))
            elif lower == b"host":
                authority = value
            elif lower not in _DROPPED:
                constant += (lower, value)
        constant.append(authority or url.netloc)
        if not _TARGET.fullmatch(target):
            raise httpx.LocalProtocolError(
                f"The URL's path {target[:100]!r} has a space or a control character; "
                "remove this character or escape it"
            )
        # Check all fields first: once a field is in the HPACK table, the header block
        # must be sent.
        _check_request(changing)
        key = tuple(constant)
        # Pseudo-fields such as the path come first (RFC 9113 section 8.3).
        before, after = self._blocks.get(key) or self._constant_blocks(key)
        block = before + b"\x04" + _string(target) + after
        if changing:
            block += b"".join(map(_never_indexed, changing))
        return block

    def _constant_blocks(self, key: tuple[bytes, ...]) -> tuple[bytes, bytes]:
        method, scheme, *rest, authority = key
        if not _METHOD.fullmatch(method):
            raise httpx.LocalProtocolError(
                f"The request's method {method!r} is not a valid HTTP method, such as "
                "GET or POST (RFC 9110 section 9.1)"
            )
        fields = list(zip(rest[::2], rest[1::2], strict=True))
        _check_request([*fields, (b"host", authority)])
        pseudo = [
            (b":method", method),
            (b":scheme", scheme),
            (b":authority", authority),
        ]
        table = self._encoder.header_table.dynamic_entries
        newest = table[0] if table else None
        blocks = self._encoder.encode(pseudo), self._encoder.encode(fields)
        if (table[0] if table else None) is not newest:
            # A new field in the HPACK table changes all indices, so the cached blocks
            # are invalid.
            self._blocks.clear()
        elif len(self._blocks) < _KEPT_BLOCKS:
            self._blocks[key] = blocks
        return blocks


def _check_request(fields: Fields) -> None:
    for name, value in fields:
        if not _NAMES.fullmatch(name + b"\n") or _SPLITTING.search(value):
            raise httpx.LocalProtocolError(
                f"The request's header {name!r} has a forbidden character; remove this "
                "character (RFC 9113 section 8.2.1)"
            )


def _never_indexed(field: tuple[bytes, bytes]) -> bytes:
    name, value = field
    return b"\x10" + _string(name) + _string(value)


def _string(text: bytes) -> bytes:
    """Encode a string for HPACK, without Huffman coding (RFC 7541 sections 5.1 and
    5.2)."""
    length = len(text)
    if length < 127:
        return bytes((length,)) + text
    rest = length - 127
    prefix = bytearray((127,))
    while rest > 127:
        prefix.append(rest & 127 | 128)
        rest >>= 7
    prefix.append(rest)
    return bytes(prefix) + text


def read_head(fields: Fields) -> tuple[int, Fields]:
    """Return the status and the other fields of a response's head. Raise
    MalformedError if they are invalid."""
    if not fields or fields[0][0] != b":status":
        raise MalformedError(
            "The response's head does not begin with :status (RFC 9113 section 8.3.2)"
        )
    status, rest = fields[0][1], fields[1:]
    if len(status) != 3 or not status.isdigit() or status < b"100":
        raise MalformedError(
            f"The response's :status is {status[:20]!r}, not three digits from 100 on "
            "(RFC 9110 section 15)"
        )
    return int(status), check_fields(rest)


def check_fields(fields: Fields) -> Fields:
    """Return a response's header fields or trailers if they are valid, else raise
    MalformedError.

    Fields about the connection are dropped. RFC 9113 section 8.2.2 makes such fields an
    error, but some servers pass them on from an HTTP/1.1 server behind them.
    """
    names = [name for name, _ in fields]
    lines = b"\n".join([*names, b""])
    values = b" ".join([value for _, value in fields])
    are_names = lines.count(b"\n") == len(fields) and _NAMES.fullmatch(lines)
    if not are_names or _SPLITTING.search(values):
        raise _malformed(fields)
    if not _DROPPED.isdisjoint(names):
        return [field for field in fields if field[0] not in _DROPPED]
    return fields


def _malformed(fields: Fields) -> MalformedError:
    """Return the error for the first invalid field."""
    for name, value in fields:
        if name.startswith(b":"):
            return MalformedError(
                f"The response has the pseudo-field {name[:40]!r} where none "
                "is allowed (RFC 9113 section 8.3)"
            )
        is_name = b"\n" not in name and _NAMES.fullmatch(name + b"\n")
        if not is_name or _SPLITTING.search(value):
            break
    return MalformedError(
        f"The response's header {name[:40]!r} has a forbidden character "
        "(RFC 9113 section 8.2.1)"
    )


def length_and_encodings(fields: Fields) -> tuple[int | None, list[bytes]]:
    """Return Content-Length (None if absent), and the values of Content-Encoding. Raise
    MalformedError if Content-Length is invalid."""
    length: int | None = None
    encodings: list[bytes] = []
    for name, value in fields:
        if name == b"content-encoding":
            encodings.append(value)
        elif name == b"content-length":
            # Content-Length may repeat one value, as in "5, 5" (RFC 9110 section 8.6).
            value = b",".join({part.strip() for part in value.split(b",")})
            if not value.isdigit() or len(value) > _MAX_DIGITS:
                raise MalformedError(
                    f"The response's Content-Length {value[:40]!r} is not a number of "
                    f"up to {_MAX_DIGITS} digits"
                )
            if length not in (None, int(value)):
                raise MalformedError(
                    "The response has two different Content-Length headers: "
                    f"{length} and {int(value)}"
                )
            length = int(value)
    return length, encodings
