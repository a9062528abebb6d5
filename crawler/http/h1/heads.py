"""HTTP/1.1 heads: written strictly, read as leniently as browsers do (RFC 9112).

No I/O. A CR, LF or NUL from a page cannot split a written head. A received head is
repaired only if all readers would agree on where the message ends.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import httpx

from crawler.http.errors import UnreadableError
from crawler.http.transfer import Fields
from crawler.web.lazy_regex import lazy_regex

__all__ = [
    "Framing",
    "body_start",
    "forwarded_head",
    "framing_of",
    "may_be_repaired",
    "repaired_head",
    "request_head",
]

Field = tuple[bytes, bytes]

_END_OF_HEAD = lazy_regex(rb"\r?\n\r?\n")
#: NUL, and CR without LF. HTTP parsers disagree on whether a line or a field ends at
#: these bytes.
_FATAL = lazy_regex(rb"\0|\r(?=[^\n])")
_BLANK_START = b" \t\r\n"
#: "ICY 200 OK", from Shoutcast, counts as HTTP/1.0.
_STATUS_LINE = lazy_regex(
    rb"(?:HTTP(?:/(?P<major>\d)(?:\.(?P<minor>\d+))?)?|ICY)"
    rb"[ \t]+(?P<code>[1-9]\d\d)(?!\d)[ \t]*(?P<reason>.*)",
    re.IGNORECASE,
)
_NAME = lazy_regex(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"[!-~\x80-\xff]+")
_SPLITTING = re.compile(rb"[\0\r\n]")


def request_head(request: httpx.Request) -> bytes:
    """Return the bytes of a request's head. Raise LocalProtocolError if the URL, the
    method or a header has a forbidden character."""
    return _head(request, request.url.raw_path, tuple(request.headers.raw))


def forwarded_head(request: httpx.Request, fields: Sequence[Field]) -> bytes:
    """Return the head of a request that a proxy forwards (RFC 9112 section 3.2.2).

    The request line contains the whole URL. `fields` are header fields for the proxy
    itself. Raises LocalProtocolError, as `request_head` does.
    """
    url = request.url
    own = {name.lower() for name, _ in fields}
    kept = [pair for pair in request.headers.raw if pair[0].lower() not in own]
    absolute = b"%b://%b%b" % (url.raw_scheme, url.netloc, url.raw_path)
    return _head(request, absolute, (*kept, *fields))


def _head(request: httpx.Request, target: bytes, fields: tuple[Field, ...]) -> bytes:
    method = request.method.encode("ascii", "replace")
    if not (_TARGET.fullmatch(target) and _TARGET.fullmatch(method)):
        is_valid = _TARGET.fullmatch(method)
        what = f"URL {target[:100]!r}" if is_valid else f"method {request.method!r}"
        raise httpx.LocalProtocolError(
            f"The request's {what} has a space or a control character; remove this "
            "character or escape it"
        )
    return b"%b %b HTTP/1.1\r\n%b" % (method, target, _field_lines(fields))


@lru_cache(maxsize=256)
def _field_lines(fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return these header fields as lines of bytes.

    The result is cached, because requests to a host have mostly equal fields.
    """
    lines = b"".join([b"%b: %b\r\n" % field for field in fields])
    if (
        lines.count(b"\n") != len(fields)
        or lines.count(b"\r") != len(fields)
        or b"\0" in lines
    ):
        name = next(name for name, value in fields if _SPLITTING.search(name + value))
        raise httpx.LocalProtocolError(
            f"The request's header {name[:40]!r} has a CR, LF or NUL, which would "
            "split the header; remove this character"
        )
    return lines + b"\r\n"


class Framing:
    """Where a message ends, and which encodings it has, according to its header
    fields."""

    __slots__ = ("encodings", "is_chunked", "is_closing", "length")

    def __init__(self) -> None:
        self.length: int | None = None
        self.is_chunked = False
        self.is_closing = False
        #: Values of Content-Encoding, in the order in which they were applied.
        self.encodings: list[bytes] = []


def framing_of(fields: Fields) -> Framing:
    """Return where a message ends, and its encodings. Raise UnreadableError if its
    header fields leave the end unclear."""
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
        _add_transfer_codings(framing, _transfer_codings(codings))
    return framing


def _add_transfer_codings(framing: Framing, names: list[bytes]) -> None:
    framing.is_chunked = names[-1:] == [b"chunked"]
    # Codings before "chunked" are decoded like content encodings (RFC 9112 section
    # 6.1).
    others = names[:-1] if framing.is_chunked else names
    if b"chunked" in others:
        raise UnreadableError(
            f'The response has Transfer-Encoding {names!r}, but "chunked" must be '
            "the last coding (RFC 9112 section 6.1)"
        )
    framing.encodings += others


_LENGTHS = frozenset(
    len(name)
    for name in (
        b"content-length",
        b"content-encoding",
        b"transfer-encoding",
        b"connection",
    )
)


def _transfer_codings(values: Iterable[bytes]) -> list[bytes]:
    """Return the names in Transfer-Encoding that have an effect, in order.

    Parameters, "identity" and a repeated "chunked" change nothing: chunked is applied
    only once (RFC 9112 section 7).
    """
    names = [
        value.partition(b";")[0].strip(b' \t"').lower()
        for value in b",".join(values).split(b",")
    ]
    names = [name for name in names if name not in (b"", b"identity")]
    return [
        name
        for name, before in zip(names, [b"", *names], strict=False)
        if not name == before == b"chunked"
    ]


def body_start(received: bytes, since: int = 0) -> int | None:
    """Return the offset at which the first head ends; None if the empty line at the end
    of the head has not arrived.

    An earlier call has already searched the bytes before `since`.
    """
    # Empty lines before a head are ignored (RFC 9112 section 2.2).
    skipped = len(received) - len(received.lstrip(b"\r\n"))
    end = _END_OF_HEAD.search(received, max(skipped, since - 3))
    return end.end() if end else None


def may_be_repaired(received: bytes, since: int = 0) -> bool:
    """Return whether the received bytes may be the beginning of a head that
    `repaired_head` can read. The bytes before `since` were checked earlier."""
    if _FATAL.search(received, max(0, since - 1)):
        return False
    first, is_here, _ = received.lstrip(_BLANK_START).partition(b"\n")
    if is_here:
        return _STATUS_LINE.fullmatch(first.rstrip(b"\r")) is not None
    start = first[:4].upper()
    return b"HTTP".startswith(start) or b"ICY ".startswith(start)


def repaired_head(received: bytes) -> bytes | None:
    """Return a strict version of a head that was refused, and the bytes after it.

    Return None if the head cannot be repaired. The head is read as browsers do. Folded
    lines are joined (RFC 9112 section 5.2), and spaces after a name are removed (5.1).
    Lines that are not fields are skipped. A Content-Length beside Transfer-Encoding is
    ignored (6.3). The caller must not use the connection again after the response.
    """
    start = body_start(received)
    if start is None or _FATAL.search(received, 0, start):
        return None
    lines = received[:start].lstrip(_BLANK_START).rstrip(b"\r\n").split(b"\n")
    first, *lines = [line.removesuffix(b"\r") for line in lines]
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        return None
    is_old = status["major"] in (None, b"0") or (
        status["major"] == b"1" and status["minor"] in (None, b"0")
    )
    version = b"1.0" if is_old else b"1.1"
    fields = _with_one_framing(_unfolded(lines))
    if fields is None:
        return None
    head = b"HTTP/%b %b %b\r\n" % (version, status["code"], status["reason"])
    head += b"".join([b"%b: %b\r\n" % field for field in fields])
    return head + b"\r\n" + received[start:]


def _unfolded(lines: Iterable[bytes]) -> Fields:
    """Return the header fields in these lines, each joined with its continuation
    lines."""
    fields: Fields = []
    is_field = False
    for line in lines:
        if line.startswith((b" ", b"\t")):
            # A continuation line before the first field is ignored (RFC 9112 section
            # 2.2).
            if is_field:
                name, value = fields[-1]
                fields[-1] = name, b"%b %b" % (value, line.strip(b" \t"))
            continue
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t")
        is_field = bool(colon) and _NAME.fullmatch(name) is not None
        if is_field:
            fields.append((name, value.strip(b" \t")))
    return fields


def _with_one_framing(fields: Fields) -> Fields | None:
    """Return the header fields, with at most one of Content-Length and
    Transfer-Encoding.

    Return None if the fields contradict each other.
    """
    lengths: set[bytes] = set()
    codings: list[bytes] = []
    others: Fields = []
    for name, value in fields:
        if name.lower() == b"transfer-encoding":
            codings.append(value)
        elif name.lower() == b"content-length":
            lengths.update(length.strip() for length in value.split(b","))
        else:
            others.append((name, value))
    if names := _transfer_codings(codings):
        return [*others, (b"Transfer-Encoding", b", ".join(names))]
    lengths.discard(b"")
    if len(lengths) > 1:
        return None
    return [*others, *((b"Content-Length", length) for length in lengths)]
