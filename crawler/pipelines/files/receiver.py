"""Receives one file: requests the whole file or the missing rest, and writes the bytes
that arrive.

Rule: the bytes on disk always belong to the version that the validator names. If
another version arrives, the file begins again (RFC 9110, 13.1.5 and 14).
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
#: Statuses besides 2xx that are accepted: they tell about a file that is already here.
STATUSES = (NOT_MODIFIED, UNSATISFIABLE)

_OURS = frozenset(
    {"accept-encoding", "range", "if-range", "if-none-match", "if-modified-since"}
)
#: If a Last-Modified date is older than this many seconds, it identifies one version
#: (RFC 9110, 8.8.2.2).
_STEADY = 60
_RANGE = re.compile(r"bytes\s+(\d+)-\d+/(?:\d+|\*)", re.I)


class FileLimits(msgspec.Struct, frozen=True):
    """The limits on type and size of a file."""

    #: Media types such as "image/png" and "image/*"; empty: all.
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
        #: The file from an earlier run; None if there is none.
        self._kept = kept
        #: Whether the server has answered that the file is unchanged.
        self.is_unchanged = False
        self.sha256 = ""
        #: The size of the file in bytes.
        self.size = 0
        self.name = ""
        self.type = ""
        self.etag = ""
        self.modified = ""

    def request(self, request: Request) -> Request:
        """Return the request for what is missing.

        The request asks for the whole file, for its rest, or for the file only if it
        has changed.
        """
        headers = [p for p in request.options.headers if p[0].lower() not in _OURS]
        # The rest of a compressed body could not be requested by offset.
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
        """Write the body of the response. FetchError if the body is not accepted, or
        incomplete."""
        part = self._part
        status = response.status_code
        if status == NOT_MODIFIED and self._kept is not None and not part.size:
            self.is_unchanged = True
            return
        if status == UNSATISFIABLE and part.size:
            raise await self._anew(
                response, "the file is shorter now than the bytes received before"
            )
        if not 200 <= status <= 299 or (status == PARTIAL and not part.size):
            detail = f"status {status}"
            raise FetchError(
                Reason.HTTP_STATUS, detail, url=response.url, is_final=True
            )
        if status == PARTIAL:
            span = _RANGE.match(response.head.value(b"content-range") or "")
            if span is None or int(span[1]) != part.size or _is_packed(response):
                raise await self._anew(
                    response, "the server sent another range than the requested one"
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
        """Drop the received bytes, and return an error; the next try begins again."""
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
                f"the file has {size:,} bytes or more; max_size of Files is {most:,}"
            )
            raise FetchError(Reason.TOO_LARGE, detail, url=response.url, is_final=True)

    def _check_type(self, response: Response) -> None:
        declared = response.content_type if response.is_type_declared else ""
        self.type = type_of(self._part.head, declared)
        if self._limits.types and not is_wanted(self.type, self._limits.types):
            raise FetchError(
                Reason.UNWANTED_TYPE, self.type, url=response.url, is_final=True
            )

    def _keep(self) -> None:
        """Write the bytes received so far, if the part can be continued."""
        part = self._part
        if part.validator and part.gathered:
            part.flush()
        elif not part.validator:
            part.restart("")


def _announced(response: Response) -> int:
    """Return the number of bytes that the headers announce; 0 if unknown."""
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
    """Return the validator of this version, if its rest can be requested; else "".

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
