"""The current work holder: the page, `start()` or hook that `self.count` and
`self.fetch` act for.

Rule: the holder is a context variable of the task. So pages that are processed at the
same time keep separate counts, and tasks that a callback starts belong to its page.
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
    """Reads the body of a response as it arrives, in each try of a request."""

    def request(self, request: Request) -> Request:
        """Return the request for the next try, such as one for the rest of a body."""
        ...

    async def receive(self, response: Response) -> None:
        """Read the body. FetchError says that this try failed, and why."""
        ...


class Receiving(Protocol):
    """Sends requests whose bodies a receiver reads."""

    async def receive(self, request: Request, receiver: Receiver) -> Response:
        """Return the response after all redirects and retries; its body has been
        received."""
        ...


class WorkHolder(Protocol):
    """A page, `start()` or a hook whose code is running."""

    #: The counts that its code has made so far; None if there are none.
    counts: dict[str, int] | None

    async def fetch(self, request: Request) -> Response:
        """Fetch one more request and return its response."""
        ...

    def receiving(self) -> AbstractContextManager[Receiving]:
        """Return a context in which response bodies are received.

        While the block runs, the callback's time limit is paused and other pages
        proceed. ConfigError outside of a crawl, where no body can be received.
        """
        ...


_holder: ContextVar[WorkHolder | None] = ContextVar("holder", default=None)


def begin(holder: WorkHolder) -> None:
    """Make `holder` the work holder of this task and of tasks that it starts."""
    _holder.set(holder)


@contextmanager
def within(holder: WorkHolder | None) -> Iterator[None]:
    """Make `holder` the work holder of this task while the block runs."""
    token = _holder.set(holder)
    try:
        yield
    finally:
        _holder.reset(token)


def holder_of(call: str, places: str) -> WorkHolder:
    """Return the current work holder, for `call`.

    If there is none, the ConfigError names `places`, where the call is allowed.
    """
    holder = _holder.get()
    if holder is None:
        raise ConfigError(f"{call}: no page is being processed; call it in {places}")
    return holder
