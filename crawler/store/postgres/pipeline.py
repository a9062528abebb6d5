"""Sends several statements of one run together, and reads their responses together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from crawler.store.postgres import statements
from crawler.store.postgres.server import Connection

Cursor = psycopg.AsyncCursor[tuple[Any, ...]]


class StatementPipeline:
    """Sends the statements of one transaction to the server.

    `send` does not wait for a response; fetching rows from its result does.
    """

    def __init__(self, connection: Connection, schema: str) -> None:
        self.connection = connection
        self.schema = schema

    async def send(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
        text = statements.of_run(statement, self.schema)
        cursor = self.connection.cursor(binary=True)
        return await cursor.execute(text, values)

    async def rows(self, cursor: Cursor | None) -> list[tuple[Any, ...]]:
        """Return the rows of a response; an empty list if the response is None."""
        return [] if cursor is None else await cursor.fetchall()


@asynccontextmanager
async def transaction(
    connection: Connection, schema: str
) -> AsyncIterator[StatementPipeline]:
    """Open a transaction in pipeline mode.

    The transaction is committed at the end of the block, or rolled back after an
    exception.
    """
    pipeline = StatementPipeline(connection, schema)
    try:
        async with connection.pipeline():
            await connection.execute("BEGIN")
            yield pipeline
            commit = await connection.execute("COMMIT")
        if commit.statusmessage != "COMMIT":
            raise psycopg.errors.TransactionRollback(
                "PostgreSQL has rolled back the crawler's transaction, not committed it"
            )
    except BaseException:
        status = connection.info.transaction_status
        if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            await connection.execute("ROLLBACK")
        raise
