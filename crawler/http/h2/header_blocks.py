"""Reads header blocks: joins their frames, and decodes them.

A block is a HEADERS frame and the CONTINUATION frames that follow it directly (RFC 9113
sections 4.3, 6.2 and 6.10). Every block is decoded, even if its stream is closed,
because it changes the HPACK table. A block that cannot be decoded ends the connection.
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

#: Maximum number of frames of one header block.
_MAX_FRAMES = 64


class BlockReader:
    """Reads the header blocks of one connection."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._decoder = HeaderDecoder(max_bytes)
        #: The HEADERS frame of an incomplete header block: only CONTINUATION frames may
        #: follow. None if no block is incomplete.
        self.open: Frame | None = None
        #: The parts of the incomplete header block that have arrived.
        self._parts: list[bytes] = []
        #: Size in bytes of the last header block, as received.
        self.size = 0

    def begin(self, frame: Frame) -> Fields | None:
        """Read a HEADERS frame; return the header fields, or None if a CONTINUATION
        frame must follow. Raise FrameError if the header block cannot be decoded."""
        block = frame.payload
        if frame.flags & (frames.PADDED | frames.PRIORITY_FLAG):
            block = frames.payload_of(frame)
        if frame.flags & frames.END_HEADERS:
            return self._decode(block)
        self.open, self._parts = frame, [block]
        return None

    def go_on(self, frame: Frame) -> tuple[Frame, Fields] | None:
        """Read a CONTINUATION frame; return the block's HEADERS frame and its header
        fields, or None if the header block is still incomplete.

        The HEADERS frame has the END_STREAM flag. Raises FrameError if the header block
        is too large or cannot be decoded.
        """
        first, parts = self.open, self._parts
        if first is None or frame.stream_id != first.stream_id:
            raise FrameError(
                ErrorCode.PROTOCOL_ERROR,
                f"The server's CONTINUATION frame on stream {frame.stream_id} follows "
                "no HEADERS frame of this stream (RFC 9113 section 6.10)",
            )
        parts.append(frame.payload)
        if sum(map(len, parts)) > self._max_bytes:
            self._refuse_size()
        if len(parts) > _MAX_FRAMES:
            _refuse(
                f"A header block of the response has over {_MAX_FRAMES} HTTP/2 frames, "
                "which is probably an attack"
            )
        if not frame.flags & frames.END_HEADERS:
            return None
        self.open, self._parts = None, []
        return first, self._decode(b"".join(parts))

    def _decode(self, block: bytes) -> Fields:
        self.size = len(block)
        try:
            return self._decoder.decode(block)
        except OversizedError:
            self._refuse_size()
        except CompressionError as exc:
            raise FrameError(
                ErrorCode.COMPRESSION_ERROR,
                f"The server's header fields cannot be decoded: {exc} "
                "(RFC 9113 section 4.3)",
            ) from exc

    def _refuse_size(self) -> NoReturn:
        _refuse(
            f"A header block of the response has over {self._max_bytes:,} bytes; to "
            "allow larger header blocks, raise http.max_headers"
        )


def _refuse(why: str) -> NoReturn:
    # End the connection: without decoding this header block, the HPACK table would
    # differ from the peer's.
    error = HeaderTooLargeError(why)
    raise FrameError(ErrorCode.ENHANCE_YOUR_CALM, str(error), error)
