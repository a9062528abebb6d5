"""Databases that are damaged, foreign, newer, older or incomplete."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from crawler.errors import StateError
from crawler.store.sqlite import schema
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore
from tests.store.values import START, done, entry, found

FRESH = msgspec.structs.replace(START, fresh=True)
Damage = Callable[[Path], None]


def crawl(folder: Path, *, is_fresh: bool = False) -> int:
    """Run a small crawl that stays unfinished; the number of its run."""
    return asyncio.run(_crawl(folder, is_fresh))


async def _crawl(folder: Path, is_fresh: bool) -> int:
    store = SqliteStore(folder)
    opening = await store.open(FRESH if is_fresh else START)
    pages = [entry(str(number)) for number in range(300)]
    await store.commit([found(*pages)])
    await store.commit([done(page, "x" * 200) for page in pages[:200]])
    await store.close(1.0)
    return opening.run


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def zeroed(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(8192))


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs(x)")
    other.close()


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [cut_short, emptied, garbage, zeroed, foreign, gone])
@pytest.mark.parametrize("name", ["books.db", "books.runs/1.db"])
def test_a_damaged_database_is_rejected_and_kept(
    tmp_path: Path, name: str, damage: Damage
) -> None:
    crawl(tmp_path)
    path = tmp_path / name
    damage(path)
    before = path.read_bytes() if path.exists() else None

    with pytest.raises(StateError, match=r"is damaged.*--fresh.*--job"):
        asyncio.run(SqliteStore(tmp_path).open(START))

    assert (path.read_bytes() if path.exists() else None) == before
    with pytest.raises(StateError):
        SqliteReader(tmp_path).run("books").explain(1)


@pytest.mark.parametrize("damage", [cut_short, emptied, garbage, zeroed, foreign, gone])
@pytest.mark.parametrize("name", ["books.db", "books.runs/1.db"])
def test_fresh_creates_a_database_beside_a_damaged_one(
    tmp_path: Path, name: str, damage: Damage
) -> None:
    crawl(tmp_path)
    damage(tmp_path / name)
    before = {path.read_bytes() for path in tmp_path.rglob("*.db")}

    crawl(tmp_path, is_fresh=True)

    after = {path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    kept = before if name == "books.db" else before - {_catalog(before)}
    assert kept <= after


def _catalog(contents: set[bytes]) -> bytes:
    mark = schema.APPLICATION_ID["job"].to_bytes(4, "big")
    return next((text for text in contents if text[68:72] == mark), b"")


def test_a_newer_database_is_rejected(tmp_path: Path) -> None:
    crawl(tmp_path)
    with sqlite3.connect(tmp_path / "books.runs" / "1.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StateError, match=r"newer version.*schema is 99.*upgrade"):
        asyncio.run(SqliteStore(tmp_path).open(START))


def test_an_older_database_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "job.db"
    first = "CREATE TABLE a(x); INSERT INTO a VALUES(7);"
    second = "ALTER TABLE a ADD COLUMN y DEFAULT 8;"
    schema.create(path, "job", (first,))

    connection = schema.connect(path, "job", steps=(first, second))

    assert connection.execute("SELECT * FROM a").fetchall() == [(7, 8)]
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


def test_a_failed_migration_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "job.db"
    first = "CREATE TABLE a(x);"
    schema.create(path, "job", (first,))

    with pytest.raises(StateError):
        schema.connect(path, "job", steps=(first, "DROP TABLE a; SELECT wrong;"))

    connection = schema.connect(path, "job", steps=(first,))
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
    connection.close()


def test_a_database_that_was_not_completely_created_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "books.runs").mkdir()
    (tmp_path / "books.db.new").write_bytes(b"half")
    (tmp_path / "books.runs" / "1.db.new").write_bytes(b"half")

    assert crawl(tmp_path) == 1


def test_a_run_file_that_the_catalog_does_not_name_is_replaced(
    tmp_path: Path,
) -> None:
    crawl(tmp_path)
    (tmp_path / "books.runs" / "2.db").write_bytes(b"made, and then killed")

    assert crawl(tmp_path, is_fresh=True) == 2
