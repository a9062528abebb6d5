"""Measures how far an output is behind the crawl, in items and in bytes. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.store.base import ItemRow

#: Size in bytes of the items by which an output may lag before the crawl waits for it.
MAX_LAG_BYTES = 32 * 1024**2


class Lag:
    """How far an output is behind the crawl: the number of the last item that was
    passed to the output, and the approximate size of an item."""

    def __init__(self, most: int, most_bytes: int = MAX_LAG_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        #: Approximate size in bytes of an item, from recent items.
        self._row_bytes = 0.0
        #: The number of the last item that was passed to the output.
        self.given = 0

    def is_small(self, sequence: int) -> bool:
        """Return whether the output is so few items and bytes behind item number
        `sequence` that the crawl need not wait."""
        lag = sequence - self.given
        return lag <= self._most and lag * self._row_bytes <= self._most_bytes

    def measure(self, rows: Sequence[ItemRow]) -> bool:
        """Update the approximate size of an item by the sizes of `rows`; return True if
        the approximate size has grown."""
        size = sum(len(row.body) for row in rows) / len(rows)
        before, self._row_bytes = self._row_bytes, max(size, self._row_bytes / 2)
        return self._row_bytes > before
