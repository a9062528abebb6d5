"""How far an output is behind the crawl, in items and in bytes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.store.base import ItemRow

#: Bytes of items by which an output may lag before the crawl waits for it.
MAX_LAG_BYTES = 32 * 1024**2


class Lag:
    """Knows the last item that was handed to an output, and how large items are."""

    def __init__(self, most: int, most_bytes: int = MAX_LAG_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        #: About how many bytes an item has, of late.
        self._row_bytes = 0.0
        #: The last item that was handed over.
        self.given = 0

    def is_small(self, sequence: int) -> bool:
        """Whether the output lags by few items, and by few bytes as far as is known,
        behind this last committed item."""
        lag = sequence - self.given
        return lag <= self._most and lag * self._row_bytes <= self._most_bytes

    def measure(self, rows: Sequence[ItemRow]) -> bool:
        """Learn how large items are; True if they have become larger."""
        size = sum(len(row.body) for row in rows) / len(rows)
        before, self._row_bytes = self._row_bytes, max(size, self._row_bytes / 2)
        return self._row_bytes > before
