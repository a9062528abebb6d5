from __future__ import annotations

from crawler.store.recent import SeenCache


def test_the_oldest_known_urls_are_removed_first() -> None:
    recent = SeenCache(limit=8)

    recent.add(dict.fromkeys(range(6), 0))
    recent.add(dict.fromkeys(range(6, 10), 1))

    assert list(recent) == [2, 3, 4, 5, 6, 7, 8, 9]
