"""Counters of a spider's own: `self.count("rows", 3)`.

Rule: a count lands in the commit of the page whose callback, errback or pipelines made
it. If the page is asked again, what it counted before is discarded.
"""

from __future__ import annotations

from crawler.errors import ConfigError, own_word
from crawler.spider.at_work import holder_of

#: Names that a run may count by: they stand in every commit and in the report.
MAX_NAMES = 1_000
_PLACES = (
    "start(), a callback, an errback, closing() or a pipeline's process(), whose "
    "commit it lands with"
)


def count(name: str, amount: int = 1) -> None:
    """Add to a counter of the spider's own; ConfigError outside of a page."""
    holder = holder_of(f"count({name!r})", _PLACES)
    if type(amount) is not int or amount < 0:
        raise ConfigError(
            f"count({name!r}, {amount!r}): a counter grows by whole numbers"
        )
    counts = holder.counts
    if counts is None:
        counts = holder.counts = {}
    word = own_word("count", name)
    counts[word] = counts.get(word, 0) + amount
