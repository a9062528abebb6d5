"""A spider's own counters: `self.count("rows", 3)`.

Rule: a count is committed with the page whose callback, errback or pipelines made it.
If the page is requested again, its earlier counts are discarded.
"""

from __future__ import annotations

from crawler.errors import ConfigError, own_word
from crawler.spider.at_work import holder_of

#: Maximum number of counter names in one run. The number is limited because every
#: commit and the report contain all counters.
MAX_NAMES = 1_000
_PLACES = (
    "start(), a callback, an errback, closing() or a pipeline's process(); the count "
    "is committed together with their results"
)


def count(name: str, amount: int = 1) -> None:
    """Add `amount` to the spider's own counter `name`. Raises ConfigError outside of
    the code of a page, `start()` or a hook."""
    holder = holder_of(f"count({name!r})", _PLACES)
    if type(amount) is not int or amount < 0:
        raise ConfigError(
            f"count({name!r}, {amount!r}): the amount must be a whole number, 0 or more"
        )
    counts = holder.counts
    if counts is None:
        counts = holder.counts = {}
    word = own_word("count", name)
    counts[word] = counts.get(word, 0) + amount
