"""Known and skipped links are kept over a restart."""

from __future__ import annotations

from pathlib import Path

from crawler.stats import Counters
from crawler.store.base import (
    Outcome,
    Rejected,
    State,
)
from tests.store.sqlite.opened import opened
from tests.store.values import entry, found


async def test_a_link_that_was_accepted_later_is_not_skipped_after_a_resume(
    tmp_path: Path,
) -> None:
    page, link = entry("a"), entry("https://other.example/")
    rejected = Rejected(link.fingerprint, link.url, "scope", page.fingerprint)
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page), Outcome(None, rejected=[rejected])])
        await store.commit([found(link)])

    async with opened(tmp_path) as (store, opening):
        assert store.rejected == {}
        assert opening.counters == Counters(found=2)
        explained = await store.explain(link.fingerprint)
        assert explained is not None
        assert explained.state is State.PENDING


async def test_known_urls_beyond_the_cache_are_still_known(tmp_path: Path) -> None:
    async with opened(tmp_path, index_every=1) as (store, _):
        await store.commit([found(*(entry(str(n)) for n in range(50)))])

    async with opened(tmp_path) as (store, _):
        assert len(store.recent) == 0
        committed = await store.commit([found(*(entry(str(n)) for n in range(60)))])

    assert committed.counters == Counters(found=60)
    assert len(store.recent) == 60
