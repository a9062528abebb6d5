"""Reads the rest of a body of known length, without a parser. No I/O."""

__all__ = ["RawReader"]


class RawReader:
    """Reads the rest of a body as it arrives, and keeps bytes that arrive after the
    body's end."""

    __slots__ = ("_left", "surplus")

    def __init__(self, left: int) -> None:
        self._left = left
        #: Bytes after the end of the body.
        self.surplus = b""

    @property
    def is_ended(self) -> bool:
        """Whether the whole body has arrived."""
        return self._left == 0

    def feed(self, data: bytes) -> list[bytes]:
        """Read the next bytes; return the part that belongs to the body."""
        data, self.surplus = data[: self._left], data[self._left :]
        self._left -= len(data)
        return [data]
