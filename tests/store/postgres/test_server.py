"""A pooler in front of the server: sessions are required."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")

import psycopg

from crawler.errors import StateError, StoreError
from crawler.store.postgres.server import PostgresServer
from crawler.store.postgres.store import PostgresStore
from crawler.store.sharing import Needs
from tests.pgbouncer import pooling
from tests.postgres import Server
from tests.store.values import START, done, entry, found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fe_sendauth: no password supplied", "cannot be used: fe_.*; set PGPASSWORD"),
        ("password authentication failed for user x", "; correct PGPASSWORD"),
        ('database "nodb" does not exist', "; create the database or the role"),
        (
            'connection to server at "::1" failed: Connection refused Is the server',
            "; start the server, or correct host and port in storage.url",
        ),
        (
            "server on socket failed: No such file or directory",
            "; start the server, or correct host in storage.url",
        ),
        (
            "failed to resolve host 'nodb': [Errno -2] Name or service not known",
            "; correct the host in storage.url",
        ),
        ('invalid port number: "99999"', "; correct the port in storage.url"),
        ("server closed the connection", "cannot be used now: server closed the"),
    ],
)
def test_a_refused_connection_says_what_to_do(text: str, told: str) -> None:
    server = PostgresServer("postgresql://crawl:secret@db.example/crawl")

    error = server.error_of(psycopg.OperationalError(text))

    assert isinstance(error, StoreError)
    assert re.search(told, str(error))
    assert "secret" not in str(error)


async def test_a_pooler_that_keeps_sessions_can_be_used(
    postgres: Server, database: str
) -> None:
    with pooling(postgres, "session") as url:
        store = PostgresStore(url)
        await store.open(START)
        for number in range(12):  # enough for prepared statements
            page = entry(str(number))
            await store.commit([found(page)])
            committed = await store.commit([done(page, "x")])
            await store.team.beat(Needs())
        await store.close(1.0)

    assert committed.counters.pages == committed.sequence == 12


@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_without_sessions_is_rejected(
    postgres: Server, database: str, mode: str
) -> None:
    with (
        pooling(postgres, mode) as url,
        pytest.raises(StateError, match="pool_mode = session"),
    ):
        await PostgresStore(url).open(START)
