"""The connection of a worker, and what is done when it is lost."""

from __future__ import annotations

import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")

from crawler.errors import StoreError
from crawler.store.postgres.link import WorkerLink
from crawler.store.postgres.server import Connection, PostgresServer
from tests.postgres import Server


async def one(connection: Connection) -> object:
    return await (await connection.execute("SELECT 1")).fetchone()


async def test_a_lost_connection_is_an_error_once(postgres: Server) -> None:
    link = WorkerLink(PostgresServer(postgres.uri))
    await link.once(one)
    postgres.cut()

    with pytest.raises(StoreError, match="cannot be used now"):
        await link.once(one)

    assert await link.once(one) == (1,)
    await link.close()


async def test_a_reader_makes_a_new_connection_by_itself(postgres: Server) -> None:
    link = WorkerLink(PostgresServer(postgres.uri))
    await link.once(one)
    postgres.cut()

    assert await link.steadily(one) == (1,)
    await link.close()
