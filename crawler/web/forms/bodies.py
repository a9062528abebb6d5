"""Encodes form entries as a query or a body (HTML 4.10.22). No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crawler.web.forms.entries import FormEntry
from crawler.web.forms.values import with_newlines
from crawler.web.legacy_encodings import encode
from crawler.web.multipart import Multipart, MultipartField, multipart

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
TEXT = "text/plain"

_UNRESERVED = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-._"
)
_ESCAPES = [
    chr(byte) if byte in _UNRESERVED else "+" if byte == 0x20 else f"%{byte:02X}"
    for byte in range(256)
]


def urlencoded(entries: Iterable[FormEntry], encoding: str) -> str:
    """Return the entries as a query; a file is sent only as its name."""
    return "&".join(
        f"{_escaped(name, encoding)}={_escaped(value, encoding)}"
        for name, value in _pairs(entries)
    )


def plain_text(entries: Iterable[FormEntry], encoding: str) -> bytes:
    """Return the entries as lines `name=value`; a file is sent only as its name."""
    lines = [f"{name}={value}\r\n" for name, value in _pairs(entries)]
    return encode("".join(lines), encoding)


def multipart_form(entries: Sequence[FormEntry], encoding: str) -> Multipart:
    """Return the entries as multipart/form-data.

    The body does not say in which encoding the names and texts are.
    """
    parts = []
    for name, value in entries:
        encoded_name = encode(with_newlines(name, "\r\n"), encoding)
        if isinstance(value, str):
            text = encode(with_newlines(value, "\r\n"), encoding)
            parts.append(MultipartField(encoded_name, text))
        else:
            filename = encode(value.filename, encoding)
            parts.append(
                MultipartField(encoded_name, value.content, filename, value.kind)
            )
    return multipart(parts)


def _pairs(entries: Iterable[FormEntry]) -> Iterable[tuple[str, str]]:
    for name, value in entries:
        text = value if isinstance(value, str) else value.filename
        yield with_newlines(name, "\r\n"), with_newlines(text, "\r\n")


def _escaped(text: str, encoding: str) -> str:
    return "".join(map(_ESCAPES.__getitem__, encode(text, encoding)))
