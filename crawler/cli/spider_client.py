"""One request as a spider asks: by its client, with its headers, cookies and layers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
from crawler.web.urls import origin_of


class Unpaced:
    """What `self.fetch` asks outside of a crawl: nothing is paced or counted."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.counts: dict[str, int] | None = None
        self.made = Made()

    def for_page(self, entry: Entry, clock: CallbackClock) -> Unpaced:
        """The same for every page."""
        return self

    def for_start(self) -> Unpaced:
        """The same for `start()`."""
        return self

    async def fetch(self, request: Request) -> Response:
        """The response behind all redirects, whatever its status."""
        return await follow(self._fetch, request.for_purpose("login"))


@asynccontextmanager
async def asking_as(
    spider: Spider, settings: Settings, url: str
) -> AsyncIterator[Fetch]:
    """What asks as the spider does; `url` counts as a start URL of the spider."""
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

        @asynccontextmanager
        async def within() -> AsyncIterator[None]:
            async with asyncio.timeout(settings.crawl.callback_timeout):
                with at_work.within(Unpaced(fetch)):
                    yield

        fetch = through_spider(spider, wire, sessions, within)
        yield fetch


async def fetch_as(spider: Spider, settings: Settings, request: Request) -> Response:
    """One response, read whole; redirects are followed. robots.txt is not asked."""
    async with (
        asking_as(spider, settings, request.url) as fetch,
        PageLoader(settings.http) as pages,
    ):
        response = await follow(fetch, request)
        await pages.examine(response)
        return response
