"""What is this store's own: lost connections, doubtful commits, two that want a job."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")

from crawler.errors import JobLocked, StoreError
from crawler.store.base import State
from crawler.store.postgres.store import PostgresStore
from tests.postgres import Server
from tests.store.values import START, Clock, done, entry, found


@pytest.fixture
async def store(database: str, clock: Clock) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(database, clock=clock)
    await store.open(START)
    yield store
    await store.close(1.0)


async def test_a_commit_on_a_lost_connection_may_be_tried_again(
    store: PostgresStore, postgres: Server
) -> None:
    page = entry("a")
    group = [done(page, "x", requests=[entry("b")])]
    await store.commit([found(page)])
    postgres.cut()

    with pytest.raises(StoreError):
        await store.commit(group)
    committed = await store.commit(group)

    assert committed.counters.items == committed.counters.pages == 1
    assert [row.body for row in await store.items_after(0, 10)] == [b'"x"']


async def test_reading_on_a_lost_connection_makes_a_new_one(
    store: PostgresStore, postgres: Server
) -> None:
    await store.commit([found(entry("a"))])
    postgres.cut()

    (taken,) = await store.take("books.example", 10, (), 0.0)

    assert taken.url == "https://books.example/a"


async def test_a_job_that_another_process_runs_is_refused(
    store: PostgresStore, database: str
) -> None:
    with pytest.raises(JobLocked, match="is being run by process"):
        await PostgresStore(database).open(START)


async def test_priorities_and_depths_say_the_order(store: PostgresStore) -> None:
    await store.commit(
        [
            found(
                entry("deep", depth=2),
                entry("first", priority=5, depth=9),
                entry("flat", depth=1),
                entry("late", depth=1),
            )
        ]
    )

    taken = await store.take("books.example", 3, {entry("flat").fingerprint}, 0.0)

    assert [it.url.rpartition("/")[2] for it in taken] == ["first", "late", "deep"]
    assert [it.depth for it in taken] == [9, 1, 2]


async def test_a_page_lowered_while_it_is_out_ends_at_the_lower_depth(
    store: PostgresStore,
) -> None:
    await store.commit([found(entry("a", depth=5))])
    (page,) = await store.take("books.example", 1, (), 0.0)
    await store.commit([found(entry("a", depth=2))])

    await store.commit([done(page)])

    explained = await store.explain(page.fingerprint)
    assert explained is not None
    assert (explained.state, explained.depth) == (State.DONE, 2)
