"""The store that the settings select, and its reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.settings import StorageSettings
from crawler.store.memory import MemoryStore
from crawler.store.open import open_reader, open_store, retry_failed
from crawler.store.sqlite.store import SqliteStore
from tests.store.sqlite.made_runs import crawled, failed
from tests.store.values import START


@pytest.mark.parametrize(
    ("job", "mode", "kind"),
    [
        pytest.param(None, "durable", MemoryStore, id="no job"),
        pytest.param("books", "memory", MemoryStore, id="mode memory"),
        pytest.param("books", "durable", SqliteStore, id="durable"),
    ],
)
def test_a_job_is_stored_on_disk_unless_the_settings_say_memory(
    tmp_path: Path, job: str | None, mode: str, kind: type
) -> None:
    storage = StorageSettings(dir=str(tmp_path), mode=mode)  # type: ignore[arg-type]

    assert isinstance(open_store(storage, job), kind)


async def test_a_reader_finds_the_state_that_a_store_wrote_in_the_project(
    tmp_path: Path,
) -> None:
    store = open_store(StorageSettings(dir=str(tmp_path / "state")), "books")
    await store.open(START)
    await store.close(1.0)

    reader = open_reader(StorageSettings(dir="state"), tmp_path)

    assert reader.place == str(tmp_path / "state")


def test_failed_pages_of_a_job_are_put_back(tmp_path: Path) -> None:
    crawled(tmp_path, failed("slow", "read_timeout"), failed("gone", "http_status"))
    storage = StorageSettings(dir=str(tmp_path))

    number = retry_failed(storage, "books", reasons=["read_timeout"])

    assert number == 1
    assert open_reader(storage).runs("books")[0].finished is None


def test_a_url_selects_the_shared_store_and_its_reader() -> None:
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    storage = StorageSettings(url="postgresql://u:secret@h:5433/db")

    assert type(open_store(storage, "books")).__name__ == "PostgresStore"
    assert open_reader(storage).place == "postgresql://h:5433/db"
    memory = StorageSettings(url=storage.url, mode="memory")
    assert isinstance(open_store(memory, "books"), MemoryStore)
