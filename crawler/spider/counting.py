"""A spider's own counters: `self.count("rows", 3)`.

Rule: a count is committed with the page whose callback, errback or pipelines made it.
If the page is requested again, its earlier counts are discarded.
"""

from __future__ import annotations

from crawler.errors import ConfigError, own_word
from crawler.spider.at_work import holder_of

#: Maximum number of counter names in one run; every commit and the report hold them.
MAX_NAMES = 1_000
_PLACES = (
    "start(), a callback, an errback, closing() or a pipeline's process(), whose "
    "commit it lands with"
)


def count(name: str, amount: int = 1) -> None:
    """Add to a counter of the spider's own. ConfigError if no page is being
    processed."""
    holder = holder_of(f"count({name!r})", _PLACES)
    if type(amount) is not int or amount < 0:
        raise ConfigError(
            f"count({name!r}, {amount!r}): the amount must be a whole number"
        )
    counts = holder.counts
    if counts is None:
        counts = holder.counts = {}
    word = own_word("count", name)
    counts[word] = counts.get(word, 0) + amount
