"""A cache of known URLs: most links of most pages are found in it."""

from __future__ import annotations

from itertools import islice

#: URLs that are kept.
RECENT = 100_000


class SeenCache(dict[int, int]):
    """The latest known fingerprints with their depth; the oldest make room."""

    def __init__(self, limit: int = RECENT) -> None:
        super().__init__()
        self._limit = limit

    def add(self, known: dict[int, int]) -> None:
        """Add URLs that are committed, with their depth."""
        self.update(known)
        if len(self) > self._limit:
            for fingerprint in list(islice(self, self._limit // 4)):
                del self[fingerprint]
