"""Runs for the tests of readers, made by real crawls."""

from __future__ import annotations

import asyncio
from pathlib import Path

from crawler.store.base import Answer, Outcome, State
from crawler.store.sqlite.store import SqliteStore
from tests.store.values import START, done, entry, found, items


def failed(page_path: str, reason: str, status: int = 0, *texts: str) -> Outcome:
    return Outcome(
        entry(page_path),
        State.FAILED,
        reason,
        answers=[Answer(status, "HTTP/1.1")] if status else [],
        items=items(*texts),
    )


def crawled(folder: Path, *outcomes: Outcome, index_every: int = 1) -> None:
    """One finished run that landed these, with two good pages."""
    asyncio.run(crawl(folder, *outcomes, index_every=index_every))


async def crawl(folder: Path, *outcomes: Outcome, index_every: int) -> None:
    pages = [entry("a"), entry("b")]
    store = SqliteStore(folder, index_every=index_every)
    await store.open(START)
    failing = [it.entry for it in outcomes if it.entry]
    await store.commit([found(*pages, *failing)])
    await store.commit([done(pages[0], "x", "y"), done(pages[1], "z"), *outcomes])
    await store.finish("finished", b'{"pages": 2}')
    await store.close(7.5)
