"""A part: the local file that receives the bytes of a download until it is complete.

Rule: a part file can be continued only with its validator (ETag or Last-Modified),
which says to which version of the file the bytes belong. Callers use a thread for the
methods that use the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import BinaryIO

import msgspec

from crawler.message.locked_file import open_locked
from crawler.web.media_type import SNIFFED_BYTES

#: Number of received bytes that are collected in memory before they are written.
BATCH = 1024**2
_CHUNK = 1024**2


class PartState(msgspec.Struct):
    """The URL and the validator of a download, stored in a file beside its part."""

    url: str
    #: The ETag or Last-Modified with which the missing bytes can be requested.
    validator: str


class PartFile:
    """The part file for the download of one URL: a local file in `folder`, whose name
    is a digest of the URL."""

    def __init__(self, folder: Path, url: str) -> None:
        name = hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
        self._url = url
        self._path = folder / f"{name}.part"
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._waiting: list[bytes] = []
        #: Number of bytes received so far, including those in memory.
        self.size = 0
        #: Number of bytes that are only in memory.
        self.gathered = 0
        self.validator = ""
        #: The first bytes of the file, from which its media type is found.
        self.head = b""

    @property
    def path(self) -> Path:
        """The path of the part file, which is complete after `finish`."""
        return self._path

    def take_up(self) -> None:
        """Continue the part file that an earlier process has left, if it has a
        validator and no other process uses it. Call this method in a thread."""
        try:
            state = msgspec.json.decode(self._beside.read_bytes(), type=PartState)
        except (OSError, msgspec.DecodeError):
            return
        if state.url != self._url or not self._opened(new=False):
            return
        file = self._file
        assert file is not None
        file.seek(0)
        while piece := file.read(_CHUNK):
            self._digest.update(piece)
            self.head = self.head or piece[:SNIFFED_BYTES]
            self.size += len(piece)
        self.validator = state.validator

    def restart(self, validator: str) -> None:
        """Drop all bytes, because the download begins again; `validator` is that of the
        file's new version."""
        self._digest = hashlib.sha256()
        self._waiting, self.size, self.gathered = [], 0, 0
        self.head = b""
        self.validator = validator

    def add(self, piece: bytes) -> None:
        """Collect the next bytes of the body in memory; `flush` writes them."""
        self._waiting.append(piece)
        if len(self.head) < SNIFFED_BYTES:
            self.head = (self.head + piece)[:SNIFFED_BYTES]
        self.gathered += len(piece)
        self.size += len(piece)

    def flush(self) -> None:
        """Write the collected bytes, so that the part file can be continued. Call this
        method in a thread."""
        self._write(is_last=False)

    def _write(self, *, is_last: bool) -> None:
        waiting, self._waiting = self._waiting, []
        start = self.size - self.gathered
        if self._file is None:
            self._opened(new=True)
        file = self._file
        assert file is not None
        if start == 0:
            file.truncate(0)
            if not is_last:
                self._note()
        file.seek(start)
        for piece in waiting:
            self._digest.update(piece)
            file.write(piece)
        file.flush()
        self.gathered = 0

    def finish(self) -> str:
        """Write the last bytes durably; return the SHA-256 of the whole file in
        hexadecimal. Call this method in a thread, and then `landed`, `leave` or
        `discard`: until then no other process can write the file."""
        self._write(is_last=True)
        assert self._file is not None
        self._file.truncate(self.size)
        os.fsync(self._file.fileno())
        return self._digest.hexdigest()

    def leave(self) -> None:
        """Keep the part file if it can be continued, else remove it. Call this method
        in a thread."""
        if self._file is None:
            return
        if self.validator and self.size - self.gathered > 0:
            self._release()
        else:
            self.discard()

    def discard(self) -> None:
        """Remove the part file. Call this method in a thread."""
        self.restart("")
        # The file is removed while it is locked, so that no other process has begun to
        # write it.
        try:
            self._path.unlink(missing_ok=True)
            self._beside.unlink(missing_ok=True)
        finally:
            self._release()

    def landed(self) -> None:
        """Remove the file with the validator, because the part file was moved to its
        final path. Call this method in a thread."""
        try:
            self._beside.unlink(missing_ok=True)
        finally:
            self._release()

    @property
    def _beside(self) -> Path:
        return self._path.with_suffix(".json")

    def _opened(self, *, new: bool) -> bool:
        """Open the part file for this process alone; return whether it is open.

        With `new` the part file is created if needed, under another name if another
        process uses it. Without `new` a part file that is missing or in use is not
        opened.
        """
        for _ in range(2):
            try:
                flags = os.O_RDWR | (os.O_CREAT if new else 0)
                number = open_locked(self._path, flags)
            except FileNotFoundError:
                if not new:
                    return False
                self._path.parent.mkdir(parents=True, exist_ok=True)
                continue
            except BlockingIOError:
                if not new:
                    return False
                name = f"{self._path.stem}.{secrets.token_hex(4)}.part"
                self._path = self._path.with_name(name)
                continue
            # No context manager, because the file stays open while bytes arrive.
            self._file = os.fdopen(number, "r+b")
            return True
        raise OSError(
            f"the part file {self._path} cannot be opened, because another process "
            "uses it or removed its folder; give each crawl a folder of its own"
        )

    def _note(self) -> None:
        """Write the validator to a file beside the part file, before the part file gets
        its first byte."""
        if self.validator:
            state = PartState(self._url, self.validator)
            self._beside.write_bytes(msgspec.json.encode(state))
        else:
            self._beside.unlink(missing_ok=True)

    def _release(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
