"""The current work holder: the page, `start()` or hook whose code is running. A
spider's `count` and `fetch` act for this holder.

Rule: the holder is kept in a context variable of the asyncio task. So pages that are
processed at the same time have separate counts, and tasks that a callback starts belong
to the callback's page.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from crawler.errors import ConfigError

if TYPE_CHECKING:
    from crawler.request import Request
    from crawler.response import Response


class Receiver(Protocol):
    """An object that reads a response's body chunk by chunk, such as an object that
    writes a file to disk. A retry of the request uses the same object."""

    def request(self, request: Request) -> Request:
        """Return the request to send in the next try; for example with a Range header
        for the bytes that are missing."""
        ...

    async def receive(self, response: Response) -> None:
        """Read the body of the response. Raises FetchError, which says why this try
        failed, if the body is not usable."""
        ...


class Receiving(Protocol):
    """Sends requests, and passes each response to a Receiver, which reads its body."""

    async def receive(self, request: Request, receiver: Receiver) -> Response:
        """Send a request, with redirects and retries, and return the last response
        after `receiver` has read its body."""
        ...


class WorkHolder(Protocol):
    """A page, `start()` or a hook of the spider, while its code is running."""

    #: Counts of the running code by counter name; None before its first count.
    counts: dict[str, int] | None

    async def fetch(self, request: Request) -> Response:
        """Send a further request on behalf of this page, and return the response."""
        ...

    def receiving(self) -> AbstractContextManager[Receiving]:
        """Return a context manager for downloads, such as those of `Files`.

        While its block runs, the callback's time limit is paused and other pages are
        processed. Raises ConfigError outside of a crawl, where nothing can be
        downloaded.
        """
        ...


_holder: ContextVar[WorkHolder | None] = ContextVar("holder", default=None)


def begin(holder: WorkHolder) -> None:
    """From now on `count` and `fetch`, in this asyncio task and in tasks that it
    starts, act for `holder` (a page, `start()` or a hook)."""
    _holder.set(holder)


@contextmanager
def within(holder: WorkHolder | None) -> Iterator[None]:
    """While the `with` block runs, `count` and `fetch` in this asyncio task act for
    `holder` (a page, `start()` or a hook)."""
    token = _holder.set(holder)
    try:
        yield
    finally:
        _holder.reset(token)


def holder_of(call: str, places: str) -> WorkHolder:
    """Return the current work holder: the page, `start()` or hook whose code is
    running.

    Raises ConfigError if there is no holder; the message names the forbidden `call`,
    and the `places` where the call is allowed.
    """
    holder = _holder.get()
    if holder is None:
        raise ConfigError(
            f"{call} was called while no page or method of the spider was being run; "
            f"call it in {places}"
        )
    return holder
