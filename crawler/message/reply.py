"""The answer of a host: a head, and a body that is read once or streams.

Rule: nothing here does I/O but through the body that the client handed over.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler.errors import ConfigError, FetchError, Reason
from crawler.message.received import BodyStream, Head
from crawler.message.saving import Saved, save
from crawler.web import cookie_jar, media_type
from crawler.web import encoding as encodings
from crawler.web.media_type import MediaType

if TYPE_CHECKING:
    from crawler.http import Headers
    from crawler.request import Request

_LONGEST_LINE = 32 * 1024**2


class Reply:
    """A head and a body, under httpx's names.

    Over fifteen methods: they are what httpx's users know, a line or two each.
    """

    __slots__ = (
        "_content",
        "_content_type",
        "_media_type",
        "elapsed",
        "head",
        "http_version",
        "is_from_wire",
        "request",
        "status_code",
        "stream",
        "url",
    )

    def __init__(
        self,
        request: Request,
        status_code: int,
        head: Head,
        body: BodyStream,
        *,
        url: str | None = None,
        http_version: str = "HTTP/1.1",
        elapsed: float = 0.0,
        is_from_wire: bool = True,
        content: bytes | None = None,
    ) -> None:
        self.request = request
        #: The canonical URL of what was answered: the request's, unless a layer says
        #: otherwise. Redirects are requests of their own.
        self.url = request.url if url is None else url
        #: Whether the host was asked for it; False: a cache or a recording had it.
        self.is_from_wire = is_from_wire
        self.status_code = status_code
        #: The fields one by one, without making `headers` of them.
        self.head = head
        #: "HTTP/1.1" or "HTTP/2".
        self.http_version = http_version
        #: Seconds from the request to the end of the head, of the body once read.
        self.elapsed = elapsed
        #: The body on its way; `content`, `aiter_bytes` and `save` read it.
        self.stream = body
        self._content = content
        self._media_type: MediaType | None = None
        #: The media type, once it is known.
        self._content_type: str | None = None

    def keep_transferred(self) -> None:
        """Keep the body as it is transferred, too; call it before the body is read."""
        self.stream.keep_transferred()

    @property
    def transferred(self) -> bytes:
        """The body as it came over the wire, its content codings still applied; whole
        once the body was read, if `keep_transferred` was called before."""
        return self.stream.transferred

    @property
    def transferred_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The header fields as they came, those of the codings included."""
        return self.head.transferred

    @property
    def headers(self) -> Headers:
        """The header fields, case-insensitive, as httpx gives them."""
        return self.head.headers

    @property
    def meta(self) -> dict[str, Any]:
        """The request's own values, as its maker gave them."""
        return self.request.meta

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code <= 299

    @property
    def content(self) -> bytes:
        """The body, decoded; with `stream=True` only after `await aread()`."""
        if self._content is None:
            raise ConfigError(
                "The body of a streamed response is not here yet; use "
                "`await response.aread()`, aiter_bytes(), aiter_lines() or save()"
            )
        return self._content

    @property
    def is_read(self) -> bool:
        """Whether the whole body is here."""
        return self._content is not None

    async def aread(self) -> bytes:
        """Read the whole body, within its bounds."""
        if self._content is None:
            content = self.stream.take_complete()
            self._content = await self.stream.read() if content is None else content
        return self._content

    @property
    def received(self) -> int:
        """Bytes of the body that came over the wire so far."""
        return self.stream.received

    @property
    def content_type(self) -> str:
        """The media type, lower case and without parameters.

        If the server declares none, the type is sniffed from the body; it is empty
        as long as the body is not here.
        """
        kind = self._content_type
        if kind is None:
            kind = self._declared.essence or self._sniffed_type()
            if kind or self._content is not None:
                self._content_type = kind
        return kind

    def _sniffed_type(self) -> str:
        if self._content is None:
            return ""
        is_nosniff = media_type.is_nosniff(self.head.values(b"x-content-type-options"))
        return media_type.sniff(self._content, scriptable=not is_nosniff)

    @property
    def is_type_declared(self) -> bool:
        """Whether the server named a media type; else `content_type` is sniffed."""
        return bool(self._declared.essence)

    @property
    def _declared(self) -> MediaType:
        """What Content-Type says; read once."""
        if self._media_type is None:
            self._media_type = media_type.extract(self.head.values(b"content-type"))
        return self._media_type

    @property
    def _charset(self) -> str | None:
        return self._declared.parameters.get("charset")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that this response sets, by name; not those that it deletes.

        They are read as the crawl's own sessions read them (RFC 6265bis 5.6).
        """
        lines = self.head.values(b"set-cookie")
        return cookie_jar.read(self.url, lines, time.time())

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body piece by piece, decoded, as it comes."""
        if self._content is not None:
            yield self._content
            return
        async for piece in self.stream:
            yield piece

    async def aiter_lines(self) -> AsyncIterator[str]:
        """The body line by line, without the line ends (LF or CRLF).

        FetchError for a line of over 32 MiB, which may never end.
        """
        name = encodings.label(self._charset) or "utf-8"
        if name.startswith("utf-16") or name == "replacement":
            name = "utf-8"  # lines are found in the bytes, which UTF-16 forbids
        decode = partial(encodings.decode_as, name=name)
        rest: list[bytes] = []
        size = 0
        async for piece in self.aiter_bytes():
            *lines, last = piece.split(b"\n")
            if lines:
                lines[0] = b"".join((*rest, lines[0]))
                rest, size = [], 0
            for line in lines:
                yield decode(line.removesuffix(b"\r"))
            rest.append(last)
            size += len(last)
            if size > _LONGEST_LINE:
                raise FetchError(Reason.TOO_LARGE, "a line over 32 MiB", url=self.url)
        if size:
            yield decode(b"".join(rest))

    async def save(self, path: str | os.PathLike[str]) -> Saved:
        """Write the body to `path` (by a part file and a rename): its path, size and
        SHA-256.

        In constant memory; file work is done in a thread.
        """
        return await save(self.aiter_bytes(), Path(path))

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self.stream.aclose()
