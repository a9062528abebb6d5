"""The runs of a job, and the names that a job may have."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from crawler.errors import ConfigError
from crawler.store.base import (
    RunStart,
)
from crawler.store.sqlite.store import SqliteStore
from tests.store.sqlite.opened import opened
from tests.store.values import entry, found


@pytest.mark.parametrize("job", ["", "a/b", ".hidden"])
async def test_an_invalid_job_name_is_rejected(tmp_path: Path, job: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a job"):
        await SqliteStore(tmp_path).open(RunStart(job, "books"))


async def test_any_other_job_name_is_accepted(tmp_path: Path) -> None:
    folder = tmp_path / "a folder? #1%20é"
    start = RunStart("bücher & more?.db", "books")

    async with opened(folder, start) as (store, _):
        await store.commit([found(entry("a"))])

    async with opened(folder, start) as (_, opening):
        assert opening.is_resumed
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_old_runs_are_pruned(tmp_path: Path) -> None:
    for _ in range(5):
        async with opened(tmp_path, keep_runs=3, keep_items=2) as (store, opening):
            await store.finish("finished", b"{}")

    assert opening.run == 5
    names = sorted(path.name for path in (tmp_path / "books.runs").iterdir())
    assert names == ["4.db", "5.db"]
    with sqlite3.connect(tmp_path / "books.db") as catalog:
        numbers = catalog.execute("SELECT number FROM runs").fetchall()
    catalog.close()
    assert numbers == [(3,), (4,), (5,)]
