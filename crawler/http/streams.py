"""One stream of an HTTP/2 connection, and its flow control (RFC 9113 section 5.2).

A stream's window is given back as its body is read: what a consumer leaves unread is
bounded by it, and holds back nobody else. No I/O.
"""

from __future__ import annotations

import asyncio

from crawler.http.ticker import NEVER
from crawler.http.transfer import Transfer

__all__ = ["STREAM_WINDOW", "Stream"]

#: What a stream may bring unread: the memory that a stalled one takes.
STREAM_WINDOW = 512 * 1024


class Stream:
    """The connection's part of one transfer: numbers and windows."""

    __slots__ = (
        "due",
        "id",
        "left",
        "receive_window",
        "send_window",
        "to_credit",
        "to_send",
        "transfer",
        "writable",
    )

    def __init__(self, stream_id: int, transfer: Transfer, send_window: int) -> None:
        self.id = stream_id
        #: None once the transfer is abandoned and the rest is only drained.
        self.transfer: Transfer | None = transfer
        #: The ticker's time until which it may be drained.
        self.due = NEVER
        self.send_window = send_window
        self.receive_window = STREAM_WINDOW
        #: Bytes that were consumed and not yet credited.
        self.to_credit = 0
        #: Bytes of the body that Content-Length announces and that are not here.
        self.left: int | None = None
        #: What the peer's window has no room for yet.
        self.to_send: bytes | memoryview = b""
        self.writable: asyncio.Future[None] | None = None

    def credit(self, size: int) -> int:
        """Note that so much was consumed; give by how much the window is to grow.

        In large steps: each is a frame, and the peer has the other half meanwhile.
        """
        self.to_credit += size
        if self.to_credit < STREAM_WINDOW // 2:
            return 0
        more, self.to_credit = self.to_credit, 0
        self.receive_window += more
        return more

    def credit_unread(self) -> int:
        """Note that all that came was consumed, or never will be."""
        return self.credit(STREAM_WINDOW - self.receive_window - self.to_credit)

    def wake(self) -> None:
        """Let whoever sends a body go on: there is room, or no more point."""
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
