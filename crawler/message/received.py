"""What a transport hands over of a response: the head, and the body on its way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from crawler.http import Headers


class BodyStream(Protocol):
    """A body on its way: bounded, decoded, read at most once."""

    @property
    def received(self) -> int:
        """Bytes that came over the wire so far."""
        ...

    def take_complete(self) -> bytes | None:
        """The whole body if it is here already, else None."""
        ...

    async def read(self) -> bytes:
        """The whole body, within its bounds; FetchError beyond them."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body piece by piece, decoded."""
        ...

    def keep_transferred(self) -> None:
        """Keep the bytes as they come over the wire, too."""
        ...

    @property
    def transferred(self) -> bytes:
        """The bytes that came over the wire since `keep_transferred`."""
        ...

    async def aclose(self) -> None:
        """Close the body; the rest of it is not read."""
        ...


class Head(Protocol):
    """The header fields of a response."""

    @property
    def headers(self) -> Headers:
        """All of them, as httpx gives them."""
        ...

    @property
    def transferred(self) -> Sequence[tuple[bytes, bytes]]:
        """All of them as they came over the wire."""
        ...

    def value(self, name: bytes) -> str | None:
        """The first field of that name (lower case)."""
        ...

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """All fields of that name (lower case), as they came."""
        ...
