"""Reads chunked bodies (RFC 9112 section 7.1) as leniently as curl and browsers do.

Spaces or an extension may follow a chunk's size, and a line may end with LF alone.
llhttp refuses some of these bodies, and does not say where it stopped. No I/O, no
clock.
"""

import re

from crawler.http.errors import HeaderTooLargeError, UnreadableError
from crawler.web.lazy_regex import lazy_regex

__all__ = ["ChunkReader"]

#: The line before a chunk: its size in hexadecimal, then spaces or an extension.
_SIZE_LINE = lazy_regex(rb"([0-9A-Fa-f]{1,15})(?:[ \t;].*)?", re.DOTALL)
_BLANKS = b" \t\r"
#: Maximum length of a line between chunks, with its extension; a longer line is an
#: error.
_MAX_LINE = 16 * 1024
#: Cache: by line before a chunk, the size that the line contains. Some servers send
#: thousands of one-byte chunks.
_known_sizes: dict[bytes, int] = {}


class ChunkReader:
    """Reads a chunked body as it arrives, and returns the data of the chunks."""

    __slots__ = (
        "_is_behind_chunk",
        "_left",
        "_max_trailer_bytes",
        "_max_trailers",
        "_rest",
        "_trailer_bytes",
        "_trailers",
        "has_last_chunk",
        "is_ended",
    )

    def __init__(self, max_trailers: int, max_trailer_bytes: int) -> None:
        self._max_trailers = max_trailers
        self._max_trailer_bytes = max_trailer_bytes
        self._trailers = self._trailer_bytes = 0
        #: Number of bytes of the current chunk that are still missing.
        self._left = 0
        #: Whether the chunk is complete, but the line end after the chunk is still
        #: missing.
        self._is_behind_chunk = False
        #: The part of an incomplete line that has arrived.
        self._rest = b""
        #: Whether the chunk of size 0 has arrived, so that the body is complete.
        self.has_last_chunk = False
        #: Whether the empty line after the trailers (header fields after the body) has
        #: arrived, so that the response is complete.
        self.is_ended = False

    @property
    def surplus(self) -> bytes:
        """Return the bytes after the end of the body."""
        return self._rest if self.is_ended else b""

    def feed(self, data: bytes) -> list[bytes]:
        """Read the next bytes; return the pieces of the body in them.

        Raises UnreadableError if a chunk is malformed, and HeaderTooLargeError if the
        trailers (header fields after the body) exceed the limits.
        """
        pieces: list[bytes] = []
        data, at, left = self._rest + data, 0, self._left
        find, size_of = data.find, _known_sizes.get
        while not self.is_ended:
            if left:
                piece = data[at : at + left]
                pieces.append(piece)
                at += len(piece)
                left -= len(piece)
                if left:
                    break
                self._is_behind_chunk = data[at : at + 2] != b"\r\n"
                if not self._is_behind_chunk:
                    at += 2
            end = find(b"\n", at)
            if end < 0:
                if len(data) - at > _MAX_LINE:
                    raise UnreadableError(
                        "A line between the chunks of the response's body has over "
                        f"{_MAX_LINE:,} bytes"
                    )
                break
            line, at = data[at:end], end + 1
            if self._is_behind_chunk or self.has_last_chunk:
                self._take_line(line)
            else:
                left = size_of(line) or self._size(line)
        self._left, self._rest = left, data[at:]
        return pieces

    def _take_line(self, line: bytes) -> None:
        """Read a line that is not a chunk's size: the empty line after a chunk, or a
        trailer."""
        is_empty = not line.strip(_BLANKS)
        if self._is_behind_chunk and not is_empty:
            raise UnreadableError(
                "A chunk of the response's body is longer than the size that the "
                "server sent before this chunk"
            )
        if self._is_behind_chunk:
            self._is_behind_chunk = False
        elif is_empty:
            self.is_ended = True
        else:
            self._take_trailer(line)

    def _size(self, line: bytes) -> int:
        found = _SIZE_LINE.fullmatch(line.rstrip(_BLANKS))
        if found is None:
            raise UnreadableError(
                f"The response's body has {line[:20]!r} in place of a chunk's size"
            )
        size = int(found[1], 16)
        if not size:
            self.has_last_chunk = True
        elif len(line) < 6 and len(_known_sizes) < 1000:
            _known_sizes[line] = size
        return size

    def _take_trailer(self, line: bytes) -> None:
        """Count a trailer (a header field after the body), and drop it."""
        self._trailers += 1
        self._trailer_bytes += len(line)
        if self._trailers > self._max_trailers:
            raise HeaderTooLargeError(
                f"The response has over {self._max_trailers:,} trailers; to allow "
                "more trailers, raise http.max_header_count"
            )
        if self._trailer_bytes > self._max_trailer_bytes:
            raise HeaderTooLargeError(
                "The trailers of the response have over "
                f"{self._max_trailer_bytes:,} bytes; to allow larger trailers, raise "
                "http.max_headers"
            )
