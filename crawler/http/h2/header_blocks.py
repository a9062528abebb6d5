"""Header blocks as they come: frames put together, and what they say.

A block is HEADERS and the CONTINUATIONs that follow without a gap (RFC 9113 sections
4.3, 6.2 and 6.10). Every one is decoded, wanted or not, for it changes the table that
both ends keep; one that cannot be ends the connection.
"""

from typing import NoReturn

from crawler.http.errors import HeaderTooLargeError
from crawler.http.h2 import frames
from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.frames import Frame, FrameError
from crawler.http.h2.hpack_decoder import (
    CompressionError,
    HeaderDecoder,
    OversizedError,
)
from crawler.http.transfer import Fields

__all__ = ["BlockReader"]

_MAX_CONTINUATIONS = 64


class BlockReader:
    """Reads the blocks of one connection's answers."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._decoder = HeaderDecoder(max_bytes)
        #: The HEADERS of a block that goes on, so that nothing but CONTINUATION may
        #: follow, and what it has brought so far.
        self.open: Frame | None = None
        self._parts: list[bytes] = []
        #: How long the last one was, packed.
        self.size = 0

    def begin(self, frame: Frame) -> Fields | None:
        """Take HEADERS; give the fields unless they are to be continued."""
        block = frame.payload
        if frame.flags & (frames.PADDED | frames.PRIORITY_FLAG):
            block = frames.payload_of(frame)
        if frame.flags & frames.END_HEADERS:
            return self._decode(block)
        self.open, self._parts = frame, [block]
        return None

    def go_on(self, frame: Frame) -> tuple[Frame, Fields] | None:
        """Take CONTINUATION; at its end give the HEADERS of the block, and its fields.

        It was HEADERS that said whether the stream ends.
        """
        first, parts = self.open, self._parts
        if first is None or frame.stream_id != first.stream_id:
            raise FrameError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        parts.append(frame.payload)
        if len(parts) > _MAX_CONTINUATIONS or sum(map(len, parts)) > self._max_bytes:
            self._refuse()
        if not frame.flags & frames.END_HEADERS:
            return None
        self.open, self._parts = None, []
        return first, self._decode(b"".join(parts))

    def _decode(self, block: bytes) -> Fields:
        self.size = len(block)
        try:
            return self._decoder.decode(block)
        except OversizedError:
            self._refuse()
        except CompressionError as exc:
            raise FrameError(ErrorCode.COMPRESSION_ERROR, f"HPACK: {exc}") from exc

    def _refuse(self) -> NoReturn:
        # What is not decoded would be missing in the table.
        error = HeaderTooLargeError(
            f"The head is larger than {self._max_bytes:,} bytes"
        )
        raise FrameError(ErrorCode.ENHANCE_YOUR_CALM, str(error), error)
