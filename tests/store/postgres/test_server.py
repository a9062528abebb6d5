"""A server behind a pooler: sessions are needed, and what has none is refused."""

from __future__ import annotations

import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")

from crawler.errors import StateError
from crawler.store.postgres.store import PostgresStore
from crawler.store.sharing import Needs
from tests.pgbouncer import pooling
from tests.postgres import Server
from tests.store.values import START, done, entry, found


async def test_a_pooler_that_keeps_sessions_is_used(
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
async def test_a_pooler_without_sessions_is_refused(
    postgres: Server, database: str, mode: str
) -> None:
    with (
        pooling(postgres, mode) as url,
        pytest.raises(StateError, match="pool_mode = session"),
    ):
        await PostgresStore(url).open(START)
