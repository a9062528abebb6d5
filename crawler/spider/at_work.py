"""For whom code runs: the page, `start()` or hook that `self.count` and `fetch` serve.

Rule: it is known by the task, so that pages that are worked on at the same time keep
their counts and fetches apart; tasks that a callback starts belong to its page.
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
    """Takes the body of a response while it comes, in each try of its request."""

    def request(self, request: Request) -> Request:
        """The request for the next try, such as one that asks for the rest of a
        body."""
        ...

    async def receive(self, response: Response) -> None:
        """Read the body; FetchError says that the try has failed, and how."""
        ...


class Receiving(Protocol):
    """Makes requests whose bodies a receiver takes."""

    async def receive(self, request: Request, receiver: Receiver) -> Response:
        """The response after all redirects and tries, its body received."""
        ...


class WorkHolder(Protocol):
    """A page, `start()` or a hook while its code runs."""

    #: What it has counted; None: nothing.
    counts: dict[str, int] | None

    async def fetch(self, request: Request) -> Response:
        """The response of one more request."""
        ...

    def receiving(self) -> AbstractContextManager[Receiving]:
        """A while in which bodies are received: it does not count against the time of
        a callback, and other pages are worked on. ConfigError where there is no crawl
        that could receive."""
        ...


_holder: ContextVar[WorkHolder | None] = ContextVar("holder", default=None)


def begin(holder: WorkHolder) -> None:
    """From now on this task, and tasks that it starts, work for `holder`."""
    _holder.set(holder)


@contextmanager
def within(holder: WorkHolder | None) -> Iterator[None]:
    """For a while this task works for `holder`, then for what it was before."""
    token = _holder.set(holder)
    try:
        yield
    finally:
        _holder.reset(token)


def holder_of(call: str, places: str) -> WorkHolder:
    """For whom a call is; ConfigError, which names its places, outside of them."""
    holder = _holder.get()
    if holder is None:
        raise ConfigError(f"{call}: call it in {places}")
    return holder
