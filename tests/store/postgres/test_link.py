"""The connection of a worker, and how its loss is handled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")

from crawler.errors import StoreError
from crawler.store.postgres.link import WorkerLink
from crawler.store.postgres.pipeline import transaction
from crawler.store.postgres.server import Connection, PostgresServer
from tests.postgres import Server


async def one(connection: Connection) -> object:
    return await (await connection.execute("SELECT 1")).fetchone()


async def test_a_lost_connection_is_reported_once(postgres: Server) -> None:
    link = WorkerLink(PostgresServer(postgres.uri))
    await link.once(one)
    postgres.cut()

    with pytest.raises(StoreError, match="cannot be used now"):
        await link.once(one)

    assert await link.once(one) == (1,)
    await link.close()


async def test_a_reader_opens_a_new_connection_by_itself(postgres: Server) -> None:
    link = WorkerLink(PostgresServer(postgres.uri))
    await link.once(one)
    postgres.cut()

    assert await link.steadily(one) == (1,)
    await link.close()


async def test_statements_after_a_failed_one_are_prepared_again(
    postgres: Server,
) -> None:
    full = "DO $$ BEGIN RAISE 'full' USING ERRCODE = 'disk_full'; END $$"

    def asking(*statements: str) -> Callable[[Connection], Awaitable[int]]:
        async def work(connection: Connection) -> int:
            async with transaction(connection, "run") as pipeline:
                sent = [await pipeline.send(statement) for statement in statements]
                return sum([len(await pipeline.rows(each)) for each in sent])

        return work

    link = WorkerLink(PostgresServer(postgres.uri))
    with pytest.raises(StoreError, match="full"):
        await link.once(asking(full))
    # A statement is prepared once it was sent five times.
    assert await link.once(asking(*["SELECT 1"] * 5)) == 5
    with pytest.raises(StoreError, match="full"):
        await link.once(asking(full, "SELECT 1"))

    assert await link.once(asking("SELECT 1")) == 1
    await link.close()
