"""The part file of an output: the file that a sink writes until the output is
published."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.sinks.disk import OpenFile
from crawler.sinks.location import Location


class Part:
    """The part file of one location (the file that is written until it is published),
    and its size.

    Every method may block, and raises OSError. A failed call may be repeated.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._file: OpenFile | None = None
        #: Number of bytes that the sink has written to the part file.
        self.size = 0

    def __str__(self) -> str:
        return self._location.part_text or self._location.text

    @property
    def is_open(self) -> bool:
        return self._file is not None

    def open(self, size: int = 0) -> None:
        """Open the part file to continue it after its first `size` bytes; later bytes
        may be incomplete and are cut off."""
        self.close()
        self._file = self._location.open()
        self._file.write(size, b"")
        self.size = size

    def begin(self, pieces: Iterable[bytes]) -> int:
        """Remove all bytes of the open part file, and write `pieces`; return their
        size in bytes."""
        assert self._file is not None
        self._file.write(0, b"")
        self.size = size = 0
        for piece in pieces:
            self._file.write(size, piece)
            size += len(piece)
        self.size = size
        return size

    def append(self, data: bytes) -> None:
        """Write bytes at the end of the part file; they are durable after `sync`."""
        assert self._file is not None
        self._file.write(self.size, data)
        self.size += len(data)

    def append_durably(self, data: bytes) -> None:
        """Write bytes at the end of the part file durably; if that fails, none of them
        counts as written."""
        assert self._file is not None
        self._file.write(self.size, data)
        self._file.sync()
        self.size += len(data)

    def sync(self) -> None:
        """Wait until the written bytes would survive a power cut."""
        assert self._file is not None
        self._file.sync()

    def is_intact(self) -> bool:
        """Return whether the part file still has all written bytes; another program may
        have removed or shortened it."""
        return self._location.part_size() == self.size

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        # The file is removed while it is locked, so that no other process has begun to
        # write it.
        try:
            self._location.remove_part()
        finally:
            self.close()
