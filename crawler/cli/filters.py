"""A spider's filters, outside of any crawl."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.run.assembly import scope_of
from crawler.run.link_filter import SCOPE, LinkFilter
from crawler.settings import Settings
from crawler.spider import Spider


def intake_of(
    spider: Spider, settings: Settings, remembered: Iterable[str] = ()
) -> LinkFilter:
    """What judges links as a crawl would, one that knows no URL yet; `remembered` are
    the facts that an earlier run left."""
    scope = scope_of(spider)
    scope.restore(
        [name.removeprefix(SCOPE) for name in remembered if name.startswith(SCOPE)]
    )
    return LinkFilter(
        scope,
        depth=settings.crawl.depth,
        max_url=settings.http.max_url,
        known={},
        left_out={},
        start_names=set(),
    )
