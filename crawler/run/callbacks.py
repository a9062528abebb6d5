"""Runs a spider's callback on a response, and collects its results.

Rule: no results are stored here. Items, requests and counts are collected up to a
maximum size and returned together; the results of a callback that raises are discarded.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Protocol

import msgspec

from crawler.errors import (
    ConfigError,
    CrawlError,
    DropItem,
    FetchError,
    Reason,
    Retry,
    Skip,
    StopCrawl,
)
from crawler.link_batch import LinkBatch
from crawler.page import Page
from crawler.pipelines import OpenChain
from crawler.request import Entry, Request
from crawler.response import Response
from crawler.run.callback_clock import CallbackClock
from crawler.run.link_filter import Discovered, LinkFilter
from crawler.run.made_fetches import Made
from crawler.run.progress_body import ProgressBody
from crawler.run.selector_watch import SelectorWatch
from crawler.run.spider_methods import SpiderMethods
from crawler.run.user_code import user_frame, yield_place
from crawler.run.yielded import (
    NO_ITEMS,
    WrongYield,
    several,
    values_of,
    what_was_yielded,
)
from crawler.spider import Failure, Spider, at_work, counting
from crawler.spider.at_work import Receiving
from crawler.stats import fill_words
from crawler.store.base import Item, Portion

#: Name of the counter of XML documents in which a callback looked for HTML links.
XML = "xml"
MAX_ITEMS = 10_000
MAX_ITEM_BYTES = 32 * 1024**2
#: A streamed page writes its results to the store when it has this many items.
STAGE_ITEMS = 1_000
#: A streamed page writes its results to the store when it has this many links.
STAGE_LINKS = 500
#: A streamed page writes its results to the store when its items have this many bytes.
STAGE_BYTES = 1024**2


class CallbackError(CrawlError):
    """A callback or a pipeline failed; `cause` is the exception."""

    def __init__(self, reason: Reason, cause: Exception, where: str) -> None:
        super().__init__(
            f"{type(cause).__name__}: {cause}" + (f" ({where})" if where else "")
        )
        self.reason = reason
        self.cause = cause


#: Exceptions that a callback raises to retry or to skip its page; its other results are
#: then discarded.
DECISIONS = (Retry, Skip)


Stage = Callable[[Entry, Portion, int], Awaitable[None]]


class Fetches(Protocol):
    """Sends the requests that a spider's `fetch` makes for one page."""

    made: Made

    async def fetch(self, request: Request) -> Response: ...
    def receiving(self) -> AbstractContextManager[Receiving]: ...


class Fetching(Protocol):
    """Creates the objects that send the requests of a spider's `fetch`, one object for
    each page."""

    def for_page(self, entry: Entry, clock: CallbackClock) -> Fetches: ...
    def for_start(self) -> Fetches: ...
    def waits(self, entry: Entry, *, asked: bool) -> None: ...


class Effects(msgspec.Struct):
    """The results of a callback. A streamed page writes results to the store before its
    end: `portions` is the number of these writes."""

    items: list[Item] = msgspec.field(default_factory=list)
    found: Discovered = msgspec.field(default_factory=Discovered)
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    size: int = 0
    portions: int = 0
    #: Counts that the callback made with the spider's `count()`; None if there are
    #: none.
    counts: dict[str, int] | None = None
    #: Why the spider stops the crawl after this page; "" if the crawl continues.
    stop: str = ""
    #: The queued request of the page; None if its callback cannot use `fetch`.
    entry: Entry | None = None
    #: Whether a request for the page was sent to its host (a layer may have answered).
    is_asked: bool = True
    #: Creates `fetches` when the callback calls the spider's `fetch`.
    fetching: Fetching | None = None
    #: Pauses the callback's time limit while the callback waits for `fetch`.
    clock: CallbackClock | None = None
    #: Sends the `fetch` requests of the callback; None before the first.
    fetches: Fetches | None = None

    async def fetch(self, request: Request) -> Response:
        """Send a `fetch` request of the callback, and return its response."""
        return await self._own_fetches(f"fetch({request.url!r})").fetch(request)

    def receiving(self) -> AbstractContextManager[Receiving]:
        """Return a context manager; its value sends requests for the files of the
        page's items."""
        return self._own_fetches("Files").receiving()

    def _own_fetches(self, call: str) -> Fetches:
        if self.fetches is None:
            if self.fetching is None or self.entry is None:
                raise ConfigError(
                    f"{call}: no crawl is running; run the spider with `crawl`"
                )
            if self.clock is None:
                self.clock = CallbackClock()
            self.fetches = self.fetching.for_page(self.entry, self.clock)
        return self.fetches


class CallsBack(Protocol):
    """Calls the spider's callback with a response, or its errback with a failure."""

    #: Counts of `fetch` requests by the fingerprint of the page they were made for,
    #: until the page's outcome (its results) is built.
    fetched: dict[int, Made]

    async def page(self, entry: Entry, response: Response) -> Effects: ...
    async def failure(
        self, entry: Entry, failure: Failure, response: Response | None
    ) -> Effects: ...


class Callbacks:
    """Calls the spider's methods; each worker handles one page at a time.

    This class has over 15 methods, because most of them are steps of one call, with
    shared limits and one clock.
    """

    def __init__(
        self,
        spider: Spider,
        intake: LinkFilter,
        chain: OpenChain,
        stage: Stage,
        *,
        timeout: float,
    ) -> None:
        self._intake = intake
        self._chain = chain
        self._stage = stage
        self._timeout = timeout
        self.methods = SpiderMethods(spider)
        is_around = type(spider).around is not Spider.around
        self._around = spider.around if is_around else None
        self._counted: set[str] = set()
        #: Sends the requests of the spider's `fetch`; None outside of a crawl.
        self.fetching: Fetching | None = None
        #: Counts of `fetch` requests by the fingerprint of the page they were made for,
        #: until the page's outcome (its results) is built.
        self.fetched: dict[int, Made] = {}
        self.selectors = SelectorWatch()

    def note_fetches(self, fingerprint: int, made: Made) -> None:
        """Keep the counts of the `fetch` requests that were made for a page, until the
        page's outcome (its results) is built."""
        known = self.fetched.get(fingerprint)
        if known is None:
            self.fetched[fingerprint] = made
        else:
            known.merge(made)

    async def page(self, entry: Entry, response: Response) -> Effects:
        """Call the callback of an entry (a queued request) with the response, and
        return the results."""
        return await self._call(entry, entry.request.callback, response, response)

    async def failure(
        self, entry: Entry, failure: Failure, response: Response | None
    ) -> Effects:
        """Call the errback of an entry (a queued request) with the failure, and return
        the results."""
        return await self._call(entry, entry.request.options.errback, failure, response)

    async def _call(
        self, entry: Entry, name: str, argument: Any, page: Response | None
    ) -> Effects:
        is_asked = page is None or page.is_from_wire
        effects = Effects(entry=entry, is_asked=is_asked, fetching=self.fetching)
        at_work.begin(effects)
        try:
            await self._gather(entry, name, argument, page, effects)
            self._count(page, effects)
        except StopCrawl as exc:
            effects.stop = exc.reason
        except (CallbackError, FetchError, *DECISIONS):
            raise
        except Exception as exc:
            raise CallbackError(Reason.SPIDER_ERROR, exc, user_frame(exc)) from exc
        except (asyncio.CancelledError, SystemExit) as exc:
            if _is_for_the_worker(exc):
                raise
            cause = RuntimeError(
                f"the callback {name} raised {exc!r}; only this page fails"
            )
            raise CallbackError(Reason.SPIDER_ERROR, cause, user_frame(exc)) from exc
        finally:
            self._note(name, page, effects)
        return effects

    async def _gather(
        self,
        entry: Entry,
        name: str,
        argument: Any,
        page: Response | None,
        effects: Effects,
    ) -> None:
        method = self.methods.find(name)
        result = method(argument)
        if self._around is not None and isinstance(argument, Response):
            result = self._around(argument, values_of(result))
        try:
            if hasattr(result, "__aiter__") or hasattr(result, "__await__"):
                gathering = self._gather_async(entry, result, page, effects)
                is_stream = entry.request.options.stream
                await self._run(name, gathering, effects, page if is_stream else None)
            elif result is not None:
                for value in several(result):
                    await self._take(entry, value, page, effects)
        except WrongYield as exc:
            # The traceback ends at the pipeline, because the generator is only paused
            # at its `yield`. So the message names the line of the `yield`.
            where = yield_place(result, method)
            cause = ConfigError(str(exc))
            raise CallbackError(Reason.SPIDER_ERROR, cause, where) from exc

    async def _run(
        self,
        name: str,
        gathering: Coroutine[Any, Any, None],
        effects: Effects,
        stream: Response | None,
    ) -> None:
        """Run a callback to its end. Only a callback that has to wait gets a time
        limit."""
        rest: Awaitable[None] = gathering
        if stream is None:
            try:
                waits_for = gathering.send(None)
            except StopIteration:
                return
            rest = resumed(gathering, waits_for)
            if self.fetching is not None and effects.entry is not None:
                self.fetching.waits(effects.entry, asked=effects.is_asked)
        if self.fetching is not None and effects.clock is None:
            effects.clock = CallbackClock()
        await self._in_time(name, rest, effects.clock, stream)

    async def _in_time(
        self,
        name: str,
        gathering: Awaitable[None],
        clock: CallbackClock | None,
        stream: Response | None,
    ) -> None:
        """Await the callback's result. Raise TimeoutError if the callback takes too
        long."""
        try:
            async with asyncio.timeout(self._timeout) as limit:
                # each piece of a streamed body restarts the time limit
                if stream is not None:
                    tell = partial(self._prolong, limit)
                    stream.stream = ProgressBody(stream.stream, tell)
                with clock.keeping(limit) if clock is not None else nullcontext():
                    await gathering
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise TimeoutError(
                f"callback {name}() took over {self._timeout:g} s; make it faster, or "
                "raise crawl.callback_timeout"
            ) from exc

    def _prolong(self, limit: asyncio.Timeout) -> None:
        """Restart the time limit of the callback, because the body that it reads has
        made progress."""
        if not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time() + self._timeout)

    def _note(self, callback: str, page: Response | None, effects: Effects) -> None:
        """Keep the counts of the `fetch` requests that the callback made, and count the
        matches of the selectors that it used."""
        if effects.fetches is not None and effects.entry is not None:
            self.note_fetches(effects.entry.fingerprint, effects.fetches.made)
        parsed = None if page is None else page.parsed
        if parsed is None:
            return
        if parsed.links_cut:
            effects.found.cut["max_links"] = parsed.links_cut
        if parsed.has_no_links:
            effects.found.cut[XML] = 1
        self.selectors.note(callback, parsed.asked)

    async def _gather_async(
        self, entry: Entry, result: Any, page: Response | None, effects: Effects
    ) -> None:
        """Collect the results of an `async def` callback: yielded values, or a returned
        list."""
        if not hasattr(result, "__aiter__"):
            result = await result
            if result is None:
                return
        if hasattr(result, "__aiter__"):
            async for value in result:
                await self._take(entry, value, page, effects)
        else:
            for value in several(result):
                await self._take(entry, value, page, effects)

    async def _take(
        self, entry: Entry, value: Any, page: Response | None, effects: Effects
    ) -> None:
        if isinstance(value, LinkBatch):
            self.methods.check(value.callback, value.options.errback)
            self._intake.links(entry, value, effects.found)
        elif isinstance(value, Request):
            self.methods.check(value.callback, value.options.errback)
            self._intake.request(entry, value, effects.found)
        elif type(value) is not dict and isinstance(value, NO_ITEMS):
            raise WrongYield(f"a callback {what_was_yielded(value)}")
        else:
            await self._take_item(entry, value, page, effects)
            return
        if entry.request.options.stream and effects.found.size >= STAGE_LINKS:
            await self._put_aside(entry, effects)

    def _count(self, page: Response | None, effects: Effects) -> None:
        """Add the counts of the page's typed items to the results, and check the number
        of counter names."""
        if page is not None and page.parsed is not None:
            _add_fills(page.parsed, effects)
        if effects.counts:
            self.check_counts(effects.counts)

    def check_counts(self, counts: Mapping[str, int]) -> None:
        """Raise ConfigError if the spider uses too many counter names."""
        self._counted.update(counts)
        if len(self._counted) > counting.MAX_NAMES:
            raise ConfigError(
                f"count({next(iter(counts))!r}): the spider uses over "
                f"{counting.MAX_NAMES:,} counter names; use fewer names, and put "
                "details into items"
            )

    async def _take_item(
        self, entry: Entry, value: Any, page: Response | None, effects: Effects
    ) -> None:
        chain = self._chain
        try:
            if chain.is_plain:
                item = chain.encode_item(value, page)
            else:
                item = await chain.process(value, page)
        except DropItem as exc:
            effects.dropped[exc.reason] = effects.dropped.get(exc.reason, 0) + 1
            return
        except (StopCrawl, *DECISIONS):
            raise
        except Exception as exc:
            raise CallbackError(Reason.PIPELINE_ERROR, exc, user_frame(exc)) from exc
        effects.items.append(item)
        effects.size += len(item.body)
        if entry.request.options.stream:
            if len(effects.items) >= STAGE_ITEMS or effects.size >= STAGE_BYTES:
                await self._put_aside(entry, effects)
        elif len(effects.items) > MAX_ITEMS or effects.size > MAX_ITEM_BYTES:
            raise FetchError(
                Reason.OUTCOME_TOO_LARGE,
                f"the page has yielded {len(effects.items):,} items of "
                f"{effects.size / 1024**2:.1f} MB in all; at most {MAX_ITEMS:,} items "
                f"of {MAX_ITEM_BYTES // 1024**2} MB are allowed; for an endless feed, "
                "use stream=True",
            )

    async def _put_aside(self, entry: Entry, effects: Effects) -> None:
        """Write the results of a streamed page so far to the store. They become visible
        when the page is done."""
        found = effects.found
        portion = Portion(effects.items, found.requests, found.rejected)
        await self._stage(entry, portion, effects.portions)
        effects.portions += 1
        effects.items, effects.size = [], 0
        found.put_aside()


def _add_fills(page: Page, effects: Effects) -> None:
    """Count how many of a page's typed items have a value in each field."""
    if "fills" not in vars(page):  # no callback has read a typed item from the page
        return
    counts = effects.counts = effects.counts or {}
    for label, (filled, asked) in page.fills.items():
        for word, amount in fill_words(label, filled, asked).items():
            counts[word] = counts.get(word, 0) + amount


@types.coroutine
def resumed(
    begun: Coroutine[Any, Any, Any], waits_for: Any
) -> Generator[Any, Any, Any]:
    """Run a coroutine that has begun to its end. `waits_for` is the future that the
    coroutine waits for now."""
    while True:
        try:
            value = yield waits_for
        except BaseException as exc:
            proceed = partial(begun.throw, exc)
        else:
            proceed = partial(begun.send, value)
        try:
            waits_for = proceed()
        except StopIteration as stop:
            return stop.value


def _is_for_the_worker(exc: BaseException) -> bool:
    """Return whether an exception of a callback is the cancellation of the worker that
    runs the callback.

    Any other CancelledError or SystemExit in a callback makes only its page fail.
    """
    task = asyncio.current_task()
    is_cancelled = task is not None and task.cancelling() > 0
    return is_cancelled and isinstance(exc, asyncio.CancelledError)
