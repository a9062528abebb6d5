"""The location of an output: a file on this machine, or an object in a bucket.

Rule: an output appears complete or not at all. Bytes are written to a part (a file with
another name, such as `books.jsonl.part`); `publish` renames the part file in one step.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePath

from crawler.sinks.disk import LOCAL, Disk, OpenFile


# This class has over 15 methods, because the part file and the published output each
# need methods of their own, and a sink uses both.
class Location(ABC):
    """The location of one output. Every method may block and raises OSError.

    `GrowingFile` and `StoredFile` write any format to any location. A subclass must
    implement the abstract methods. The part file need not outlive the process: then
    `part_size` returns None in the next process, and all items are written again.
    """

    @property
    @abstractmethod
    def text(self) -> str:
        """The path or URL of the output, as a person sees it; locations with equal
        texts are the same."""

    @property
    def part_text(self) -> str | None:
        """The path of the part file, which has the bytes until the output is published;
        None if the part file does not outlive the process."""
        return None

    def mark(self) -> str:
        """Return a text that changes when the published output changes, such as an
        ETag.

        "" if the sizes of the part file and of the published output are enough to see a
        change.
        """
        return ""

    def exists(self) -> bool:
        """Return whether there is a published output."""
        return self.size() is not None

    @abstractmethod
    def size(self) -> int | None:
        """Return the size in bytes of the published output; None if there is none."""

    @abstractmethod
    def read(self) -> Iterator[bytes]:
        """Yield the bytes of the published output in pieces."""

    def prepare(self) -> None:  # noqa: B027  # most places need no preparation
        """Prepare the location, for example create its folder. Raises OSError if the
        location cannot be written."""

    def part_size(self) -> int | None:
        """Return the size in bytes of the part file, which an earlier process may have
        written; None if there is no part."""
        return None

    @abstractmethod
    def open(self) -> OpenFile:
        """Open the part file, or create an empty one.

        Raises BlockingIOError if another process writes the same part file.
        """

    @abstractmethod
    def publish(self) -> None:
        """Publish the part file in one step, and wait until the published output would
        survive a power cut."""

    def holds_part(self) -> bool:
        """Return whether the published output already has the bytes of the part file.

        That is so if an earlier `publish` took effect although its response was lost. A
        location where this cannot happen always returns False.
        """
        return False

    def settle(self) -> None:  # noqa: B027  # only a file system can lose names
        """Wait until the result of an earlier `publish` would survive a power cut."""

    @abstractmethod
    def remove_part(self) -> None:
        """Remove the part file, if it exists."""

    @abstractmethod
    def remove(self) -> None:
        """Remove the published output, if it exists."""

    @abstractmethod
    def beside(self, label: str) -> Location:
        """Return a location that publishes the same part file under another name.

        The name contains `label`: `books.jsonl` becomes `books.LABEL.jsonl`.
        """

    @abstractmethod
    def named(self, name: str) -> Location:
        """Return the location of another file in the same folder."""


# This class has over 15 methods, because it implements those of a Location; each has a
# line or two.
class LocalFile(Location):
    """A file on this machine, written as `NAME.part` and published by renaming it."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        disk: Disk = LOCAL,
        part: Path | None = None,
    ) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  # no disk access
        self._part = part or self.path.with_name(self.path.name + ".part")
        self._disk = disk

    @property
    def text(self) -> str:
        return str(self.path)

    @property
    def part_text(self) -> str:
        return str(self._part)

    def exists(self) -> bool:
        try:
            return self.size() is not None
        except IsADirectoryError:
            return True
        except OSError:
            # the file cannot be read; `prepare` will report why
            return False

    def size(self) -> int | None:
        return self._disk.size(self.path)

    def read(self) -> Iterator[bytes]:
        return self._disk.read(self.path)

    def prepare(self) -> None:
        self._disk.make_folder(self.path.parent)

    def part_size(self) -> int | None:
        return self._disk.size(self._part)

    def open(self) -> OpenFile:
        return self._disk.open(self._part)

    def publish(self) -> None:
        self._disk.rename(self._part, self.path)
        self.settle()

    def holds_part(self) -> bool:
        """Return False: renaming a file removes the part file, so the published file
        and the part are never the same."""
        return False

    def settle(self) -> None:
        self._disk.sync_folder(self.path.parent)

    def remove_part(self) -> None:
        self._disk.remove(self._part)

    def remove(self) -> None:
        self._disk.remove(self.path)

    def beside(self, label: str) -> LocalFile:
        path = self.path.with_name(labelled(self.path.name, label))
        return LocalFile(path, disk=self._disk, part=self._part)

    def named(self, name: str) -> LocalFile:
        return LocalFile(self.path.with_name(name), disk=self._disk)


#: File extensions of compressed files, after the extension of the format, as in
#: `books.jsonl.gz`.
PACKED = (".gz", ".zst")


def labelled(name: str, label: str) -> str:
    """Return a file name with `label` before its extensions."""
    found = stem(name)
    return f"{found}.{label}{name.removeprefix(found)}"


def stem(text: str) -> str:
    """Return a file name without its folder and its extensions."""
    name = text.rpartition("/")[2]
    path = PurePath(name)
    endings = path.suffix
    if endings in PACKED:
        endings = path.with_suffix("").suffix + endings
    return name.removesuffix(endings)
