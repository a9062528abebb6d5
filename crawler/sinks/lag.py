"""Measures how far an output is behind the crawl, in items and in bytes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.store.base import ItemRow

#: Bytes of items by which an output may lag before the crawl waits for it.
MAX_LAG_BYTES = 32 * 1024**2


class Lag:
    """Knows the last item passed to an output, and the approximate size of items."""

    def __init__(self, most: int, most_bytes: int = MAX_LAG_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        #: Approximate bytes of an item, over recent items.
        self._row_bytes = 0.0
        #: The number of the last item passed on.
        self.given = 0

    def is_small(self, sequence: int) -> bool:
        """Return whether the output is only a few items, and a few bytes, behind item
        `sequence`."""
        lag = sequence - self.given
        return lag <= self._most and lag * self._row_bytes <= self._most_bytes

    def measure(self, rows: Sequence[ItemRow]) -> bool:
        """Update the size of items; return True if it has grown."""
        size = sum(len(row.body) for row in rows) / len(rows)
        before, self._row_bytes = self._row_bytes, max(size, self._row_bytes / 2)
        return self._row_bytes > before
