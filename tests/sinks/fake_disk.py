"""A disk with power failures, which lose everything that was not synced."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from random import Random

from crawler.sinks.disk import OpenFile


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class Power:
    """Counts the steps that reach the disk or the store; ends at the `last`."""

    def __init__(self, last: int | None = None) -> None:
        self._left = last
        self.is_off = False

    def step(self) -> None:
        if self._left is not None:
            self._left -= 1
            self.is_off |= self._left < 0
        if self.is_off:
            raise Killed


class Node:
    """A file's bytes: as the process sees them, and as they are on the platter."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content
        self.synced = content


class FakeDisk:
    """As adverse as the standards allow: bytes and names are lost unless synced."""

    def __init__(self) -> None:
        self.power = Power()
        #: What the names were after each change since the folder was synced.
        self.history: list[dict[Path, Node]] = [{}]
        self.room: int | None = None

    @property
    def names(self) -> dict[Path, Node]:
        return self.history[-1]

    def put(self, path: Path, content: bytes) -> None:
        """A file that was there long before."""
        self.history = [{**self.names, path: Node(content)}]

    def content(self, path: Path) -> bytes | None:
        return self.names[path].content if path in self.names else None

    def cut_power(self, random: Random) -> None:
        """The machine restarts: what was not synced is there, torn, zeros or gone."""
        self.history = [random.choice(self.history)]
        for node in self.names.values():
            node.content = random.choice(
                [node.content, _torn(node, random), node.synced]
            )
            node.synced = node.content

    def make_folder(self, path: Path) -> None:
        self.power.step()

    def size(self, path: Path) -> int | None:
        self.power.step()
        return len(self.names[path].content) if path in self.names else None

    def open(self, path: Path) -> OpenFile:
        self.power.step()
        if path not in self.names:
            self.history.append({**self.names, path: Node()})
        return FakeFile(self, self.names[path])

    def read(self, path: Path) -> Iterator[bytes]:
        self.power.step()
        content = self.names[path].content
        for start in range(0, len(content), 7):
            yield content[start : start + 7]

    def rename(self, source: Path, target: Path) -> None:
        self.power.step()
        names = {**self.names, target: self.names[source]}
        del names[source]
        self.history.append(names)

    def sync_folder(self, path: Path) -> None:
        self.power.step()
        self.history = [self.names]

    def remove(self, path: Path) -> None:
        self.power.step()
        names = {**self.names}
        names.pop(path, None)
        self.history.append(names)


class FakeFile:
    def __init__(self, disk: FakeDisk, node: Node) -> None:
        self._disk = disk
        self._node = node

    def write(self, offset: int, data: bytes) -> None:
        """Half of it, then all of it, then the cut behind it."""
        node, rest = self._node, self._node.content[offset + len(data) :]
        head = node.content[:offset].ljust(offset, b"\0")
        for part in (data[: len(data) // 2], data):
            self._disk.power.step()
            if self._disk.room is not None and offset + len(part) > self._disk.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            node.content = head + part + node.content[offset + len(part) :]
        self._disk.power.step()
        assert node.content == head + data + rest
        node.content = head + data

    def sync(self) -> None:
        self._disk.power.step()
        self._node.synced = self._node.content

    def close(self) -> None:
        self._disk.power.step()


def _torn(node: Node, random: Random) -> bytes:
    """What is the same before and after stays; behind it, garbage of any length."""
    kept = 0
    for before, after in zip(node.synced, node.content, strict=False):
        if before != after:
            break
        kept += 1
    size = random.randint(kept, max(len(node.content), kept))
    middle = random.randint(kept, size)
    return node.content[:middle].ljust(size, b"\0")
