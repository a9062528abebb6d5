"""Pipelines: `Pipeline` describes a step on the spider's class, and `Process` is the
state of this step in one run.

Rule: a pipeline changes only the item, because after a crash the items of the same page
may pass the pipeline again. Code with other effects belongs in a sink.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from crawler.settings import Settings
from crawler.spider import counting
from crawler.stats import Counters
from crawler.store.files import FileTable, MemoryFileTable

if TYPE_CHECKING:
    from crawler.response import Response


class Run(msgspec.Struct, frozen=True):
    """One run of a job, as pipelines and sinks see it.

    `(run.job, run.number)` and an item's number in the run identify the item forever.
    """

    job: str
    number: int = 1
    #: The spider's name.
    spider: str = ""
    #: The effective settings: from file, spider, job, environment and `-s`.
    settings: Settings = msgspec.field(default_factory=Settings)
    #: The files that the job's items have named; the pipeline `Files` reads and extends
    #: the table.
    files: FileTable = msgspec.field(default_factory=MemoryFileTable)
    #: A function that returns the run's counters; the property `counters` calls it.
    counted: Callable[[], Counters] = Counters

    @property
    def counters(self) -> Counters:
        """The run's counters as of the last commit, such as `counters.pages`."""
        return self.counted()

    def count(self, name: str, amount: int = 1) -> None:
        """Add `amount` to a counter of your own; call this method in `process`.

        The count is committed with the item's page, and appears in the report as
        `counts`.
        """
        counting.count(name, amount)


class Process(Protocol):
    """A pipeline's state in one run, to which the run passes every item."""

    async def process(self, item: Any, page: Response | None) -> Any:
        """Return the item for the next pipeline, or raise `DropItem(reason)`.

        `page` is None for an item that `start()` yields.
        """
        ...


class Pipeline(Protocol):
    """The description of a step that every item passes.

    class Shop:
        @asynccontextmanager
        async def open(self, run: Run) -> AsyncIterator[Process]:
            async with connect(run.job) as prices:
                yield WithPrice(prices)     # has: async def process(item, page)
    """

    def open(self, run: Run) -> AbstractAsyncContextManager[Process]:
        """Return the pipeline's state in one run, which is closed when the run ends."""
        ...


class Immediate(ABC):
    """A pipeline that never waits and keeps nothing open; it has only `apply`.

    If all pipelines of a spider are Immediate, they process an item without an await.
    """

    @abstractmethod
    def apply(self, item: Any, page: Response | None) -> Any:
        """Return the item for the next pipeline, or raise `DropItem(reason)`."""

    async def process(self, item: Any, page: Response | None) -> Any:
        """Return `apply(item, page)`; this method is for callers that await."""
        return self.apply(item, page)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Process]:
        yield self

    def open(self, run: Run) -> AbstractAsyncContextManager[Process]:
        """Return the pipeline itself, because there is nothing to open."""
        return self._opened()
