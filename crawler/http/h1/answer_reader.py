"""Parses the responses of one HTTP/1.1 connection, one after the other (RFC 9112).

The parser is llhttp, through httptools. If it refuses a head or a chunk, these bytes
are parsed again as browsers do. No I/O and no clock.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import httptools
import httpx

from crawler.http.errors import HeaderTooLargeError, UnreadableError
from crawler.http.h1.chunks import ChunkReader
from crawler.http.h1.heads import (
    Framing,
    body_start,
    framing_of,
    may_be_repaired,
    repaired_head,
)
from crawler.http.h1.raw_body import RawReader
from crawler.http.transfer import Fields

__all__ = ["AnswerHead", "AnswerReader"]

_MAX_INFORMATIONAL = 16
#: Maximum number of bytes that a chunked body may need for each byte of data. This
#: allows one-byte chunks, but not endless chunk extensions or empty lines.
_MAX_OVERHEAD = 16
_ALLOWANCE = 128 * 1024
#: If more than this many bytes of a body have not arrived yet, they bypass the parser,
#: to save time. The parser cannot be used afterwards.
_RAW_BYTES = 512 * 1024


class AnswerHead(NamedTuple):
    """The head of a final response (not an informational response, 1xx)."""

    status: int
    reason: bytes
    version: bytes
    fields: Fields
    framing: Framing


class AnswerReader:
    """Parses the bytes that a connection receives into responses.

        reader.is_bodiless = request.method == "HEAD"
        body = reader.feed(data)        # then check: new_head, error, is_ended
        reader.forget()                 # before the next response, unless it is_spent

    This class has over 15 methods and 12 attributes, because they all belong to the
    state of one response. Moving some of them into another object would cost each
    response one percent of its time.
    """

    __slots__ = (
        "_body_size",
        "_fields",
        "_informational",
        "_is_broken",
        "_max_bytes",
        "_max_fields",
        "_overhead",
        "_parser",
        "_past_parser",
        "_pieces",
        "_reason",
        "_start",
        "_trailers",
        "error",
        "framing",
        "is_bodiless",
        "is_ended",
        "is_faulty",
        "is_spent",
        "keeps_alive",
        "new_head",
    )

    def __init__(self, max_fields: int, max_bytes: int) -> None:
        self._max_fields = max_fields
        self._max_bytes = max_bytes
        self._parser = _new_parser(self)
        #: Whether the parser cannot read another response.
        self.is_spent = False
        #: Whether the response has no body, whatever its head says: the request was a
        #: HEAD.
        self.is_bodiless = False
        self.forget()

    def forget(self) -> None:
        """Reset the state for the next response."""
        #: The bytes of an incomplete head, in case it has to be read leniently.
        self._start: bytes = b""
        self._fields: Fields = []
        self._trailers: Fields = []
        self._reason = b""
        self._pieces: list[bytes] = []
        #: Reads the rest of a body that bypasses the parser.
        self._past_parser: ChunkReader | RawReader | None = None
        self._body_size = self._overhead = self._informational = 0
        #: Whether the parser refused a head that may still be read leniently.
        self._is_broken = False
        #: The response's final head, until the caller takes it.
        self.new_head: AnswerHead | None = None
        #: How to find the end of the body (Content-Length, chunks, or the end of the
        #: connection); None until the head is complete.
        self.framing: Framing | None = None
        #: Why the response cannot be read; None if there is no error.
        self.error: Exception | None = None
        self.is_ended = False
        self.keeps_alive = False
        #: Whether invalid bytes arrived, or bytes that belong to no response. Then the
        #: next response on this connection cannot be trusted.
        self.is_faulty = False

    def let_go(self) -> None:
        """Free the parser, to end the reference cycle between parser and reader. The
        reader cannot read afterwards."""
        self._parser = None

    @property
    def has_begun(self) -> bool:
        """Whether a part of the response has arrived."""
        return bool(self._start) or self.framing is not None

    @property
    def has_last_chunk(self) -> bool:
        """Whether the last chunk of a chunked body has arrived. Trailers (header fields
        after the body) may still follow."""
        chunks = self._past_parser
        return isinstance(chunks, ChunkReader) and chunks.has_last_chunk

    def feed(self, data: bytes) -> bytes:
        """Read the next bytes; return the part of the body that they contain.

        Bytes that cannot be read set `error`; nothing is raised.
        """
        if self._past_parser is not None:
            self._feed_past_parser(self._past_parser, data)
        else:
            self._parse(data)
        if self.framing is None:
            if self.error is None and len(self._start) > self._max_bytes:
                self.error = HeaderTooLargeError(
                    f"The response's head has over {self._max_bytes:,} bytes; to "
                    "allow larger heads, raise http.max_headers"
                )
            return b""
        self._start = b""
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._body_size += len(body)
        self._overhead += len(data) - len(body)
        if not self.is_ended and self.error is None:
            self._check_rest()
        return body

    def _parse(self, data: bytes) -> None:
        if self.framing is None:
            self._start += data
        try:
            if self._is_broken:
                raise httptools.HttpParserError(
                    "the response's head is not HTTP; it begins with "
                    f"{self._start[:40]!r}"
                )
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            if not self._goes_on_after(len(data)):
                self.error = self.error or UnreadableError(
                    f"The server did not send valid HTTP/1.1: {exc}"
                )
                self._pieces.clear()
                return
            self.is_faulty = True
        framing = self.framing
        if framing is not None and framing.is_chunked and not self.is_ended:
            self._go_on_in_chunks()

    def _goes_on_after(self, added: int) -> bool:
        """Return whether the rest of the response can be read, although the parser has
        refused the last `added` bytes."""
        is_headed = self.framing is not None and self.framing.is_chunked
        may_go_on = self.error is None and (is_headed or self.is_ended)
        return may_go_on or self._read_leniently(added)

    def _go_on_in_chunks(self) -> None:
        """Read the chunks of the body without the parser, beginning with the first byte
        after the head.

        The parser refuses some chunks that browsers accept, and does not say where it
        stopped.
        """
        self._pieces.clear()
        chunks = ChunkReader(self._max_fields, self._max_bytes)
        self._go_past_parser(chunks)
        self._feed_past_parser(chunks, self._start[body_start(self._start) :])

    def _go_past_parser(self, reader: ChunkReader | RawReader) -> None:
        self._past_parser = reader
        self.is_spent = True
        self.keeps_alive = self._parser.should_keep_alive()

    def _feed_past_parser(self, reader: ChunkReader | RawReader, data: bytes) -> None:
        try:
            self._pieces += reader.feed(data)
        except httpx.RemoteProtocolError as exc:
            self.error = exc
            return
        self.is_ended = reader.is_ended
        self.is_faulty |= bool(reader.surplus)

    def _read_leniently(self, added: int) -> bool:
        """Read the head again as browsers do; return False if it is still invalid.

        `added` is the number of bytes that have just arrived.
        """
        if self.framing is not None or self.error is not None:
            return False
        since = len(self._start) - added if self._is_broken else 0
        if body_start(self._start, since) is None:
            # The head can be repaired only when all of it has arrived.
            self._is_broken = may_be_repaired(self._start, since)
            return self._is_broken
        repaired = repaired_head(self._start)
        if repaired is None:
            return False
        self._is_broken = False
        self._start = repaired
        self._fields, self._reason = [], b""
        self._parser = _new_parser(self, lenient_headers=True)
        try:
            self._parser.feed_data(repaired)
        except httptools.HttpParserError:
            if self._start is not repaired and self.framing is None:
                # The repaired head was that of an informational response (1xx). The
                # parser refuses the next head, too, so repair the next head.
                return self._read_leniently(0)
            return self.framing is not None
        return True

    def _check_rest(self) -> None:
        """If much of the body has not arrived yet, let the rest bypass the parser.

        Set `error` if the chunks of a chunked body have many bytes, but little data.
        """
        framing, size = self.framing, self._body_size
        if self._overhead > _ALLOWANCE + _MAX_OVERHEAD * size:
            self.error = UnreadableError(
                f"The response's chunks use over {_MAX_OVERHEAD} bytes for each byte "
                "of data; this is probably an attack, so the body is not read"
            )
        elif framing is not None and framing.length is not None:
            left = framing.length - size
            if left > _RAW_BYTES and self._past_parser is None:
                self._go_past_parser(RawReader(left))

    # Methods that the parser calls

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        # Fields after the head are trailers: they are counted and dropped.
        fields = self._fields if self.framing is None else self._trailers
        fields.append((name, value))
        if len(fields) > self._max_fields:
            what = "header fields" if self.framing is None else "trailers"
            self.error = HeaderTooLargeError(
                f"The response has over {self._max_fields:,} {what}; to allow more "
                f"{what}, raise http.max_header_count"
            )
            raise self.error

    def on_headers_complete(self) -> None:
        if self.is_ended:
            return
        if len(self._start) > self._max_bytes:
            self._measure_head()
        status = self._parser.get_status_code()
        if status < 200:
            self._take_informational(status)
        else:
            self._take_final(status)

    def _measure_head(self) -> None:
        size = sum(len(name) + len(value) + 4 for name, value in self._fields)
        if size > self._max_bytes:
            self.error = HeaderTooLargeError(
                f"The response's head has {size:,} bytes; to allow over "
                f"{self._max_bytes:,} bytes, raise http.max_headers"
            )
            raise self.error

    def _take_informational(self, status: int) -> None:
        self._informational += 1
        if status == 101:
            self.error = UnreadableError(
                "The server switches protocols (status 101), but the request did not "
                "ask for this"
            )
            raise self.error
        if self._informational > _MAX_INFORMATIONAL:
            self.error = UnreadableError(
                f"The server sent over {_MAX_INFORMATIONAL} informational responses "
                f"before the final one; the last has status {status}"
            )
            raise self.error
        self._fields, self._reason = [], b""
        self._start = self._start[body_start(self._start) :]

    def _take_final(self, status: int) -> None:
        try:
            framing = framing_of(self._fields)
        except UnreadableError as exc:
            self.error = exc
            raise
        self.framing = framing
        if status in (204, 304):
            framing.length, framing.encodings, framing.is_chunked = 0, [], False
        is_old = self._parser.get_http_version() == "1.0"
        version = b"HTTP/1.0" if is_old else b"HTTP/1.1"
        self.new_head = AnswerHead(status, self._reason, version, self._fields, framing)
        if self.is_bodiless:
            # The parser does not know that the request was a HEAD, and would wait for a
            # body.
            self.is_ended = self.is_spent = True
            self.keeps_alive = not (framing.is_closing or is_old)

    def on_body(self, piece: bytes) -> None:
        if self.is_ended:
            self.is_faulty = True
        else:
            self._pieces.append(piece)

    def on_message_begin(self) -> None:
        if self.is_ended:
            self.is_faulty = True

    def on_message_complete(self) -> None:
        if self.framing is not None and not self.is_ended:
            self.is_ended = True
            # Read this flag now, because the parser resets it after the response.
            self.keeps_alive = self._parser.should_keep_alive()


def _new_parser(reader: AnswerReader, *, lenient_headers: bool = False) -> Any:
    """Return a parser that calls the methods `on_...` of this reader.

    With `lenient_headers` the parser accepts control characters in header values.
    """
    parser = httptools.HttpResponseParser(reader)
    # Browsers accept a lone LF as line end; a lone CR stays an error.
    parser.set_dangerous_leniencies(
        lenient_headers=lenient_headers, lenient_optional_cr_before_lf=True
    )
    return parser
