"""The part file of an output, which a sink writes before publishing."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.sinks.disk import OpenFile
from crawler.sinks.location import Location


class Part:
    """The part of one location, and its size.

    Every call may block, and raises OSError. A failed call may be repeated.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._file: OpenFile | None = None
        #: Bytes that the sink has written.
        self.size = 0

    def __str__(self) -> str:
        return self._location.part_text or self._location.text

    @property
    def is_open(self) -> bool:
        return self._file is not None

    def open(self, size: int = 0) -> None:
        """Open the part after its first `size` bytes; the rest may be incomplete and is
        cut off."""
        self.close()
        self._file = self._location.open()
        self._file.write(size, b"")
        self.size = size

    def begin(self, pieces: Iterable[bytes]) -> int:
        """Write the beginning of an open part; return its size in bytes."""
        assert self._file is not None
        self._file.write(0, b"")
        self.size = size = 0
        for piece in pieces:
            self._file.write(size, piece)
            size += len(piece)
        self.size = size
        return size

    def append(self, data: bytes) -> None:
        """Write more bytes; they are durable after `sync`."""
        assert self._file is not None
        self._file.write(self.size, data)
        self.size += len(data)

    def append_durably(self, data: bytes) -> None:
        """Write more bytes durably, all or none."""
        assert self._file is not None
        self._file.write(self.size, data)
        self._file.sync()
        self.size += len(data)

    def sync(self) -> None:
        """Wait until the bytes would survive a power cut."""
        assert self._file is not None
        self._file.sync()

    def is_intact(self) -> bool:
        """Return whether no other program has removed or cut the part."""
        return self._location.part_size() == self.size

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        self.close()
        self._location.remove_part()
