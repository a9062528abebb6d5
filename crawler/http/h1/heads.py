"""HTTP/1.1 heads: written strictly, read as leniently as browsers do (RFC 9112).

No I/O. What is written cannot be split by a CR, LF or NUL from a page; what is read
is repaired only where no two readers can disagree about where the message ends.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import httpx

from crawler.http.transfer import Fields

__all__ = [
    "Framing",
    "forwarded_head",
    "framing_of",
    "is_whole_head",
    "repaired_head",
    "request_head",
]

Field = tuple[bytes, bytes]

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_TARGET = re.compile(rb"[!-~\x80-\xff]+")


def request_head(request: httpx.Request) -> bytes:
    """Give the bytes of a request's head, or raise LocalProtocolError."""
    return _head(request, request.url.raw_path, tuple(request.headers.raw))


def forwarded_head(request: httpx.Request, fields: Sequence[Field]) -> bytes:
    """Give the head of a request that a proxy passes on (RFC 9112 section 3.2.2).

    The target is in absolute-form; `fields` are for the proxy.
    """
    url = request.url
    own = {name.lower() for name, _ in fields}
    kept = [pair for pair in request.headers.raw if pair[0].lower() not in own]
    absolute = b"%b://%b%b" % (url.raw_scheme, url.netloc, url.raw_path)
    return _head(request, absolute, (*kept, *fields))


def _head(request: httpx.Request, target: bytes, fields: tuple[Field, ...]) -> bytes:
    method = request.method.encode("ascii", "replace")
    if not (_TARGET.fullmatch(target) and _TARGET.fullmatch(method)):
        raise httpx.LocalProtocolError("A blank or control splits the request line")
    return b"%b %b HTTP/1.1\r\n%b" % (method, target, _field_lines(fields))


@lru_cache(maxsize=256)
def _field_lines(fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """The lines of these fields, which most requests to a host have in common."""
    lines = b"".join([b"%b: %b\r\n" % field for field in fields])
    if (
        lines.count(b"\n") != len(fields)
        or lines.count(b"\r") != len(fields)
        or b"\0" in lines
    ):
        raise httpx.LocalProtocolError("A CR, LF or NUL would split a header")
    return lines + b"\r\n"


class Framing:
    """Where a message ends, and what is to be undone, as its fields tell."""

    __slots__ = ("encodings", "is_chunked", "is_closing", "length")

    def __init__(self) -> None:
        self.length: int | None = None
        self.is_chunked = False
        self.is_closing = False
        #: Values of Content-Encoding, in the order in which they were applied.
        self.encodings: list[bytes] = []


def framing_of(fields: Fields) -> Framing:
    """Read what matters for the connection; the parser has checked the syntax."""
    framing = Framing()
    codings: list[bytes] = []
    for name, value in fields:
        if len(name) not in _LENGTHS:
            continue
        lower = name.lower()
        if lower == b"content-length":
            framing.length = int(value)
        elif lower == b"content-encoding":
            framing.encodings.append(value)
        elif lower == b"transfer-encoding":
            codings.append(value)
        elif lower == b"connection":
            framing.is_closing |= b"close" in value.lower()
    if codings:
        *others, last = b",".join(codings).split(b",")
        framing.is_chunked = last.strip().lower() == b"chunked"
        # RFC 9112 section 6.1: codings below "chunked" are undone like the content's.
        framing.encodings += others
    return framing


_LENGTHS = frozenset(
    len(name)
    for name in (
        b"content-length",
        b"content-encoding",
        b"transfer-encoding",
        b"connection",
    )
)


def is_whole_head(received: bytes) -> bool:
    """Say whether the empty line is there that ends a head."""
    return _END_OF_HEAD.search(received) is not None


def repaired_head(received: bytes) -> bytes | None:
    """Drop from a head what browsers skip; None if nothing can be dropped.

    These are lines without a colon, a Content-Length that is said again with the same
    value, and one beside Transfer-Encoding, which wins (RFC 9112 section 6.3). A
    connection that brought such a head is not used again.
    """
    end = _END_OF_HEAD.search(received)
    if end is None:
        return None
    first, *lines = received[: end.start()].split(b"\n")
    is_chunked = any(_name(line) == b"transfer-encoding" for line in lines)
    kept: list[bytes] = []
    lengths: set[bytes] = set()
    for line in lines:
        # A line that begins with a blank would continue the one before it.
        if b":" not in line and line[:1] not in b" \t":
            continue
        if _name(line) == b"content-length":
            length = line.partition(b":")[2].strip()
            if is_chunked or length in lengths:
                continue
            lengths.add(length)
        kept.append(line.removesuffix(b"\r"))
    if len(kept) == len(lines):
        return None
    head = b"\r\n".join([first.removesuffix(b"\r"), *kept])
    return head + b"\r\n\r\n" + received[end.end() :]


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].lower()
