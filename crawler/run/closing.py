"""Runs a spider's `closing`, which yields the last items of a run, after all other
results are committed.

Rule: the items and the note that `closing` has run are in one commit. So after a crash
`closing` runs again only if its items were not committed.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, aclosing

from crawler.errors import ConfigError, DropItem
from crawler.link_batch import LinkBatch
from crawler.pipelines import OpenChain, Run
from crawler.request import Request
from crawler.response import Response
from crawler.run.user_code import user_frame
from crawler.run.yielded import NO_ITEMS, values_of, what_was_yielded
from crawler.spider import Spider, at_work
from crawler.spider.at_work import Receiving
from crawler.stats import FinishReason, add
from crawler.store.base import Facts, Item, Outcome

logger = logging.getLogger(__name__)


class Closing:
    """Runs the `closing` method of a spider."""

    def __init__(self, spider: Spider, run: Run, chain: OpenChain) -> None:
        self._spider = spider
        self._run = run
        self._chain = chain
        self._dropped: dict[str, int] = {}
        #: Counts that `closing` made with the spider's `count()`; None if there are
        #: none.
        self.counts: dict[str, int] | None = None

    async def fetch(self, request: Request) -> Response:
        """Raise ConfigError: `closing` cannot fetch, because the crawl is over."""
        raise ConfigError(
            f"fetch({request.url!r}): closing() cannot fetch, because the crawl is "
            "over; fetch in a callback"
        )

    def receiving(self) -> AbstractContextManager[Receiving]:
        """Raise ConfigError: `closing` cannot download files, because the crawl is
        over."""
        raise ConfigError(
            "Files: the items of closing() cannot have files, because the crawl is "
            "over; yield such items in a callback"
        )

    async def outcome(self, reason: FinishReason) -> Outcome | None:
        """Run `closing`, and return its items as one outcome (a value that the store
        commits).

        None if `closing` failed; the error has been logged.
        """
        at_work.begin(self)
        try:
            items = await self._items()
        except Exception as exc:
            where = user_frame(exc)
            error = f"{type(exc).__name__}: {exc}"
            logger.error("The spider's closing() failed: %s (%s)", error, where)
            return None
        facts = Facts(closed=str(reason))
        return Outcome(
            None,
            items=items,
            dropped=self._dropped,
            facts=facts,
            counts=self.counts,
            is_closing=True,
        )

    async def _items(self) -> list[Item]:
        items: list[Item] = []
        async with aclosing(values_of(self._spider.closing(self._run))) as values:
            async for value in values:
                if isinstance(value, Request | LinkBatch):
                    raise ConfigError(
                        "closing() yielded a request, but the crawl is over; yield "
                        "only items in closing()"
                    )
                if isinstance(value, NO_ITEMS):
                    raise ConfigError(f"closing() {what_was_yielded(value)}")
                try:
                    items.append(await self._chain.process(value))
                except DropItem as exc:
                    add(self._dropped, exc.reason)
        return items
