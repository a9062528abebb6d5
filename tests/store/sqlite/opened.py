"""The durable store, opened and closed, for the tests of its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from crawler.store.base import (
    Opening,
    RunStart,
)
from crawler.store.sqlite.store import SqliteStore
from tests.store.values import START

HOST = "books.example"


@asynccontextmanager
async def opened(
    folder: Path, start: RunStart = START, **options: object
) -> AsyncIterator[tuple[SqliteStore, Opening]]:
    store = SqliteStore(folder, **options)  # type: ignore[arg-type]
    opening = await store.open(start)
    try:
        yield store, opening
    finally:
        await store.close(opening.seconds + 1.0)


def urls_of(entries: list[object]) -> list[str]:
    return [str(getattr(it, "url", "")).rpartition("/")[2] for it in entries]
