"""Which run is opened, and which is rejected."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import StateError
from crawler.store.base import (
    RunStart,
)
from crawler.store.sqlite.store import SqliteStore
from tests.store.sqlite.opened import opened
from tests.store.values import START, entry, found


async def test_other_arguments_are_rejected_with_advice(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([found(entry("a"))])
    other = RunStart("books", "books", '{"shelf":"b"}', 1.0)

    with pytest.raises(StateError, match=r"shelf.*--fresh.*--job"):
        await SqliteStore(tmp_path).open(other)

    async with opened(tmp_path) as (_, opening):
        assert opening.is_resumed


async def test_another_spider_is_rejected(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass

    with pytest.raises(StateError, match=r"'books', not 'films'"):
        await SqliteStore(tmp_path).open(RunStart("books", "films"))


async def test_fresh_deletes_the_unfinished_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([found(entry("a"))])
    fresh = RunStart("books", "films", "[]", 5.0, fresh=True)

    async with opened(tmp_path, fresh) as (store, opening):
        assert (opening.run, opening.is_resumed) == (2, False)
        assert opening.hosts == {}


async def test_only_the_owner_can_read_the_state_of_a_job(tmp_path: Path) -> None:
    async with opened(tmp_path / "state"):
        pass

    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


async def test_a_folder_that_cannot_be_created_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StateError, match="file"):
        await SqliteStore(tmp_path / "file" / "state").open(START)
