"""What a transport returns for a response: the head, and the body as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from crawler.http import Headers


class BodyStream(Protocol):
    """The body of a response as a stream: decoded, limited in size, and read at most
    once."""

    @property
    def received(self) -> int:
        """Return the number of bytes received from the network so far."""
        ...

    def take_complete(self) -> bytes | None:
        """Return the whole body if it has already arrived, else None."""
        ...

    async def read(self) -> bytes:
        """Read the whole body. Raises FetchError if the body exceeds a limit."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the decoded body in pieces."""
        ...

    def keep_transferred(self) -> None:
        """Also keep the body's bytes as received, before content encodings such as gzip
        are decoded."""
        ...

    @property
    def transferred(self) -> bytes:
        """Return the bytes received since the call of `keep_transferred`, with content
        encodings such as gzip still applied."""
        ...

    async def aclose(self) -> None:
        """Close the body without reading the rest."""
        ...


class Head(Protocol):
    """The header fields of a response."""

    @property
    def headers(self) -> Headers:
        """Return all fields as httpx Headers."""
        ...

    @property
    def transferred(self) -> Sequence[tuple[bytes, bytes]]:
        """Return all fields as received, as (name, value) pairs of bytes."""
        ...

    def value(self, name: bytes) -> str | None:
        """Return the first field with this name (lower case); None if there is none."""
        ...

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Return all fields with this name (lower case), as received."""
        ...
