"""What every table of files must do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from crawler.settings import StorageSettings
from crawler.store.base import Store
from crawler.store.files import FileTable, KeptFile, path_key
from crawler.store.memory import MemoryStore
from crawler.store.open import open_store
from crawler.store.sqlite.store import SqliteStore
from tests.store.values import START, Clock

FILE = KeptFile("files", "https://a.example/1", "a/B.png", "00", 7, "image/png", '"1"')


@pytest.fixture(params=["memory", "durable", "shared"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryStore(clock=clock)
    elif request.param == "durable":
        made = SqliteStore(tmp_path, clock=clock)
    else:
        url = request.getfixturevalue("database")
        made = open_store(StorageSettings(url=url), "books", clock=clock)
    await made.open(START)
    yield made
    await made.close(1.0)


@pytest.fixture
async def table(store: Store) -> AsyncIterator[FileTable]:
    table = store.file_table("books")
    yield table
    await table.close()


async def test_a_file_is_found_by_its_folder_and_url(table: FileTable) -> None:
    await table.keep(FILE)

    assert await table.find("files", FILE.url) == FILE
    assert await table.find("other", FILE.url) is None
    assert await table.find("files", f"{FILE.url}2") is None


async def test_a_later_version_replaces_an_earlier_one(table: FileTable) -> None:
    later = msgspec.structs.replace(FILE, path="c.png", sha256="01", run=2)
    await table.keep(FILE)
    await table.keep(later)

    assert await table.find("files", FILE.url) == later
    assert await table.at("files", FILE.path) == []
    assert await table.at("files", "c.png") == [later]


async def test_paths_are_compared_without_case(
    table: FileTable,
) -> None:
    other = msgspec.structs.replace(FILE, url="https://a.example/2", path="A/b.PNG")
    await table.keep(FILE)
    await table.keep(other)

    found = await table.at("files", "A/B.png")
    assert sorted(file.url for file in found) == [FILE.url, other.url]
    assert await table.at("other", FILE.path) == []


def test_equal_keys_are_equal_paths() -> None:
    assert path_key("Caf\u00e9") == path_key("CAFE\u0301")
    assert path_key("STRASSE") == path_key("straße")
    assert path_key("a") != path_key("b")


async def test_a_durable_table_is_kept_after_its_run(tmp_path: Path) -> None:
    first, second = (SqliteStore(tmp_path).file_table("books") for _ in range(2))
    await first.keep(FILE)
    await first.close()

    assert await second.find("files", FILE.url) == FILE
    assert await SqliteStore(tmp_path).file_table("other").find("files", "") is None
    await second.close()
