"""A cache of known URLs, in which most links of most pages are found."""

from __future__ import annotations

from itertools import islice

#: Maximum number of URLs in the cache.
RECENT = 100_000


class SeenCache(dict[int, int]):
    """Fingerprints of the most recent known URLs, with their depth; the oldest are
    dropped."""

    def __init__(self, limit: int = RECENT) -> None:
        super().__init__()
        self._limit = limit

    def add(self, known: dict[int, int]) -> None:
        """Add committed URLs with their depth."""
        self.update(known)
        if len(self) > self._limit:
            for fingerprint in list(islice(self, self._limit // 4)):
                del self[fingerprint]
