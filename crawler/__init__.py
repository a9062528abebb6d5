"""An asyncio web crawler and scraper framework: exact, fast, polite by default.

    from crawler import Response, Results, Spider

    class Books(Spider):
        name = "books"
        start_urls = ["https://books.example/"]

        async def parse(self, response: Response) -> Results:
            for book in response.css("article.book"):
                yield {"title": book.text("h3")}
            yield response.follow_all("a.next, a.detail")

Every name is imported when it is first used (PEP 562), so that `import crawler` is
fast.
"""

from __future__ import annotations

from importlib import import_module

from crawler.version import __version__

# Type checkers treat this name as true. Importing it from `typing` would be slow.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from crawler.errors import (
        Blame,
        ConfigError,
        CrawlError,
        DropItem,
        ExtractError,
        FetchError,
        FormError,
        JobLocked,
        OutputExists,
        Reason,
        Retry,
        SelectorError,
        SinkError,
        Skip,
        StateError,
        StopCrawl,
    )
    from crawler.extraction.sources import css, linked_data
    from crawler.layers.proxies import Proxies
    from crawler.link_batch import LinkBatch
    from crawler.message.saving import Saved
    from crawler.page import Page
    from crawler.page.node import Node
    from crawler.pipelines import (
        Dedupe,
        File,
        Files,
        Image,
        Images,
        Map,
        Pipeline,
        Required,
        Validate,
    )
    from crawler.request import Request
    from crawler.response import LinkElement, Response
    from crawler.run.api import Crawl, crawl, crawl_items, fetch
    from crawler.run.observers import Observer
    from crawler.settings import Settings
    from crawler.sinks import Sink
    from crawler.spider import Arg, Failure, Results, Session, SessionPool, Spider
    from crawler.spider.feed_entries import FeedEntry
    from crawler.spider.feeds import FeedSpider
    from crawler.spider.rules import Rule, RuleSpider
    from crawler.spider.sitemaps import SitemapSpider
    from crawler.stats import FinishReason, Report
    from crawler.web.linked_item import LinkedItem

# For each module of the package: the names in it that users import from `crawler`.
_HOMES = {
    "crawler.run.api": ("Crawl", "crawl", "crawl_items", "fetch"),
    "crawler.errors": (
        "Blame",
        "ConfigError",
        "CrawlError",
        "DropItem",
        "ExtractError",
        "FetchError",
        "FormError",
        "JobLocked",
        "OutputExists",
        "Reason",
        "Retry",
        "SelectorError",
        "SinkError",
        "Skip",
        "StateError",
        "StopCrawl",
    ),
    "crawler.page.node": ("Node",),
    "crawler.extraction.sources": ("css", "linked_data"),
    "crawler.page": ("Page",),
    "crawler.layers.proxies": ("Proxies",),
    "crawler.pipelines": (
        "Dedupe",
        "File",
        "Files",
        "Image",
        "Images",
        "Map",
        "Pipeline",
        "Required",
        "Validate",
    ),
    "crawler.request": ("Request",),
    "crawler.run.observers": ("Observer",),
    "crawler.link_batch": ("LinkBatch",),
    "crawler.message.saving": ("Saved",),
    "crawler.response": ("LinkElement", "Response"),
    "crawler.settings": ("Settings",),
    "crawler.sinks": ("Sink",),
    "crawler.spider": (
        "Arg",
        "Failure",
        "Results",
        "Session",
        "SessionPool",
        "Spider",
    ),
    "crawler.spider.feed_entries": ("FeedEntry",),
    "crawler.spider.feeds": ("FeedSpider",),
    "crawler.spider.rules": ("Rule", "RuleSpider"),
    "crawler.spider.sitemaps": ("SitemapSpider",),
    "crawler.stats": ("FinishReason", "Report"),
    "crawler.web.linked_item": ("LinkedItem",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Arg",
    "Blame",
    "ConfigError",
    "Crawl",
    "CrawlError",
    "Dedupe",
    "DropItem",
    "ExtractError",
    "Failure",
    "FeedEntry",
    "FeedSpider",
    "FetchError",
    "File",
    "Files",
    "FinishReason",
    "FormError",
    "Image",
    "Images",
    "JobLocked",
    "LinkBatch",
    "LinkElement",
    "LinkedItem",
    "Map",
    "Node",
    "Observer",
    "OutputExists",
    "Page",
    "Pipeline",
    "Proxies",
    "Reason",
    "Report",
    "Request",
    "Required",
    "Response",
    "Results",
    "Retry",
    "Rule",
    "RuleSpider",
    "Saved",
    "SelectorError",
    "Session",
    "SessionPool",
    "Settings",
    "Sink",
    "SinkError",
    "SitemapSpider",
    "Skip",
    "Spider",
    "StateError",
    "StopCrawl",
    "Validate",
    "__version__",
    "crawl",
    "crawl_items",
    "css",
    "fetch",
    "linked_data",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'crawler' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
