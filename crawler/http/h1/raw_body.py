"""The rest of a body of a known length, which no parser has to look at. No I/O."""

__all__ = ["RawReader"]


class RawReader:
    """Takes the rest of a body as it comes, and what comes behind it."""

    __slots__ = ("_left", "surplus")

    def __init__(self, left: int) -> None:
        self._left = left
        #: Bytes that came behind the end.
        self.surplus = b""

    @property
    def is_ended(self) -> bool:
        """Whether all of the body is here."""
        return self._left == 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; give the body's part of them."""
        data, self.surplus = data[: self._left], data[self._left :]
        self._left -= len(data)
        return [data]
