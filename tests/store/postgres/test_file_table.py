"""The files of a job in the shared database."""

from __future__ import annotations

import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")

from crawler.settings import StorageSettings
from crawler.store.files import KeptFile
from crawler.store.open import open_store
from crawler.store.postgres.file_table import PostgresFileTable
from crawler.store.postgres.link import WorkerLink
from crawler.store.postgres.server import PostgresServer
from tests.postgres import Server
from tests.store.values import START

FILE = KeptFile("files", "https://a.example/1", "a.png", "00", 7, "image/png")


async def test_processes_share_the_files_of_a_job(database: str) -> None:
    store = open_store(StorageSettings(url=database), "books")
    await store.open(START)
    one, other, stranger = (
        PostgresFileTable(WorkerLink(PostgresServer(database)), job)
        for job in ("books", "books", "news")
    )
    await one.keep(FILE)

    assert await other.find("files", FILE.url) == FILE
    assert await stranger.find("files", FILE.url) is None
    assert await stranger.at("files", FILE.path) == []
    for table in (one, other, stranger):
        await table.close()
    await store.close(1.0)


async def test_a_lost_connection_is_opened_again(
    postgres: Server, database: str
) -> None:
    store = open_store(StorageSettings(url=database), "books")
    await store.open(START)
    table = PostgresFileTable(WorkerLink(PostgresServer(database)), "books")
    await table.keep(FILE)
    postgres.cut()

    assert await table.find("files", FILE.url) == FILE
    await table.close()
    await store.close(1.0)
