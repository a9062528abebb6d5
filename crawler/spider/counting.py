"""Counters of a spider's own: `self.count("rows", 3)`.

Rule: a count lands in the commit of the page whose callback, errback or pipelines made
it. If the page is asked again, what it counted before is discarded.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

from crawler.errors import ConfigError, own_word

#: Names that a run may count by: they stand in every commit and in the report.
MAX_NAMES = 1_000


class Counting(Protocol):
    """What holds the counts until they land; None: nothing was counted."""

    counts: dict[str, int] | None


_current: ContextVar[Counting | None] = ContextVar("counting", default=None)


def begin(counting: Counting) -> None:
    """From now on counts of this task, and of tasks that it starts, go here."""
    _current.set(counting)


def count(name: str, amount: int = 1) -> None:
    """Add to a counter of the spider's own; ConfigError outside of a page."""
    counting = _current.get()
    if counting is None:
        raise ConfigError(
            f"count({name!r}): call it in start(), a callback, an errback or a "
            "pipeline's process(), whose commit it lands with"
        )
    if type(amount) is not int or amount < 0:
        raise ConfigError(
            f"count({name!r}, {amount!r}): a counter grows by whole numbers"
        )
    counts = counting.counts
    if counts is None:
        counts = counting.counts = {}
    word = own_word("count", name)
    counts[word] = counts.get(word, 0) + amount
