"""Receives one file: requests the whole file or its missing bytes, and writes the bytes
that arrive to a part file.

Rule: the bytes on disk always belong to the version that the validator (ETag or
Last-Modified) names. If another version arrives, the download begins again (RFC 9110,
13.1.5 and 14).
"""

from __future__ import annotations

import re

import anyio
import msgspec
from anyio import to_thread

from crawler.errors import FetchError, Reason
from crawler.pipelines.files.content_type import is_wanted, type_of
from crawler.pipelines.files.part_file import BATCH, PartFile
from crawler.request import Request
from crawler.response import Response
from crawler.store.files import KeptFile
from crawler.web.content_disposition import file_name
from crawler.web.file_names import name_in_url
from crawler.web.http_dates import parse_date
from crawler.web.media_type import SNIFFED_BYTES

NOT_MODIFIED, PARTIAL, UNSATISFIABLE = 304, 206, 416
#: Statuses besides 2xx that are accepted: 304, the file from an earlier run is current;
#: 416, the server's file is not longer than the bytes received before.
STATUSES = (NOT_MODIFIED, UNSATISFIABLE)

_OURS = frozenset(
    {"accept-encoding", "range", "if-range", "if-none-match", "if-modified-since"}
)
#: A Last-Modified date identifies one version of a file only if it is at least this
#: many seconds older than the response's Date (RFC 9110, 8.8.2.2).
_STEADY = 60
_RANGE = re.compile(r"bytes\s+(\d+)-\d+/(?:\d+|\*)", re.I)


class FileLimits(msgspec.Struct, frozen=True):
    """Which media types and sizes of files are accepted."""

    #: Accepted media types such as "image/png" and "image/*"; empty: all.
    types: tuple[str, ...] = ()
    #: Maximum size of a file in bytes.
    max_size: int = 1024**3


class FileReceiver:
    """Receives the file of one URL into a part file, in one or several tries."""

    def __init__(
        self, part: PartFile, limits: FileLimits, kept: KeptFile | None
    ) -> None:
        self._part = part
        self._limits = limits
        #: The file that an earlier run fetched from the same URL, or None.
        self._kept = kept
        #: Whether the server has responded that the earlier run's file is current.
        self.is_unchanged = False
        self.sha256 = ""
        #: The size of the file in bytes.
        self.size = 0
        self.name = ""
        self.type = ""
        self.etag = ""
        self.modified = ""

    def request(self, request: Request) -> Request:
        """Return `request` with headers that ask for the missing end of the file, or
        for the whole file. If an earlier run has fetched the file, the headers ask for
        the file only if it has changed since."""
        headers = [p for p in request.options.headers if p[0].lower() not in _OURS]
        # The missing end of a compressed body could not be requested by its offset.
        headers.append(("Accept-Encoding", "identity"))
        if self._part.size:
            headers.append(("Range", f"bytes={self._part.size}-"))
            headers.append(("If-Range", self._part.validator))
        elif self._kept is not None and self._kept.etag:
            headers.append(("If-None-Match", self._kept.etag))
        elif self._kept is not None and self._kept.modified:
            headers.append(("If-Modified-Since", self._kept.modified))
        options = msgspec.structs.replace(request.options, headers=tuple(headers))
        return request.with_options(options)

    async def receive(self, response: Response) -> None:
        """Write the body of the response to the part file. Raises FetchError if the
        body is not accepted, or is incomplete."""
        part = self._part
        status = response.status_code
        if status == NOT_MODIFIED and self._kept is not None and not part.size:
            self.is_unchanged = True
            return
        if status == UNSATISFIABLE and part.size:
            raise await self._anew(
                response,
                "the server's file is now shorter than the part received before",
            )
        if not 200 <= status <= 299 or (status == PARTIAL and not part.size):
            detail = f"the server answered with status {status}"
            raise FetchError(
                Reason.HTTP_STATUS, detail, url=response.url, is_final=True
            )
        if status == PARTIAL:
            span = _RANGE.match(response.head.value(b"content-range") or "")
            if span is None or int(span[1]) != part.size or _is_packed(response):
                raise await self._anew(
                    response, "the server sent another range of bytes than requested"
                )
        else:
            part.restart(_validator(response))
        try:
            await self._read(response)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._keep)
            raise
        self.sha256 = await to_thread.run_sync(part.finish)
        self.size = part.size
        self.etag = response.head.value(b"etag") or ""
        self.modified = response.head.value(b"last-modified") or ""
        disposition = response.head.values(b"content-disposition")
        self.name = file_name(disposition) or name_in_url(response.url)

    async def _anew(self, response: Response, detail: str) -> FetchError:
        """Drop the bytes received so far, and return the error to raise; the next try
        requests the whole file."""
        await to_thread.run_sync(self._part.discard)
        return FetchError(Reason.TRUNCATED, detail, url=response.url)

    async def _read(self, response: Response) -> None:
        part, is_checked = self._part, False
        self._check_size(response, part.size + _announced(response))
        async for piece in response.aiter_bytes():
            part.add(piece)
            self._check_size(response, part.size)
            if not is_checked and part.size >= SNIFFED_BYTES:
                self._check_type(response)
                is_checked = True
            if part.gathered >= BATCH:
                await to_thread.run_sync(part.flush)
        if not is_checked:
            self._check_type(response)

    def _check_size(self, response: Response, size: int) -> None:
        most = self._limits.max_size
        if size > most:
            detail = (
                f"the file has at least {size:,} bytes, more than max_size of Files "
                f"({most:,} bytes) allows"
            )
            raise FetchError(Reason.TOO_LARGE, detail, url=response.url, is_final=True)

    def _check_type(self, response: Response) -> None:
        declared = response.content_type if response.is_type_declared else ""
        self.type = type_of(self._part.head, declared)
        if self._limits.types and not is_wanted(self.type, self._limits.types):
            detail = f"the file has the type {self.type}; `types` of Files excludes it"
            raise FetchError(
                Reason.UNWANTED_TYPE, detail, url=response.url, is_final=True
            )

    def _keep(self) -> None:
        """Write the bytes received so far, if a later try can continue after them."""
        part = self._part
        if part.validator and part.gathered:
            part.flush()
        elif not part.validator:
            part.restart("")


def _announced(response: Response) -> int:
    """Return the size in bytes of the response's body, as Content-Length states it; 0
    if there is no valid Content-Length."""
    text = response.head.value(b"content-length") or ""
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def _is_packed(response: Response) -> bool:
    codings = [
        value
        for name, value in response.transferred_headers
        if name.lower() == b"content-encoding"
    ]
    return any(value.strip().lower() not in (b"", b"identity") for value in codings)


def _validator(response: Response) -> str:
    """Return the ETag or Last-Modified with which the missing bytes of this version can
    be requested; "" if they cannot.

    A weak ETag does not guarantee that the bytes are the same (RFC 9110, 13.1.5).
    """
    if _is_packed(response):
        return ""
    etag = response.head.value(b"etag") or ""
    if etag and not etag.startswith(("W/", "w/")):
        return etag
    modified = response.head.value(b"last-modified") or ""
    then, now = parse_date(modified), parse_date(response.head.value(b"date") or "")
    if etag or then is None or now is None or now - then < _STEADY:
        return ""
    return modified
