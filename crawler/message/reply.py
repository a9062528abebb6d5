"""The response of a host: a head (status and headers), and a body that is read once or
streamed.

Rule: no I/O except through the body object that the client passed in.
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
    """A response's head and body, with httpx's attribute names.

    This class has over fifteen methods, because users know them from httpx; each has a
    line or two.
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
        #: The canonical URL of the response: the request's URL, unless a layer changed
        #: it. A redirect's target is requested separately and has its own response.
        self.url = request.url if url is None else url
        #: Whether a host sent the response; False if it came from a cache or a
        #: recording.
        self.is_from_wire = is_from_wire
        self.status_code = status_code
        #: The response's head, which gives single header fields without building
        #: `headers`.
        self.head = head
        #: The HTTP version: "HTTP/1.1" or "HTTP/2".
        self.http_version = http_version
        #: Seconds from the request to the end of the headers; once the body has been
        #: read, to the end of the body.
        self.elapsed = elapsed
        #: The body as a stream; `content`, `aiter_bytes` and `save` read it.
        self.stream = body
        self._content = content
        self._media_type: MediaType | None = None
        #: The media type; None until it is known.
        self._content_type: str | None = None

    def keep_transferred(self) -> None:
        """Also keep the body as received, with content encodings such as gzip still
        applied. Call this method before the body is read."""
        self.stream.keep_transferred()

    @property
    def transferred(self) -> bytes:
        """The body as received, with content encodings such as gzip still applied;
        complete only if `keep_transferred` was called before the body was read."""
        return self.stream.transferred

    @property
    def transferred_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The header fields as received, including the fields about content
        encodings."""
        return self.head.transferred

    @property
    def headers(self) -> Headers:
        """The header fields as httpx Headers; names are case-insensitive."""
        return self.head.headers

    @property
    def meta(self) -> dict[str, Any]:
        """The `meta` of the request."""
        return self.request.meta

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code <= 299

    @property
    def content(self) -> bytes:
        """The decoded body. For a streamed response, raises ConfigError until `aread()`
        has read the body."""
        if self._content is None:
            raise ConfigError(
                f"the body of the streamed response from {self.url} has not been read; "
                "use `await response.aread()`, aiter_bytes(), aiter_lines() or save()"
            )
        return self._content

    @property
    def is_read(self) -> bool:
        """Whether the whole body has been read."""
        return self._content is not None

    async def aread(self) -> bytes:
        """Read the whole body. Raises FetchError if the body exceeds a limit."""
        if self._content is None:
            content = self.stream.take_complete()
            self._content = await self.stream.read() if content is None else content
        return self._content

    @property
    def received(self) -> int:
        """The number of body bytes received from the network so far."""
        return self.stream.received

    @property
    def content_type(self) -> str:
        """The media type, in lower case and without parameters.

        If the server declares none, the type is detected from the body ("sniffed").
        Until the body has been read, an undeclared type is empty.
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
        """Whether the server declared a media type; if not, `content_type` is
        sniffed."""
        return bool(self._declared.essence)

    @property
    def _declared(self) -> MediaType:
        """The parsed Content-Type header; parsed only once."""
        if self._media_type is None:
            self._media_type = media_type.extract(self.head.values(b"content-type"))
        return self._media_type

    @property
    def _charset(self) -> str | None:
        return self._declared.parameters.get("charset")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that this response sets, by name; deleted cookies are not
        included.

        Set-Cookie headers are parsed by the same rules as in the crawl's sessions (RFC
        6265bis 5.6).
        """
        lines = self.head.values(b"set-cookie")
        return cookie_jar.read(self.url, lines, time.time())

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the decoded body in pieces as they arrive."""
        if self._content is not None:
            yield self._content
            return
        async for piece in self.stream:
            yield piece

    async def aiter_lines(self) -> AsyncIterator[str]:
        """Yield the body's lines without their line ends (LF or CRLF). Raises
        FetchError if a line is over 32 MiB."""
        name = encodings.label(self._charset) or "utf-8"
        if name.startswith("utf-16") or name == "replacement":
            # line ends are searched as single bytes, which does not work for UTF-16
            name = "utf-8"
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
                raise FetchError(
                    Reason.TOO_LARGE,
                    "the body has a line over 32 MiB, too long for aiter_lines(); use "
                    "aiter_bytes()",
                    url=self.url,
                )
        if size:
            yield decode(b"".join(rest))

    async def save(self, path: str | os.PathLike[str]) -> Saved:
        """Write the body to the file `path`, first as a part file that is renamed when
        the body is complete.

        Return the path, size and SHA-256. The memory use does not depend on the size of
        the body; a thread writes the file.
        """
        return await save(self.aiter_bytes(), Path(path))

    async def aclose(self) -> None:
        """Close the body and release the connection."""
        await self.stream.aclose()
