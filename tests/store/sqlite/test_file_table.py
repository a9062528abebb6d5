"""The files of a job in their database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from crawler.errors import StateError
from crawler.store.files import KeptFile
from crawler.store.sqlite.file_table import SqliteFileTable


def file(number: int) -> KeptFile:
    return KeptFile("files", f"https://a.example/{number}", f"{number}", "", 1, "")


async def test_the_database_is_created_with_the_first_file(tmp_path: Path) -> None:
    path = tmp_path / "state" / "books.files"
    table = SqliteFileTable(path)
    assert not path.exists()

    await table.keep(file(1))
    await table.close()

    assert path.stat().st_mode & 0o777 == 0o600


async def test_several_tasks_may_use_the_table_at_once(tmp_path: Path) -> None:
    table = SqliteFileTable(tmp_path / "books.files")
    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(table.keep, file(number))

    found = [await table.find("files", file(number).url) for number in range(50)]
    assert found == [file(number) for number in range(50)]
    await table.close()


async def test_a_foreign_file_in_its_place_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "books.files"
    path.write_text("not a database")
    table = SqliteFileTable(path)

    with pytest.raises(StateError, match=r"books\.files"):
        await table.find("files", "https://a.example/1")

    assert path.read_text() == "not a database"


async def test_a_newer_version_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "books.files"
    table = SqliteFileTable(path)
    await table.keep(file(1))
    await table.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(StateError, match="newer"):
        await table.find("files", file(1).url)
