"""One request as a spider asks: by its client, with its headers, cookies and layers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from crawler.http import ClientOptions
from crawler.layers.protocol import Fetch
from crawler.layers.redirects import follow
from crawler.layers.sessions import Sessions
from crawler.layers.wire import Wire
from crawler.message.request_parts import cookies
from crawler.request import Request
from crawler.response import Response
from crawler.run.api import private_beside
from crawler.run.assembly import through_spider
from crawler.run.page_loader import PageLoader
from crawler.run.run_plan import check_spider
from crawler.settings import Settings
from crawler.spider import Spider
from crawler.web.urls import origin_of


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
        timeout = settings.crawl.callback_timeout
        yield through_spider(spider, wire, sessions, timeout)


async def fetch_as(spider: Spider, settings: Settings, request: Request) -> Response:
    """One response, read whole; redirects are followed. robots.txt is not asked."""
    async with (
        asking_as(spider, settings, request.url) as fetch,
        PageLoader(settings.http) as pages,
    ):
        response = await follow(fetch, request)
        await pages.examine(response)
        return response
