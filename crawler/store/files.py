"""The files that items name, which a job remembers from run to run.

Rule: a file is recorded only after it is complete at its final path. A file that is not
recorded is fetched again, to the same path.
"""

from __future__ import annotations

import unicodedata
from typing import Protocol

import msgspec


class KeptFile(msgspec.Struct, frozen=True):
    """A file that was fetched, and where it is."""

    #: The folder, or the URL of the storage, that holds the file.
    place: str
    #: The URL that the item named.
    url: str
    #: The file's path inside `place`, with "/" between folders.
    path: str
    sha256: str
    size: int
    #: The media type, detected from the content.
    type: str
    #: The ETag header of the response; "" if missing.
    etag: str = ""
    #: The Last-Modified header of the response; "" if missing.
    modified: str = ""
    #: The number of the last run that requested the file.
    run: int = 0


def path_key(path: str) -> str:
    """Return the path in a form that ignores case.

    Two paths have the same key if they name the same file on a disk that ignores case.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


class FileTable(Protocol):
    """The table of the files that a job has fetched. Calls may come from several tasks
    at the same time."""

    async def find(self, place: str, url: str) -> KeptFile | None:
        """Return the file of this URL; None if it was never fetched."""
        ...

    async def at(self, place: str, path: str) -> list[KeptFile]:
        """Return the files at this path, ignoring case."""
        ...

    async def keep(self, file: KeptFile) -> None:
        """Record a file durably; it replaces an older file with the same URL."""
        ...

    async def close(self) -> None:
        """Release the table's resources."""
        ...


class MemoryFileTable:
    """The table of the files that one run has fetched, in memory only."""

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
        """Do nothing: there are no resources."""
