"""`self.fetch`: one more request while a page, `start()` or a hook is worked on.

It is an exchange like all others: its turn at the host, robots.txt, retries, cookies
and layers are those of the crawl. It is not stored: after a crash its page is asked
again, and asks for it again.

Rule: it never waits for a worker, so that it cannot deadlock. The page that waits has
given its own turn at the host back, and another worker stands in for its worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from weakref import WeakValueDictionary

import msgspec

from crawler.errors import Blame, ConfigError, FetchError, Reason
from crawler.layers.robots_gate import RobotsTable
from crawler.request import Entry, Purpose, Request
from crawler.response import Response
from crawler.run.callback_clock import CallbackClock
from crawler.run.callbacks import Effects
from crawler.run.made_fetches import Made
from crawler.run.scheduler import Scheduler
from crawler.run.visitor import Clocks, Visitor
from crawler.spider import Failure
from crawler.store.base import Outcome, State
from crawler.web import urls

#: Requests that one page, or one call of a hook, may fetch.
MAX_FETCHES = 100


class OwnEntry(Entry):
    """An entry that only its page waits for."""

    __slots__ = ("response",)

    response: Response | None


class Unchanged:
    """In place of sessions: changes of cookies land with the next page."""

    def changes(self) -> dict[tuple[str, str], bytes]:
        return {}


class Caught:
    """In place of callbacks: keeps the response for whoever waits for it."""

    def __init__(self) -> None:
        self.fetched: dict[int, Made] = {}

    async def page(self, entry: Entry, response: Response) -> Effects:
        assert isinstance(entry, OwnEntry)
        entry.response = response
        return Effects()

    async def failure(
        self, entry: Entry, failure: Failure, response: Response | None
    ) -> Effects:
        return Effects()


class OwnFetches:
    """Makes the requests of `self.fetch`."""

    def __init__(
        self,
        visitor: Visitor,
        scheduler: Scheduler,
        robots: RobotsTable | None,
        clocks: Clocks,
    ) -> None:
        self._visitor = visitor
        self._scheduler = scheduler
        self._robots = robots
        self._clocks = clocks
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        #: A worker waits inside its visit: another one may stand in for it.
        self.stand_in: Callable[[], AbstractContextManager[None]] = nullcontext

    def for_page(self, entry: Entry, clock: CallbackClock) -> PageFetches:
        """The fetches of a page whose callback runs."""
        return PageFetches(self, self._scheduler, entry, clock)

    def for_start(self) -> StartFetches:
        """The fetches of `start()`."""
        return StartFetches(self)

    def for_hook(
        self, entry: Entry | None, session: str, clock: CallbackClock
    ) -> HookFetches:
        """The fetches of a hook that is called for an entry before it is asked."""
        return HookFetches(self, entry, session, clock)

    def waits(self, entry: Entry, *, asked: bool) -> None:
        """A callback waits for something; the body of its page has been read."""
        if not isinstance(entry, OwnEntry):
            self._scheduler.free(entry, asked=asked)

    @asynccontextmanager
    async def lent(self, host: str) -> AsyncIterator[None]:
        """A wait of a request that has its turn, and has not been asked yet."""
        self._scheduler.own_turn_over(host, asked=False)
        try:
            with self.stand_in():
                yield
        finally:
            await self._scheduler.own_turns.take(host)

    async def response(self, request: Request, made: Made, parent: int) -> Response:
        """The response behind all redirects and retries; FetchError."""
        made.count += 1
        if made.count > MAX_FETCHES:
            raise ConfigError(
                f"fetch({request.url!r}): over {MAX_FETCHES} fetches by one page; "
                "yield Requests for so many"
            )
        entry = _entry_of(request, parent)
        while True:
            await self._know_robots(entry)
            outcome = await self._visit(entry)
            made.add(outcome)
            if outcome.state is State.DONE and entry.response is not None:
                return entry.response
            if outcome.state is State.PENDING:
                await asyncio.sleep(max(0.0, outcome.due - self._clocks.wall()))
            elif outcome.state is State.REDIRECTED and outcome.requests:
                entry = _moved(outcome.requests[0])
            else:
                raise _error(request, outcome)

    async def _visit(self, entry: OwnEntry) -> Outcome:
        await self._scheduler.own_turns.take(entry.host)
        is_asked = True
        try:
            outcome = await self._visitor.visit(entry)
            is_asked = outcome.is_asked
        finally:
            self._scheduler.own_turn_over(entry.host, asked=is_asked)
        return outcome

    async def _know_robots(self, entry: Entry) -> None:
        """Return when the origin's robots.txt can judge the entry."""
        robots, proxy = self._robots, entry.request.options.proxy
        if robots is None:
            return
        origin = urls.origin_of(entry.url)
        while not robots.knows(origin, proxy):
            lock = self._asking.setdefault(origin, asyncio.Lock())
            async with lock:
                if robots.knows(origin, proxy):
                    return
                retry_at = await self._ask_robots(robots, entry.host, origin, proxy)
                if retry_at is not None:
                    await asyncio.sleep(retry_at - self._clocks.monotonic())

    async def _ask_robots(
        self, robots: RobotsTable, host: str, origin: str, proxy: str
    ) -> float | None:
        await self._scheduler.own_turns.take(host)
        try:
            return await robots.ask(origin, proxy)
        finally:
            self._scheduler.own_turn_over(host, asked=True)


class PageFetches:
    """What a callback or errback fetches: its page has had its turn at the host."""

    def __init__(
        self,
        fetches: OwnFetches,
        scheduler: Scheduler,
        entry: Entry,
        clock: CallbackClock,
    ) -> None:
        self._fetches = fetches
        self._scheduler = scheduler
        self._entry = entry
        self._clock = clock
        self.made = Made()

    async def fetch(self, request: Request) -> Response:
        """The response, by session and proxy of the page unless it names others."""
        entry = self._entry
        if isinstance(entry, OwnEntry):
            raise ConfigError(f"fetch({request.url!r}): not within another fetch")
        self._scheduler.free(entry, asked=True)
        request = _inheriting(request, entry.request, "page")
        # One stand-in for the page's worker, however many it fetches at a time.
        stand_in = nullcontext() if self._clock.is_stopped else self._fetches.stand_in()
        with self._clock.stopped(), stand_in:
            return await self._fetches.response(request, self.made, entry.fingerprint)


class StartFetches:
    """What `start()` fetches: no page and no worker waits for it."""

    def __init__(self, fetches: OwnFetches) -> None:
        self._fetches = fetches
        self.made = Made()

    async def fetch(self, request: Request) -> Response:
        """The response."""
        request = _inheriting(request, request, "page")
        return await self._fetches.response(request, self.made, 0)


class HookFetches:
    """What a hook fetches before its request goes; its turn is lent by `HookWork`."""

    def __init__(
        self,
        fetches: OwnFetches,
        entry: Entry | None,
        session: str,
        clock: CallbackClock,
    ) -> None:
        self._fetches = fetches
        self._entry = entry
        self._session = session
        self._clock = clock
        self.made = Made()

    @property
    def counts(self) -> dict[str, int] | None:
        """Counts of a hook would land with no page."""
        raise ConfigError("count(): not in prepare() or a login; call it in a callback")

    @counts.setter
    def counts(self, counts: dict[str, int] | None) -> None:
        raise AttributeError("a hook has no counts")

    async def fetch(self, request: Request) -> Response:
        """The response; it does not pass `prepare`, or a login, itself."""
        entry = self._entry
        if entry is None:
            raise ConfigError(f"fetch({request.url!r}): nothing is being visited")
        request = _inheriting(request, entry.request, "login", self._session)
        with self._clock.stopped():
            return await self._fetches.response(request, self.made, entry.fingerprint)


def _entry_of(request: Request, parent: int) -> OwnEntry:
    host = urls.host_of(request.url)
    entry = OwnEntry(request.fingerprint(), request, host, parent=parent or 1)
    entry.response = None
    return entry


def _moved(target: Entry) -> OwnEntry:
    """The entry of a redirect's target, for the same page."""
    entry = OwnEntry(
        target.fingerprint,
        target.request,
        target.host,
        depth=target.depth,
        parent=target.parent,
        redirects=target.redirects,
        chain=target.chain,
    )
    entry.response = None
    return entry


def _inheriting(
    request: Request, page: Request, purpose: Purpose, session: str = ""
) -> Request:
    """The request with session and proxy of its page unless it has others."""
    own, of_page = request.options, page.options
    if own.stream or own.errback:
        raise ConfigError(
            f"fetch({request.url!r}): stream and errback are for Requests that are "
            "yielded; fetch gives the response, or raises FetchError"
        )
    options = msgspec.structs.replace(
        own,
        session=own.session or session or of_page.session,
        proxy=own.proxy or of_page.proxy,
        purpose=purpose,
    )
    return request.with_options(options)


def _error(request: Request, outcome: Outcome) -> FetchError:
    """Why there is no response. It is the page's own failure: its host answered."""
    reason, detail = outcome.reason, outcome.detail
    if outcome.state is State.REDIRECTED:
        reason, detail = Reason.REDIRECT_INVALID, f"{detail} is out of scope"
    known = Reason(reason) if reason in set(Reason) else Reason.SPIDER_ERROR
    url = request.url
    return FetchError(
        known, f"fetch: {detail}", url=url, blame=Blame.PAGE, is_final=True
    )
