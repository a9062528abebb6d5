"""Builds multipart/form-data bodies (RFC 7578; HTML 4.10.21.8), and bodies with files.

No I/O: a file that is given by its path is read when the body is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from mimetypes import MimeTypes
from typing import NamedTuple

import msgspec

from crawler.web import urls

#: The type of a file if nothing is known about it.
OCTETS = "application/octet-stream"


class FilePiece(msgspec.Struct, frozen=True):
    """A piece of a body: the content of the file at `path`."""

    path: str


#: A body in pieces, at least one of which is a file; empty: a body without files.
Pieces = tuple[bytes | FilePiece, ...]


class MultipartField(NamedTuple):
    """A field of a multipart form. A field that is a file also has a file name and a
    media type (`kind`)."""

    name: bytes
    content: bytes | FilePiece
    filename: bytes | None = None
    kind: str = ""


class Multipart(NamedTuple):
    """A body and its Content-Type. `pieces` is empty if the whole body is in
    `content`."""

    content: bytes
    pieces: Pieces
    content_type: str


def multipart(parts: Sequence[MultipartField]) -> Multipart:
    """Return the fields as a body. The boundary is a digest of the fields, so that
    equal forms give equal bytes."""
    heads = [_head(part) for part in parts]
    mark = b"\0".join(
        head + _identity(part.content) for head, part in zip(heads, parts, strict=True)
    )
    boundary = f"{urls.fingerprint('multipart', '', mark) & (2**64 - 1):016x}" * 2
    pieces: list[bytes | FilePiece] = []
    for head, part in zip(heads, parts, strict=True):
        kind = f"Content-Type: {part.kind}\r\n".encode() if part.kind else b""
        pieces += [
            f"--{boundary}\r\nContent-Disposition: form-data; ".encode(),
            head + b"\r\n" + kind + b"\r\n",
            part.content,
            b"\r\n",
        ]
    pieces.append(f"--{boundary}--\r\n".encode())
    content_type = f"multipart/form-data; boundary={boundary}"
    if any(isinstance(piece, FilePiece) for piece in pieces):
        return Multipart(b"", _joined(pieces), content_type)
    return Multipart(b"".join(_bytes_of(pieces)), (), content_type)


def identity(pieces: Pieces) -> bytes:
    """Return bytes that identify a body in pieces; a file is identified by its path,
    not by its content."""
    return b"".join(map(_identity, pieces))


def type_of(filename: str) -> str:
    """Return the media type of a file by its extension, as browsers do."""
    ending = filename[filename.rfind(".") :].lower() if "." in filename else ""
    return _types().get(ending, OCTETS)


def ending_of(kind: str) -> str:
    """Return the extension for a media type: ".pdf"; ".bin" for an unknown type."""
    return next((end for end, known in _types().items() if known == kind), ".bin")


@lru_cache(maxsize=1)
def _types() -> dict[str, str]:
    # Python's own table, which is the same on every machine.
    return MimeTypes().types_map[True]


def _identity(piece: bytes | FilePiece) -> bytes:
    # The prefix distinguishes the path of a file from the same text given as content.
    return b"\0file:" + piece.path.encode() if isinstance(piece, FilePiece) else piece


def _head(part: MultipartField) -> bytes:
    head = b'name="%b"' % _quoted(part.name)
    if part.filename is not None:
        head += b'; filename="%b"' % _quoted(part.filename)
    return head


def _quoted(text: bytes) -> bytes:
    return text.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")


def _joined(pieces: Sequence[bytes | FilePiece]) -> Pieces:
    """Return the pieces, with adjacent bytes joined."""
    found: list[bytes | FilePiece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if isinstance(piece, bytes) and isinstance(last, bytes):
            found[-1] = last + piece
        else:
            found.append(piece)
    return tuple(found)


def _bytes_of(pieces: Sequence[bytes | FilePiece]) -> list[bytes]:
    return [piece for piece in pieces if isinstance(piece, bytes)]
