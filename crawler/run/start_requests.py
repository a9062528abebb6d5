"""What `start()` gives, drawn as it is needed: each value an outcome of its own."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from crawler.errors import ConfigError
from crawler.pipelines import DropItem, OpenChain
from crawler.request import Request
from crawler.run.callbacks import user_frame
from crawler.run.link_filter import Discovered, LinkFilter
from crawler.run.scheduler import Scheduler
from crawler.spider import Spider
from crawler.store.base import Facts, Item, Outcome

logger = logging.getLogger(__name__)


class StartRequests:
    """Draws a spider's `start()` while fewer than `least` requests are ready to go.

    Until it has ended, and what it gave has landed, the scheduler keeps its supply
    open.
    """

    def __init__(
        self, spider: Spider, intake: LinkFilter, chain: OpenChain, *, least: int
    ) -> None:
        self._spider = spider
        self._intake = intake
        self._chain = chain
        self._least = least
        #: What `start()` raised, where it did.
        self.error: Exception | SystemExit | None = None

    async def draw(
        self, scheduler: Scheduler, put: Callable[[Outcome], Awaitable[None]]
    ) -> None:
        """Put an outcome for each value; the source that the caller opened is closed
        when the last one has landed."""
        last, ordinal = Outcome(None), 0
        try:
            async for value in self._spider.start():
                if not await scheduler.hungry(self._least):
                    break
                outcome = await self._outcome(value)
                outcome.first_ordinal = ordinal
                ordinal += len(outcome.items)
                scheduler.open_source()
                await put(outcome)
            else:
                last.facts = Facts(start_ended=True)
        except (Exception, SystemExit) as exc:
            # sys.exit() would leave the process's threads, and its state, as they are.
            self.error = exc
            logger.error("start() failed: %s %s", exc, user_frame(exc))
        await put(last)

    async def _outcome(self, value: object) -> Outcome:
        outcome, found = Outcome(None), Discovered()
        if isinstance(value, Request):
            self._intake.start(value, found)
        elif isinstance(value, str | bytes | None):
            raise ConfigError(f"start() yielded {value!r}; yield Request(url) or items")
        else:
            outcome.items = await self._items(value, outcome)
        outcome.requests, outcome.facts = found.requests, found.facts
        return outcome

    async def _items(self, value: object, outcome: Outcome) -> list[Item]:
        try:
            return [await self._chain.process(value)]
        except DropItem as exc:
            outcome.dropped = {exc.reason: 1}
            return []
