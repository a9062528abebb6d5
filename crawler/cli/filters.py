"""Builds the link filter of a spider for commands that do not crawl."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.run.link_filter import LinkFilter
from crawler.run.run_plan import scope_of
from crawler.settings import Settings
from crawler.spider import Spider
from crawler.web.file_extensions import unwanted


def intake_of(
    spider: Spider, settings: Settings, scope_members: Iterable[str] = ()
) -> LinkFilter:
    """Return the link filter of a new crawl, which knows no URL yet.

    `scope_members` are the hosts that an earlier run added to the scope (the hosts
    whose pages may be crawled).
    """
    scope = scope_of(spider)
    scope.restore(scope_members)
    return LinkFilter(
        scope,
        depth=settings.crawl.depth,
        max_url=settings.http.max_url,
        skip_extensions=unwanted(settings.crawl.skip_extensions, spider.accepts),
        form=settings.url_identity(),
        known={},
        left_out={},
        start_names=set(),
    )
