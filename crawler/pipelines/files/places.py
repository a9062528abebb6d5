"""Where the pipeline `Files` stores files: the protocol of a folder or an object
storage, and the class for a folder on this machine.

Rule: a file appears in the folder or storage complete or not at all. Every method may
block, so callers use a thread.
"""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Protocol

from crawler.message.saving import sync_folder


class FilePlace(Protocol):
    """A folder or an object storage for files. Methods take a file's path in this
    folder or object storage, with "/" between folders."""

    @property
    def name(self) -> str:
        """The name that identifies this folder or object storage in the table of
        downloaded files, which the job's database has."""
        ...

    @property
    def parts(self) -> Path:
        """The local folder for files that are being downloaded."""
        ...

    def prepare(self) -> None:
        """Prepare the folder or object storage for writing. Raises OSError or
        ConfigError if writing is not possible."""
        ...

    def text(self, path: str) -> str:
        """Return the path or URL that items contain for the file at `path`."""
        ...

    def size(self, path: str) -> int | None:
        """Return the size in bytes of the file at a path; None if there is no file."""
        ...

    def digest(self, path: str) -> str:
        """Return the SHA-256 of the file at a path, in hexadecimal."""
        ...

    def read(self, path: str) -> bytes:
        """Return the bytes of the file at a path."""
        ...

    def put(self, part: Path, path: str) -> None:
        """Move the complete file `part` to a path, durably; it replaces an existing
        file."""
        ...

    def close(self) -> None:
        """Release the resources that `prepare` took."""
        ...


class LocalFolder:
    """A folder on this machine; files being downloaded are in its subfolder
    `.parts`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        return self._folder.as_posix()

    @property
    def parts(self) -> Path:
        return self._folder / ".parts"

    def prepare(self) -> None:
        self.parts.mkdir(parents=True, exist_ok=True)
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise PermissionError(
                errno.EACCES, "this process has no permission to write to the folder"
            )

    def text(self, path: str) -> str:
        return (self._folder / path).as_posix()

    def size(self, path: str) -> int | None:
        try:
            found = (self._folder / path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size

    def digest(self, path: str) -> str:
        with (self._folder / path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def read(self, path: str) -> bytes:
        return (self._folder / path).read_bytes()

    def put(self, part: Path, path: str) -> None:
        target = self._folder / path
        made = _make_folders(target.parent)
        part.replace(target)
        for folder in (target.parent, *made):
            sync_folder(folder)

    def close(self) -> None:
        """Remove the folder of unfinished downloads if it is empty."""
        try:
            self.parts.rmdir()
        except OSError:
            return  # the folder has unfinished downloads of this or another crawl


def _make_folders(folder: Path) -> list[Path]:
    """Create a folder with its missing parents; return the folders in which a new
    folder was created."""
    holders = []
    for each in (folder, *folder.parents):
        if each.exists():
            break
        holders.append(each.parent)
    folder.mkdir(parents=True, exist_ok=True)
    return holders
