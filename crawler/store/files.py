"""Files that items name, as a job knows them from run to run.

Rule: a row is kept only after its file is whole and in its place. A file without a row
is fetched again, to the same place.
"""

from __future__ import annotations

import unicodedata
from typing import Protocol

import msgspec


class KeptFile(msgspec.Struct, frozen=True):
    """A file that was fetched, and where it lies."""

    #: The folder, or the URL of the storage, that holds the file.
    place: str
    #: The URL that the item named.
    url: str
    #: The file's path in the place, with "/" between folders.
    path: str
    sha256: str
    size: int
    #: The media type, by its content.
    type: str
    #: What the server answered: ETag and Last-Modified; "" for none.
    etag: str = ""
    modified: str = ""
    #: The run that has asked for it last.
    run: int = 0


def path_key(path: str) -> str:
    """The path as a disk may see it that ignores case: equal for paths that would be
    one file there."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


class FileTable(Protocol):
    """The files of a job. Calls may come from several tasks at once."""

    async def find(self, place: str, url: str) -> KeptFile | None:
        """The file of this URL; None: it was never fetched."""
        ...

    async def at(self, place: str, path: str) -> list[KeptFile]:
        """The files at this path, whatever its case."""
        ...

    async def keep(self, file: KeptFile) -> None:
        """Record a file durably, instead of an older one of its URL."""
        ...

    async def close(self) -> None:
        """Release what the table holds."""
        ...


class MemoryFileTable:
    """The files of one run, forgotten with the process."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], KeptFile] = {}
        self._at: dict[tuple[str, str], dict[str, KeptFile]] = {}

    async def find(self, place: str, url: str) -> KeptFile | None:
        return self._files.get((place, url))

    async def at(self, place: str, path: str) -> list[KeptFile]:
        return list(self._at.get((place, path_key(path)), {}).values())

    async def keep(self, file: KeptFile) -> None:
        older = self._files.get((file.place, file.url))
        if older is not None:
            del self._at[older.place, path_key(older.path)][older.url]
        self._files[file.place, file.url] = file
        self._at.setdefault((file.place, path_key(file.path)), {})[file.url] = file

    async def close(self) -> None:
        """Nothing to release."""
