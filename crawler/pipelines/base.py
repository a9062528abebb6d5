"""What a pipeline is: a description on the spider, and its state in one run.

Rule: processing has no effect outside the item, for after a crash the same page may
pass again; what acts on the world belongs into a sink.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from crawler.response import Response


@dataclass(frozen=True, slots=True)
class Run:
    """Which run of which job an item belongs to."""

    job: str
    number: int = 1
    spider: str = ""


class Process(Protocol):
    """A pipeline's state in one run."""

    async def process(self, item: Any, page: Response | None) -> Any:
        """The item as it goes on, or raise `DropItem(reason)`; `page` is None for
        what `start()` yields."""
        ...


class Pipeline(Protocol):
    """A description of something that every item passes.

    class Shop:
        @asynccontextmanager
        async def open(self, run):
            async with connect() as prices:
                yield WithPrice(prices)     # has: async def process(item, page)
    """

    def open(self, run: Run) -> AbstractAsyncContextManager[Process]:
        """The state of one run, closed when the run ends."""
        ...


class Immediate(ABC):
    """A pipeline that never waits and keeps nothing open: `apply` is all it does.

    Where all pipelines are of this kind an item needs no await on its way.
    """

    @abstractmethod
    def apply(self, item: Any, page: Response | None) -> Any:
        """The item as it goes on, or raise `DropItem(reason)`."""

    async def process(self, item: Any, page: Response | None) -> Any:
        """As `apply`, for those that await."""
        return self.apply(item, page)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Process]:
        yield self

    def open(self, run: Run) -> AbstractAsyncContextManager[Process]:
        """Itself: there is nothing to open."""
        return self._opened()
