"""The place of an output: a file of this machine, an object in a bucket.

Rule: an output appears whole. Bytes go to a part that no reader takes for the output;
`publish` puts the part in place in one step.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePath

from crawler.sinks.disk import LOCAL, Disk, OpenFile


# Over 15 methods: a part and a place have each their own, and a sink needs both.
class Location(ABC):
    """One place for one output. Every method may block and raises OSError.

    `GrowingFile` and `StoredFile` write any format to any location. A location of your
    own implements the abstract methods; `StoredFile` needs no part that survives the
    process, so `part_size` may always be None.
    """

    @property
    @abstractmethod
    def text(self) -> str:
        """The place as a person writes it; two locations with one text are one."""

    @property
    def part_text(self) -> str | None:
        """Where the bytes are before they are published; None if they do not outlive
        the process."""
        return None

    def mark(self) -> str:
        """A text that changes when something else is put in place; "" if the sizes of
        place and part tell as much."""
        return ""

    def exists(self) -> bool:
        """Whether something is in place."""
        return self.size() is not None

    @abstractmethod
    def size(self) -> int | None:
        """The size in bytes of what is in place; None if nothing is."""

    @abstractmethod
    def read(self) -> Iterator[bytes]:
        """What is in place, in pieces."""

    def prepare(self) -> None:  # noqa: B027  # most places need no preparation
        """Make the place ready; OSError if nothing can be written there."""

    def part_size(self) -> int | None:
        """The size of a part that an earlier process left; None if there is none."""
        return None

    @abstractmethod
    def open(self) -> OpenFile:
        """Open the part, or make an empty one. BlockingIOError if another process
        writes the same part."""

    @abstractmethod
    def publish(self) -> None:
        """Put the part in place in one step; return when that survives a power cut."""

    def holds_part(self) -> bool:
        """Whether what is in place has the bytes of the part: an earlier `publish` came
        through, though its answer was lost. False if that cannot happen here."""
        return False

    def settle(self) -> None:  # noqa: B027  # only a file system forgets names
        """Return when an earlier `publish` would survive a power cut."""

    @abstractmethod
    def remove_part(self) -> None:
        """Remove the part, if there is one."""

    @abstractmethod
    def remove(self) -> None:
        """Remove what is in place, if anything is."""

    @abstractmethod
    def beside(self, label: str) -> Location:
        """The place of this output's part under another name, which holds `label`:
        `books.jsonl` becomes `books.LABEL.jsonl`."""

    @abstractmethod
    def named(self, name: str) -> Location:
        """Another place in the same folder."""


# Over 15 methods: those of a Location, of which each is a line.
class LocalFile(Location):
    """A file, written as `NAME.part` and published by a rename."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        disk: Disk = LOCAL,
        part: Path | None = None,
    ) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  # asks the disk nothing
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
            return False  # `prepare` explains it

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
        """Whether what is in place has the bytes of the part: an earlier `publish` came
        through, though its answer was lost. False if that cannot happen here."""
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


#: Endings that stand behind the ending of the format.
PACKED = (".gz", ".zst")


def labelled(name: str, label: str) -> str:
    """A file's name with `label` before its endings."""
    found = stem(name)
    return f"{found}.{label}{name.removeprefix(found)}"


def stem(text: str) -> str:
    """The name of a file without its folder and its endings."""
    name = text.rpartition("/")[2]
    path = PurePath(name)
    endings = path.suffix
    if endings in PACKED:
        endings = path.with_suffix("").suffix + endings
    return name.removesuffix(endings)
