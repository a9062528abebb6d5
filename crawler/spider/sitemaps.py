"""SitemapSpider: crawls the pages that a site's sitemaps list.

    class News(SitemapSpider):
        name = "news"
        start_urls = ["https://news.example/"]   # its robots.txt names the sitemaps
        since = "2026-01-01"
        rules = [Rule("*/article/*", callback="parse_article")]

Rule: a sitemap is streamed, so it may have any size. The URLs in it are treated as
links: scope, depth and the other filters apply.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from crawler.errors import ConfigError
from crawler.link_batch import LinkBatch
from crawler.request import Request
from crawler.response import Response
from crawler.spider.base import Failure, Results, Spider
from crawler.spider.rules import Rule, check_rules
from crawler.web import sitemaps, urls
from crawler.web.robots_txt import MAX_BYTES
from crawler.web.sitemaps import SitemapEntry, SitemapParser

logger = logging.getLogger(__name__)

#: Maximum number of levels of sitemap indexes (an index may list other indexes);
#: sitemaps.org allows one level.
MAX_INDEXES = 3


class SitemapSpider(Spider):
    """Crawls the pages in the sitemaps `sitemap_urls`, or in the sitemaps that the
    sites' robots.txt name.

    If a robots.txt names no sitemap, `/sitemap.xml` is tried. The response of each page
    goes to the callback of the first rule that matches its URL, or to `parse` if there
    are no rules.
    """

    #: URLs of the sitemaps to read. Empty: the sitemaps that robots.txt names are read.
    sitemap_urls: Sequence[str] = ()
    #: Which pages are fetched, and which callback receives their responses. Empty: all
    #: pages are fetched, for the callback `parse`.
    rules: Sequence[Rule] = ()
    #: Skip pages that were last changed before this time. Pages without a date are
    #: kept.
    since: str | date | datetime | None = None
    #: Whether the pages in other languages, which a sitemap names by hreflang, are
    #: fetched, too.
    alternates: bool = False

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        check_rules(cls, cls.rules)

    async def start(self) -> Results:
        """Yield requests for the sitemaps, or for the robots.txt files that name
        them."""
        for url in self.sitemap_urls:
            yield Request(url, "parse_sitemap", stream=True)
        if self.sitemap_urls:
            return
        canonical = map(urls.canonical, self.start_urls)
        for origin in dict.fromkeys(map(urls.origin_of, canonical)):
            yield Request(
                f"{origin}/robots.txt",
                "parse_robots",
                stream=True,
                errback="robots_failed",
            )

    async def parse_robots(self, response: Response) -> Results:
        """Yield requests for the sitemaps that a robots.txt names in its Sitemap lines
        (RFC 9309 section 2.2.4)."""
        body = b""
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) >= MAX_BYTES:
                break
        lines = body[:MAX_BYTES].decode("utf-8", "replace").splitlines()
        named = [found[1] for line in lines if (found := _SITEMAP.match(line))]
        for request in self._sitemaps(response, named or ["/sitemap.xml"]):
            yield request

    async def robots_failed(self, failure: Failure) -> Results:
        """Yield a request for `/sitemap.xml`, because robots.txt could not be
        fetched."""
        url = urls.join(failure.request.url, "/sitemap.xml")
        yield Request(url, "parse_sitemap", stream=True)

    async def parse_sitemap(self, response: Response) -> Results:
        """Yield links to the pages in a sitemap, or requests for the sitemaps in a
        sitemap index."""
        parser = SitemapParser()
        async for piece in response.aiter_bytes():
            for batch in self._batches(response, parser.feed(piece)):
                yield batch
            if parser.error:
                break
        for batch in self._batches(response, parser.close()):
            yield batch
        if parser.error:
            logger.warning(
                "Sitemap %s cannot be read to its end: %s; the URLs before the error "
                "are kept",
                response.url,
                parser.error,
            )

    def _batches(
        self, response: Response, entries: list[SitemapEntry]
    ) -> Iterator[LinkBatch | Request]:
        maps = [entry.url for entry in entries if entry.is_sitemap]
        yield from self._sitemaps(response, maps)
        since = moment_of(self.since)
        pages = [entry for entry in entries if not entry.is_sitemap]
        references = [
            url for entry in pages if _is_new(entry, since) for url in self._urls(entry)
        ]
        for callback, taken, rule in self._sorted(references):
            yield response.follow_urls(
                taken,
                callback,
                deny=rule.deny,
                allow=rule.allow,
                priority=rule.priority,
                meta=rule.meta,
            )

    def _urls(self, entry: SitemapEntry) -> Iterator[str]:
        yield entry.url
        if self.alternates:
            yield from (url for _, url in entry.alternates)

    def _sorted(self, references: list[str]) -> Iterator[tuple[str, list[str], Rule]]:
        """Group URLs by the first rule that matches; yield (callback, URLs, rule) for
        each group."""
        if not self.rules:
            if references:
                yield "parse", references, Rule()
            return
        left = references
        for rule in self.rules:
            where = None if rule.where is None else urls.Patterns((rule.where,))
            taken = [url for url in left if where is None or where.matches(url)]
            left = [url for url in left if where is not None and not where.matches(url)]
            if taken:
                yield rule.callback_name or "parse", taken, rule

    def _sitemaps(self, response: Response, references: list[str]) -> Iterator[Request]:
        """Yield requests for the sitemaps that an index or a robots.txt names. Yields
        nothing if the index is nested in more than MAX_INDEXES other indexes."""
        depth = (response.request.depth or 0) + 1
        if references and depth > MAX_INDEXES + 1:
            logger.warning(
                "Sitemap %s is nested in more than %d sitemap indexes, so the sitemaps "
                "that it lists are skipped",
                response.url,
                MAX_INDEXES,
            )
            return
        for reference in references:
            try:
                url = urls.join(response.url, reference)
            except urls.InvalidUrl as exc:
                logger.warning(
                    "Sitemap %r, listed in %s, is skipped, because its URL is invalid: "
                    "%s",
                    reference,
                    response.url,
                    exc,
                )
                continue
            yield Request(url, "parse_sitemap", stream=True, depth=depth)


_SITEMAP = re.compile(r"\s*sitemap\s*:\s*(\S+)", re.IGNORECASE)


def _is_new(entry: SitemapEntry, since: datetime | None) -> bool:
    if since is None:
        return True
    modified = entry.modified
    return modified is None or modified >= since


def moment_of(since: str | date | datetime | None) -> datetime | None:
    """Return the value of `SitemapSpider.since` as a time in UTC; None if `since` is
    not set. Raises ConfigError if `since` is text that is not a date."""
    if since is None or since == "":
        return None
    if isinstance(since, str):
        found = sitemaps.moment(since)
        if found is None:
            raise ConfigError(
                f"the spider's since = {since!r} is not a date; write a date such as "
                "2026-01-31"
            )
        return found
    if not isinstance(since, datetime):
        since = datetime(since.year, since.month, since.day)  # noqa: DTZ001  # UTC below
    return since.replace(tzinfo=UTC) if since.tzinfo is None else since.astimezone(UTC)
