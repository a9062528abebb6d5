"""Runs `start()` step by step, only as fast as the crawl needs requests; each yielded
value is committed by itself."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager, aclosing
from pathlib import Path
from typing import Any

from crawler.errors import ConfigError, StopCrawl
from crawler.link_batch import LinkBatch
from crawler.pipelines import DropItem, OpenChain
from crawler.request import BAD_URL, Request, note_bad_urls
from crawler.response import Response
from crawler.run.callbacks import Callbacks, Fetches
from crawler.run.link_filter import Discovered, LinkFilter
from crawler.run.scheduler import Scheduler
from crawler.run.url_lines import UrlLines
from crawler.run.user_code import user_frame, yield_place
from crawler.run.yielded import NO_ITEMS, WrongYield, values_of, what_was_yielded
from crawler.spider import Spider, at_work
from crawler.spider.at_work import Receiving
from crawler.store.base import Facts, Item, Outcome

logger = logging.getLogger(__name__)

#: Name of the counter for invalid URLs of `start()`.
BAD_START = "bad_url"
#: Maximum number of invalid URLs that are logged one by one; further ones are only
#: counted.
MAX_NAMED = 10


class StartRequests:
    """Runs a spider's `start()`, but pauses it while at least `least` hosts may receive
    a request now.

    The scheduler does not end before `start()` has ended and its results are committed.
    """

    def __init__(
        self,
        spider: Spider,
        intake: LinkFilter,
        chain: OpenChain,
        callbacks: Callbacks,
        *,
        least: int,
        urls: Path | str | None = None,
    ) -> None:
        #: A file of URLs that replace the requests of `start()`; None: `start()` is
        #: used.
        self._urls = urls
        self._lines: UrlLines | None = None
        self._spider = spider
        self._intake = intake
        self._chain = chain
        self._callbacks = callbacks
        self._least = least
        self._bad_urls = 0
        #: All counts that `start()` made with the spider's `count()`; None if there are
        #: none.
        self.counts: dict[str, int] | None = None
        self._fetches: Fetches | None = None
        #: The exception that `start()` raised, if any.
        self.error: Exception | SystemExit | None = None

    async def draw(
        self, scheduler: Scheduler, put: Callable[[Outcome], Awaitable[None]]
    ) -> None:
        """Queue one outcome (results that the store commits together) for each value
        that `start()` yields.

        The scheduler expects more requests of `start()` until the last outcome is
        committed.
        """
        note_bad_urls()
        at_work.begin(self)
        last, ordinal, number, given = Outcome(None), 0, 0, None
        try:
            given = () if self._urls is not None else self._spider.start()
            async with aclosing(self._values(given)) as values:
                async for value in values:
                    if not await scheduler.hungry(self._least):
                        break
                    outcome = await self._outcome(value, given)
                    outcome.first_ordinal, outcome.first_value = ordinal, number
                    ordinal, number = ordinal + len(outcome.items), number + 1
                    scheduler.open_source()
                    await put(outcome)
                else:
                    last.facts = Facts(start_ended=True)
        except StopCrawl as exc:
            last.facts = Facts(start_ended=True, stopped=exc.reason)
        except (Exception, SystemExit) as exc:
            # sys.exit() in `start()` counts as a failure, because otherwise it would
            # leave threads and files open.
            self._failed(exc, given)
        if isinstance(given, AsyncGenerator):
            await self._close(given)
        last.counts = dict(self.counts) if self.counts else None
        self._tell_fetches(last)
        await put(last)

    async def _values(self, given: object) -> AsyncGenerator[Any, None]:
        """Yield the values of `start()`, then a request for each URL of the file, if
        there is a file of URLs."""
        async with aclosing(values_of(given)) as values:
            async for value in values:
                yield value
        path: Path | str | None = self._urls
        if path is None and isinstance(self._spider.urls, Path):
            path = self._spider.urls
        if path is not None:
            self._lines = UrlLines(path)
            async for request in self._lines:
                yield request

    async def _close(self, given: AsyncGenerator[Any, None]) -> None:
        """Close an interrupted `start()`, so that its `finally` blocks run before the
        crawl ends."""
        try:
            await given.aclose()
        except (Exception, SystemExit) as exc:
            self._failed(exc, given)

    def _failed(self, exc: Exception | SystemExit, given: object) -> None:
        self.error = exc
        where = user_frame(exc) or yield_place(given, self._spider.start)
        logger.error("The spider's start() failed: %s (%s)", _told(exc), where)

    async def fetch(self, request: Request) -> Response:
        """Send a `fetch` request of `start()`, and return its response."""
        return await self._own_fetches(f"fetch({request.url!r})").fetch(request)

    def receiving(self) -> AbstractContextManager[Receiving]:
        """Return a context manager; its value sends requests for the files of items
        from `start()`."""
        return self._own_fetches("Files").receiving()

    def _own_fetches(self, call: str) -> Fetches:
        if self._callbacks.fetching is None:
            raise ConfigError(
                f"{call}: no crawl is running; run the spider with `crawl`"
            )
        if self._fetches is None:
            self._fetches = self._callbacks.fetching.for_start()
        return self._fetches

    def _tell_fetches(self, outcome: Outcome) -> None:
        if self._fetches is not None:
            self._fetches.made.take().tell(outcome)

    def _counted(self) -> dict[str, int] | None:
        """Return all counts that `start()` has made so far, to be stored with its next
        value; None if there are none."""
        if not self.counts:
            return None
        self._callbacks.check_counts(self.counts)
        return dict(self.counts)

    async def _outcome(self, value: object, given: object) -> Outcome:
        outcome, found = Outcome(None), Discovered()
        if isinstance(value, Request):
            if value.url.startswith(BAD_URL):
                self._skip(value, given, found)
            else:
                self._callbacks.methods.check(value.callback, value.options.errback)
                self._intake.start(value, found)
        elif isinstance(value, (LinkBatch, *NO_ITEMS)):
            raise WrongYield(f"start() {what_was_yielded(value)}")
        else:
            outcome.items = await self._items(value, outcome)
        outcome.requests, outcome.facts = found.requests, found.facts
        outcome.cut, outcome.counts = found.cut, self._counted()
        self._tell_fetches(outcome)
        return outcome

    def _skip(self, request: Request, given: object, found: Discovered) -> None:
        """Count an invalid URL of `start()`, log it, and continue with the next URL."""
        self._bad_urls += 1
        found.cut[BAD_START] = 1
        if self._bad_urls <= MAX_NAMED:
            lines = self._lines
            where = lines.place if lines else yield_place(given, self._spider.start)
            why = request.url.removeprefix(BAD_URL)
            logger.warning("A URL of start() is skipped: %s (%s)", why, where)

    async def _items(self, value: object, outcome: Outcome) -> list[Item]:
        try:
            return [await self._chain.process(value)]
        except DropItem as exc:
            outcome.dropped = {exc.reason: 1}
            return []


def _told(exc: BaseException) -> str:
    """Return the error of `start()` as one line; a ConfigError is shown without its
    type name."""
    if isinstance(exc, ConfigError):
        return str(exc)
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
