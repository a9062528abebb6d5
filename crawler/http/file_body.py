"""A request body that contains files; they are read from the disk as they are sent."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import httpx

from crawler.errors import FetchError, Reason
from crawler.request import Request
from crawler.web.multipart import FilePiece, Pieces

__all__ = ["FileBody"]

_PIECE = 256 * 1024


class FileBody(httpx.AsyncByteStream):
    """Yields a request's body piece by piece; a second try reads the files again.

    `length` is the sum of all sizes, measured before sending. If a file has become
    shorter since, FetchError is raised.
    """

    def __init__(self, pieces: Pieces, sizes: list[int], url: str) -> None:
        self.length = sum(sizes)
        self._pieces = pieces
        self._sizes = sizes
        self._url = url

    @classmethod
    async def of(cls, request: Request) -> FileBody:
        """Return the body of a request. Raise FetchError if one of its files does not
        exist."""
        pieces, url = request.options.pieces, request.url
        sizes = await anyio.to_thread.run_sync(_sizes, pieces, url)
        return cls(pieces, sizes, url)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece, size in zip(self._pieces, self._sizes, strict=True):
            if isinstance(piece, bytes):
                yield piece
            else:
                async for part in self._read(piece.path, size):
                    yield part

    async def _read(self, path: str, size: int) -> AsyncIterator[bytes]:
        try:
            async with await anyio.open_file(path, "rb") as file:
                while size:
                    part = await file.read(min(size, _PIECE))
                    if not part:
                        why = (
                            f"The file {path} has become shorter while it was sent; do "
                            "not change a file that is being sent"
                        )
                        raise _error(why, self._url)
                    size -= len(part)
                    yield part
        except OSError as exc:
            why = f"The file {path} cannot be sent: {exc.strerror or exc}"
            raise _error(why, self._url) from exc


def _sizes(pieces: Pieces, url: str) -> list[int]:
    return [
        _size(piece.path, url) if isinstance(piece, FilePiece) else len(piece)
        for piece in pieces
    ]


def _size(path: str, url: str) -> int:
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", "") or exc
        raise _error(f"The file {path} cannot be sent: {why}", url) from exc
    if not stat.S_ISREG(found.st_mode):
        why = (
            f"The path {path} cannot be sent, because it is not that of a regular file"
        )
        raise _error(why, url)
    return found.st_size


def _error(message: str, url: str) -> FetchError:
    return FetchError(Reason.FILE_ERROR, message, url=url)
