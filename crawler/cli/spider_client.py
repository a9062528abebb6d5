"""Sends one request as a spider would, outside of a crawl: with the client, headers and
cookies of the spider, and with its layers around each request."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
)
from typing import Any

from crawler.errors import ConfigError
from crawler.http import ClientOptions
from crawler.layers.protocol import Fetch
from crawler.layers.redirects import follow
from crawler.layers.sessions import Sessions
from crawler.layers.wire import Wire
from crawler.message.request_parts import cookies
from crawler.request import Entry, Request
from crawler.response import Response
from crawler.run.api import private_beside
from crawler.run.assembly import through_spider
from crawler.run.callback_clock import CallbackClock
from crawler.run.made_fetches import Made
from crawler.run.page_loader import PageLoader
from crawler.run.run_plan import check_spider
from crawler.settings import Settings
from crawler.spider import Spider, at_work
from crawler.spider.at_work import Receiving
from crawler.web.urls import origin_of


class Unpaced:
    """Runs the hooks of a spider, such as `prepare`, outside of a crawl, and sends the
    requests that the spider makes with `Spider.fetch`.

    No request waits because of limits for its host. The methods are those of the
    classes that a crawl uses instead; here most of them do nothing.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.counts: dict[str, int] | None = None
        self.made = Made()
        #: The function that sends a request. It is set after this object is made, when
        #: the layers around each request are built.
        self.ask: Fetch

    def for_page(self, entry: Entry, clock: CallbackClock) -> Unpaced:
        """Return this object, which sends the requests for every page."""
        return self

    def for_start(self) -> Unpaced:
        """Return this object, which also sends the requests of `start()`."""
        return self

    def waits(self, entry: Entry, *, asked: bool) -> None:
        """Do nothing. In a crawl this method lets other requests be sent to the host
        while a callback waits; here there are no other requests."""

    def lent(self) -> AbstractAsyncContextManager[None]:
        """Return a context that does nothing. In a crawl other requests may be sent to
        the host while the block runs; here there are no other requests."""
        return nullcontext()

    def receiving(self) -> AbstractContextManager[Receiving]:
        """Raise ConfigError: files of items are downloaded only in a crawl."""
        raise _no_files()

    async def run(self, hook: Callable[[], Any], session: str = "") -> Any:
        """Run the hook and return its result.

        The requests of the hook use the given session. Raise TimeoutError after
        `crawl.callback_timeout`.
        """
        async with asyncio.timeout(self._seconds):
            with at_work.within(Hooked(self, session)):
                made = hook()
                return await made if inspect.isawaitable(made) else made

    async def fetch(self, request: Request) -> Response:
        """Fetch the request and follow redirects. Return the response, whatever its
        status."""
        return await follow(self.ask, request)


class Hooked:
    """Fetches pages for a hook of the spider, such as `prepare`, while the hook runs.

    These requests do not call hooks again.
    """

    def __init__(self, work: Unpaced, session: str) -> None:
        self._work = work
        self._session = session
        self.counts: dict[str, int] | None = None

    def receiving(self) -> AbstractContextManager[Receiving]:
        """Raise ConfigError: files of items are downloaded only in a crawl."""
        raise _no_files()

    async def fetch(self, request: Request) -> Response:
        """Fetch the request; if the request names no session, use that of the hook."""
        if self._session and not request.options.session:
            request = request.replace(session=self._session)
        return await self._work.fetch(request.for_purpose("login"))


def _no_files() -> ConfigError:
    return ConfigError("Files: only a crawl downloads files; use crawl run")


@asynccontextmanager
async def asking_as(
    spider: Spider, settings: Settings, url: str
) -> AsyncIterator[Unpaced]:
    """Yield an object that sends requests as the spider does.

    `url` counts as a start URL of the spider, so cookies and credentials of the spider
    are sent to the origin of `url`.
    """
    check_spider(spider)
    origins = {origin_of(url)}
    options = ClientOptions(
        settings,
        auth=spider.auth,
        headers=spider.headers,
        allow_private=private_beside(settings, url),
    )
    sessions = Sessions(
        time.time, {}, given=cookies(spider.cookies or {}), origins=origins
    )
    async with spider.client(options) as client:
        wire = Wire(client, origins)

        work = Unpaced(settings.crawl.callback_timeout)
        work.ask = through_spider(spider, wire, sessions, work)
        yield work


async def fetch_as(spider: Spider, settings: Settings, request: Request) -> Response:
    """Fetch one response with its body, as the spider would.

    Redirects are followed. robots.txt is not checked.
    """
    async with (
        asking_as(spider, settings, request.url) as work,
        PageLoader(settings.http) as pages,
    ):
        response = await work.fetch(request)
        await pages.examine(response)
        return response
