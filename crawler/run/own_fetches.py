"""Sends the requests of a spider's `fetch`: extra requests during a callback, `start()`
or a hook (`prepare` or a login).

The crawl's pace, robots.txt, retries, cookies and layers apply to such a request. The
request is not stored. So after a crash the crawl fetches the page again, and the
callback makes the request again.

Rule: the request never waits for a worker, so it cannot deadlock. A turn is the
permission to send one request to a host now. While a page waits for a response of
`fetch`, its own turn is returned, and another worker runs instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
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
from crawler.spider.at_work import Receiver, Receiving
from crawler.store.base import Outcome, State
from crawler.web import urls

#: Maximum number of calls of `fetch` for one page, by `start()`, or by one call of a
#: hook (`prepare` or a login).
MAX_FETCHES = 100


class OwnEntry(Entry):
    """A request of a spider's `fetch`, which only one page needs; it is not in the
    frontier (the queue of the crawl)."""

    __slots__ = ("home", "receiver", "response")

    #: The host of the page whose callback called `fetch`; empty for `start()`.
    home: str
    response: Response | None
    #: Receives the body as it arrives; None: the body is read as a whole.
    receiver: Receiver | None


class Unchanged:
    """Stands in for the sessions when a spider's `fetch` sends a request. It reports no
    changed cookies, because they are stored with the next page."""

    def changes(self) -> dict[tuple[str, str], bytes]:
        return {}


class Caught:
    """Stands in for the spider's callbacks when a spider's `fetch` sends a request: it
    keeps the response for the caller of `fetch`."""

    def __init__(self) -> None:
        self.fetched: dict[int, Made] = {}

    async def page(self, entry: Entry, response: Response) -> Effects:
        assert isinstance(entry, OwnEntry)
        if entry.receiver is not None:
            await entry.receiver.receive(response)
        entry.response = response
        return Effects()

    async def failure(
        self, entry: Entry, failure: Failure, response: Response | None
    ) -> Effects:
        return Effects()


class OwnFetches:
    """Sends the requests of a spider's `fetch`."""

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
        #: Returns a context manager that lets another worker run while this worker
        #: waits for a response.
        self.stand_in: Callable[[], AbstractContextManager[None]] = nullcontext

    def for_page(self, entry: Entry, clock: CallbackClock) -> PageFetches:
        """Return the object that sends the `fetch` requests of a page's callback."""
        return PageFetches(self, self._scheduler, entry, clock)

    def for_start(self) -> StartFetches:
        """Return the object that sends the `fetch` requests of `start()`."""
        return StartFetches(self)

    def for_hook(
        self, entry: Entry | None, session: str, clock: CallbackClock
    ) -> HookFetches:
        """Return the object that sends the `fetch` requests of a hook (`prepare` or a
        login). `entry` is the request that the hook prepares."""
        return HookFetches(self, entry, session, clock)

    def waits(self, entry: Entry, *, asked: bool) -> None:
        """Give back the turn of the page (its right to send one request to its host),
        because its callback begins to wait. The body of the page has been read."""
        if not isinstance(entry, OwnEntry):
            self._scheduler.free(entry, asked=asked)

    @asynccontextmanager
    async def lent(self, entry: Entry) -> AsyncIterator[None]:
        """While the `async with` block runs, let other requests to the host use the
        turn of `entry` (its right to be sent now). The request of `entry` has not been
        sent yet."""
        async with self._scheduler.lent(entry):
            with self.stand_in():
                yield

    async def response(
        self, request: Request, made: Made, page: Entry | None
    ) -> Response:
        """Send a request, and return the response after all redirects and retries.
        Raises FetchError.

        `page` is the entry of the page that waits for the response; None if no page
        waits.
        """
        made.count += 1
        made.asked += 1
        if made.asked > MAX_FETCHES:
            raise ConfigError(
                f"fetch({request.url!r}): fetch() was already called {MAX_FETCHES} "
                "times for this page; yield Requests instead"
            )
        return await self.received(request, made, page, None)

    async def received(
        self,
        request: Request,
        made: Made,
        page: Entry | None,
        receiver: Receiver | None,
    ) -> Response:
        """Send a request like `response`, but pass the body to `receiver`.

        The number of these requests is not limited, because the number of items, whose
        files they fetch, is limited.
        """
        entry = _entry_of(request, page)
        entry.receiver = receiver
        while True:
            if receiver is not None:
                entry.request = receiver.request(entry.request)
            await self._know_robots(entry)
            outcome = await self._visit(entry)
            made.add(outcome)
            if outcome.state is State.DONE and entry.response is not None:
                return entry.response
            if outcome.state is State.PENDING:
                await asyncio.sleep(max(0.0, outcome.due - self._clocks.wall()))
            elif outcome.state is State.REDIRECTED and outcome.requests:
                entry = _moved(outcome.requests[0], entry.home)
                entry.receiver = receiver
            else:
                raise _error(request, outcome)

    async def _visit(self, entry: OwnEntry) -> Outcome:
        host, kind = entry.host, entry.kind
        await self._scheduler.take_own_turn(host, kind, entry.home)
        is_asked = True
        try:
            outcome = await self._visitor.visit(entry)
            is_asked = outcome.is_asked
        finally:
            self._scheduler.own_turn_over(host, kind, asked=is_asked)
        return outcome

    async def _know_robots(self, entry: OwnEntry) -> None:
        """Wait until the robots.txt of the request's origin has been fetched."""
        robots = self._robots
        if robots is None:
            return
        proxy = robots.way_of(entry.request)
        origin = urls.origin_of(entry.url)
        while not robots.knows(origin, proxy):
            lock = self._asking.setdefault(origin, asyncio.Lock())
            async with lock:
                if robots.knows(origin, proxy):
                    return
                retry_at = await self._ask_robots(robots, entry, origin, proxy)
                if retry_at is not None:
                    await asyncio.sleep(retry_at - self._clocks.monotonic())

    async def _ask_robots(
        self, robots: RobotsTable, entry: OwnEntry, origin: str, proxy: str
    ) -> float | None:
        await self._scheduler.take_own_turn(entry.host, "", entry.home)
        try:
            return await robots.ask(origin, proxy)
        finally:
            self._scheduler.own_turn_over(entry.host, "", asked=True)


class PageFetches:
    """Sends the `fetch` requests of a callback or errback. The page's own request has
    ended, so its turn (the right to send one request to its host) is given back."""

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
        """Send the request with the session and the proxy of the page, unless the
        request names its own; return the response."""
        entry = self._entry
        if isinstance(entry, OwnEntry):
            raise ConfigError(
                f"fetch({request.url!r}): fetch() was called while another fetch() "
                "handles its response; call fetch() only in a callback"
            )
        request = _inheriting(request, entry.request, "page")
        with self._waiting():
            return await self._fetches.response(request, self.made, entry)

    @contextmanager
    def receiving(self) -> Iterator[Receiving]:
        """Return a context manager; its value sends requests for the files of the
        page's items."""
        with self._waiting():
            yield self

    async def receive(self, request: Request, receiver: Receiver) -> Response:
        """Send the request with the session and proxy of the page; `receiver` reads the
        body of the response."""
        entry = self._entry
        request = _inheriting(request, entry.request, "file")
        self.made.count += 1
        return await self._fetches.received(request, self.made, entry, receiver)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """While the `with` block runs, pause the time limit of the callback, and let
        one other worker run, even if several fetches run in parallel."""
        self._scheduler.free(self._entry, asked=True)
        stand_in = nullcontext() if self._clock.is_stopped else self._fetches.stand_in()
        with self._clock.stopped(), stand_in:
            yield


class StartFetches:
    """Sends the `fetch` requests of `start()`, which belong to no page and no
    worker."""

    def __init__(self, fetches: OwnFetches) -> None:
        self._fetches = fetches
        self.made = Made()

    async def fetch(self, request: Request) -> Response:
        """Send the request and return its response."""
        request = _inheriting(request, request, "page")
        return await self._fetches.response(request, self.made, None)

    @contextmanager
    def receiving(self) -> Iterator[Receiving]:
        """Return a context manager; its value sends requests for the files of items
        from `start()`."""
        yield self

    async def receive(self, request: Request, receiver: Receiver) -> Response:
        """Send the request; `receiver` reads the body of the response."""
        request = _inheriting(request, request, "file")
        self.made.count += 1
        return await self._fetches.received(request, self.made, None, receiver)


class HookFetches:
    """Sends the `fetch` requests of a hook (`prepare` or a login), which runs before
    its own request is sent. Meanwhile `HookWork` lends the turn of that request (its
    right to be sent now) to other requests."""

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
        """Raise ConfigError: a hook (`prepare` or a login) has no page whose results
        could include counts."""
        raise ConfigError(
            "count() cannot be called in prepare() or in a login, because no page "
            "would store the count; call it in a callback"
        )

    @counts.setter
    def counts(self, counts: dict[str, int] | None) -> None:
        raise AttributeError(
            "counts cannot be set in prepare() or in a login; set them in a callback"
        )

    def receiving(self) -> AbstractContextManager[Receiving]:
        """Raise ConfigError: a hook (`prepare` or a login) yields no items, so it
        receives no files."""
        raise ConfigError(
            "files cannot be fetched in prepare() or in a login; yield an item with "
            "files in a callback"
        )

    async def fetch(self, request: Request) -> Response:
        """Send the request and return its response. `prepare` and logins are not run
        for this request."""
        entry = self._entry
        if entry is None:
            raise ConfigError(
                f"fetch({request.url!r}): in prepare() and in a login, fetch() can "
                "be used only while a page is fetched; call fetch() in a callback"
            )
        request = _inheriting(request, entry.request, "login", self._session)
        with self._clock.stopped():
            return await self._fetches.response(request, self.made, entry)


def _entry_of(request: Request, page: Entry | None) -> OwnEntry:
    host, parent = urls.host_of(request.url), page.fingerprint if page else 1
    entry = OwnEntry(request.fingerprint(), request, host, parent=parent)
    entry.response = entry.receiver = None
    entry.home = page.host if page else ""
    return entry


def _moved(target: Entry, home: str) -> OwnEntry:
    """Return the entry (the request to send) for a redirect's target; the response goes
    to the same page."""
    entry = OwnEntry(
        target.fingerprint,
        target.request,
        target.host,
        depth=target.depth,
        parent=target.parent,
        redirects=target.redirects,
        chain=target.chain,
    )
    entry.response = entry.receiver = None
    entry.home = home
    return entry


def _inheriting(
    request: Request, page: Request, purpose: Purpose, session: str = ""
) -> Request:
    """Return the request with the session and the proxy of the page that makes it,
    unless the request names its own."""
    own, of_page = request.options, page.options
    if purpose != "file" and (own.stream or own.errback):
        raise ConfigError(
            f"fetch({request.url!r}): the Request has `stream` or `errback`, which "
            "fetch() does not support; remove them, or yield the Request"
        )
    options = msgspec.structs.replace(
        own,
        session=own.session or session or of_page.session,
        proxy=own.proxy or of_page.proxy,
        purpose=purpose,
    )
    return request.with_options(options)


def _error(request: Request, outcome: Outcome) -> FetchError:
    """Return the error for a `fetch` that got no usable response. The error does not
    slow down the host of the page whose callback called `fetch`, because that page was
    fetched successfully."""
    reason, detail = outcome.reason, outcome.detail
    if outcome.state is State.REDIRECTED:
        reason, detail = Reason.REDIRECT_INVALID, f"{detail} is out of scope"
    known = Reason(reason) if reason in set(Reason) else Reason.SPIDER_ERROR
    url = request.url
    return FetchError(
        known, f"fetch() failed: {detail}", url=url, blame=Blame.PAGE, is_final=True
    )
