"""What only this store does: lost connections, uncertain commits, several processes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import msgspec
import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")

import psycopg

from crawler.errors import JobLocked, LeaseLost, NoRun, StateError, StoreError
from crawler.store.base import Facts, Outcome, Portion, State
from crawler.store.files import KeptFile
from crawler.store.postgres import statements as sql
from crawler.store.postgres.beat import PATIENCE
from crawler.store.postgres.cleaning import clean
from crawler.store.postgres.pipeline import transaction
from crawler.store.postgres.server import Connection, PostgresServer
from crawler.store.postgres.store import PostgresStore
from crawler.store.sharing import Needs, shard_of
from tests.postgres import GUEST, PASSWORD, Server
from tests.store.values import START, Clock, done, entry, found


@pytest.fixture
async def store(database: str, clock: Clock) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(database, clock=clock)
    await store.open(START)
    yield store
    await store.close(1.0)


async def test_a_commit_on_a_lost_connection_can_be_repeated(
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


async def test_reading_on_a_lost_connection_opens_a_new_one(
    store: PostgresStore, postgres: Server
) -> None:
    await store.commit([found(entry("a"))])
    postgres.cut()

    (taken,) = await store.take("books.example", 10, (), 0.0)

    assert taken.url == "https://books.example/a"


async def test_a_job_that_another_process_runs_is_rejected(
    store: PostgresStore, database: str
) -> None:
    with pytest.raises(JobLocked, match="is being run by process"):
        await PostgresStore(database).open(START)


async def test_pending_pages_are_ordered_by_priority_and_depth(
    store: PostgresStore,
) -> None:
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


async def test_a_page_whose_depth_is_lowered_in_flight_ends_at_the_lower_depth(
    store: PostgresStore,
) -> None:
    await store.commit([found(entry("a", depth=5))])
    (page,) = await store.take("books.example", 1, (), 0.0)
    await store.commit([found(entry("a", depth=2))])

    await store.commit([done(page)])

    explained = await store.explain(page.fingerprint)
    assert explained is not None
    assert (explained.state, explained.depth) == (State.DONE, 2)


JOINING = msgspec.structs.replace(START, is_leader=False)


async def test_a_worker_whose_work_was_taken_over_commits_nothing(
    store: PostgresStore, postgres: Server
) -> None:
    """Without the fence in each commit this page would land."""
    page = entry("a")
    await store.commit([found(page)])
    postgres.execute("UPDATE crawler_run_1.workers SET dead = true")

    with pytest.raises(LeaseLost, match="taken over"):
        await store.commit([done(page, "x")])
    with pytest.raises(LeaseLost, match="taken over"):
        await store.set_sink_position("out", "7")
    with pytest.raises(LeaseLost, match="taken over"):
        await store.team.beat(Needs())

    assert await store.items_after(0, 10) == []
    assert not store.team.is_held()


@pytest.mark.parametrize(
    "loss",
    [
        # A beat that the worker knows to be committed.
        "UPDATE crawler_run_1.workers SET expires = expires - interval '1 ms'",
        # Besides, another worker has taken its shards before it noticed the loss.
        (
            "UPDATE crawler_run_1.workers SET expires = expires - interval '1 ms', "
            "dead = true"
        ),
        # The transaction in which it joined: its number is nobody's, or another's.
        "DELETE FROM crawler_run_1.workers",
        (
            "UPDATE crawler_run_1.workers SET joined = joined + interval '1 ms', "
            "commits = 100"
        ),
    ],
)
async def test_a_worker_with_an_unexpected_row_notices_lost_commits(
    store: PostgresStore, postgres: Server, loss: str
) -> None:
    await store.commit([found(entry("a"))])
    await store.team.beat(Needs())
    postgres.execute(loss)

    with pytest.raises(LeaseLost, match="lost commits that it had confirmed"):
        await store.team.beat(Needs())

    assert not store.team.is_held()


async def test_a_worker_whose_number_was_given_away_commits_nothing(
    store: PostgresStore, postgres: Server
) -> None:
    page = entry("a")
    await store.commit([found(page)])
    postgres.execute(
        "UPDATE crawler_run_1.workers SET joined = joined + interval '1 ms'"
    )

    with pytest.raises(LeaseLost, match="lost commits that it had confirmed"):
        await store.commit([done(page, "x")])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("asks", ["commit", "position", "beat", "beat of another"])
async def test_a_database_that_has_lost_commits_is_noticed(
    store: PostgresStore, postgres: Server, database: str, asks: str
) -> None:
    second = PostgresStore(database)
    await second.open(JOINING)
    page = entry("a")
    await store.commit([found(page)])
    await anyio.to_thread.run_sync(postgres.keep_copy)
    for each in (store, second):
        with suppress(StoreError):  # the connections were cut
            await each.team.beat(Needs())
    with suppress(StoreError):
        await store.commit([found(entry("c"))])
    await store.commit([done(page, "x"), found(entry("https://other.example/"))])
    for each in (store, second):
        await each.team.beat(Needs())
    await anyio.to_thread.run_sync(postgres.go_back)

    async def ask() -> None:
        if asks == "commit":
            await store.commit([found(entry("b"))])
        elif asks == "position":
            await store.set_sink_position("out", "7")
        else:
            asked = store if asks == "beat" else second
            await asked.team.beat(Needs())

    async def twice() -> None:
        with suppress(StoreError):  # the connection was cut
            await ask()
        await ask()

    with pytest.raises(LeaseLost, match="lost commits that it had confirmed"):
        await twice()
    await second.close(0.0)


async def test_a_joining_worker_takes_its_share_at_the_next_renewals(
    store: PostgresStore, database: str
) -> None:
    await store.commit([found(*(entry(f"https://h{n}.example/") for n in range(40)))])
    second = PostgresStore(database)
    await second.open(JOINING)

    await store.team.beat(Needs())  # gives up what is beyond its share
    await store.team.beat(Needs())
    await anyio.sleep(0.15)
    news = await second.team.beat(Needs())

    names = {f"h{number}.example" for number in range(40)}
    owned = {name for name in names if second.team.owns(name)}
    assert owned
    assert owned == set(news.gained)
    assert {name for name in names if store.team.owns(name)} == names - owned
    await second.close(0.0)


async def test_a_joining_worker_receives_its_share_of_the_busy_sites(
    store: PostgresStore, database: str
) -> None:
    names = [f"h{number}.example" for number in range(40)]
    await store.commit([found(*(entry(f"https://{name}/") for name in names))])
    second = PostgresStore(database)
    await second.open(JOINING)

    await store.team.beat(Needs(busy=frozenset(map(shard_of, names))))
    await store.team.beat(Needs())
    await anyio.sleep(0.15)
    news = await second.team.beat(Needs())

    assert 10 < len(news.gained) < 30
    assert not any(map(store.team.owns, news.gained))
    await second.close(0.0)


async def test_an_idle_worker_receives_half_of_the_sites_with_work(
    store: PostgresStore, database: str
) -> None:
    names = [f"h{number}.example" for number in range(40)]
    await store.commit([found(*(entry(f"https://{name}/") for name in names))])
    second = PostgresStore(database)
    await second.open(JOINING)
    for _ in range(2):
        await store.team.beat(Needs())
    await anyio.sleep(0.15)
    assert not (await second.team.beat(Needs())).is_moving
    for _ in range(PATIENCE):
        await store.team.beat(Needs())
    mine = frozenset(shard_of(name) for name in names if store.team.owns(name))
    has_work = Needs(working=lambda: mine)

    # The second worker has ended all its pages.
    await second.team.beat(Needs(is_idle=True))
    assert (await store.team.beat(has_work)).is_moving
    # What was left comes to the second worker, and nothing more on the way there.
    assert not (await store.team.beat(has_work)).is_moving
    await anyio.sleep(0.15)
    news = await second.team.beat(Needs(is_idle=True))
    await store.team.beat(has_work)

    given = frozenset(map(shard_of, news.gained))
    assert len(given) == len(mine) // 2
    assert given == mine - {shard_of(name) for name in names if store.team.owns(name)}

    # It has work, so it leaves what is beyond its share: shards without work.
    has_them = Needs(working=lambda: given)
    assert (await second.team.beat(has_them)).is_moving
    await second.team.beat(has_them)
    await anyio.sleep(0.15)
    assert (await store.team.beat(has_work)).gained == {}
    assert all(map(second.team.owns, news.gained))
    await second.close(0.0)


async def test_a_single_site_with_work_is_not_moved(
    store: PostgresStore, database: str
) -> None:
    await store.commit([found(entry("a"))])
    second = PostgresStore(database)
    await second.open(JOINING)
    has_work = Needs(working=lambda: frozenset({shard_of("books.example")}))
    for _ in range(2):
        await store.team.beat(has_work)
    await anyio.sleep(0.15)
    assert store.team.owns("books.example")

    for _ in range(3):
        await second.team.beat(Needs(is_idle=True))
        assert not (await store.team.beat(has_work)).is_moving

    await second.close(0.0)


async def test_a_shard_with_a_request_in_flight_is_not_released(
    store: PostgresStore, database: str
) -> None:
    await store.commit([found(entry("a"))])
    second = PostgresStore(database)
    await second.open(JOINING)
    busy = frozenset(range(256))

    for _ in range(2):
        await store.team.beat(Needs(busy=busy))
    await anyio.sleep(0.15)
    news = await second.team.beat(Needs())

    assert news.gained == {}
    assert not any(second.team.owns(f"h{number}.example") for number in range(40))
    await second.close(0.0)


async def test_a_worker_receives_the_site_that_its_pages_wait_for(
    store: PostgresStore, database: str
) -> None:
    second = PostgresStore(database)
    await second.open(JOINING)
    shard = shard_of("books.example")
    wanted, busy = frozenset({shard}), frozenset({shard})

    await second.team.beat(Needs(wanted=wanted))
    news = await store.team.beat(Needs(busy=busy))
    assert shard in news.called
    assert not store.team.owns("books.example")  # nothing more begins there

    await store.team.beat(Needs(busy=busy))
    await anyio.sleep(0.15)
    assert (await second.team.beat(Needs(wanted=wanted))).shards & wanted == set()

    resting = {"books.example": 60.0}
    await store.team.beat(Needs(resting=resting))  # nothing is out any more
    await anyio.sleep(0.15)
    news = await second.team.beat(Needs(wanted=wanted))
    assert second.team.owns("books.example")
    assert shard in news.shards
    # A host without a page of its own is asked no sooner than its last owner would.
    assert 50 < news.gained["books.example"] <= 60

    called = (await second.team.beat(Needs())).called
    assert called == frozenset()
    await second.close(0.0)


async def test_a_site_that_two_workers_want_alternates_between_them(
    store: PostgresStore, database: str
) -> None:
    second = PostgresStore(database)
    await second.open(JOINING)
    wanted = frozenset({shard_of("books.example")})
    teams, owners = [store.team, second.team], []

    for _ in range(12):
        for team in teams:
            is_waiting = not team.owns("books.example")
            await team.beat(Needs(wanted=wanted if is_waiting else frozenset()))
            owners.append([it.owns("books.example") for it in teams])
        await anyio.sleep(0.11)

    assert [True, True] not in owners
    assert [True, False] in owners
    assert [False, True] in owners
    await second.close(0.0)


async def test_shards_wanted_by_a_dead_worker_are_not_released(
    store: PostgresStore, database: str, postgres: Server
) -> None:
    second = PostgresStore(database)
    await second.open(JOINING)
    await second.team.beat(Needs(wanted=frozenset({shard_of("books.example")})))
    postgres.execute(
        "UPDATE crawler_run_1.workers SET expires = now() - interval '1 h' "
        "WHERE NOT is_leader"
    )

    news = await store.team.beat(Needs())

    assert news.called == frozenset()
    assert store.team.owns("books.example")
    await second.close(0.0)


async def test_links_to_hosts_of_another_worker_are_reported_to_it(
    store: PostgresStore, database: str
) -> None:
    second = PostgresStore(database)
    await second.open(JOINING)
    for _ in range(2):
        await store.team.beat(Needs())
    await anyio.sleep(0.15)
    await second.team.beat(Needs())
    links = [entry(f"https://h{number}.example/") for number in range(40)]

    committed = await store.commit([found(*links)])
    news = await second.team.beat(Needs())

    own = {it.host for it in committed.added}
    assert own
    assert own | news.stirred.keys() == {it.host for it in links}
    assert not own & news.stirred.keys()
    await second.close(0.0)


async def test_page_permits_are_exact_even_if_workers_die(
    database: str, postgres: Server
) -> None:
    first, second = PostgresStore(database), PostgresStore(database)
    await first.open(msgspec.structs.replace(START, pages=10))
    await second.open(JOINING)

    a = await first.team.beat(Needs(permits=6))
    b = await second.team.beat(Needs(permits=6))
    none = await first.team.beat(Needs(permits=6))
    postgres.execute(
        "UPDATE crawler_run_1.workers SET expires = now() - interval '1h' "
        "WHERE NOT is_leader"
    )
    again = await first.team.beat(Needs(permits=6))

    assert (a.permits, b.permits, none.permits, again.permits) == (6, 4, 0, 4)
    with pytest.raises(LeaseLost):
        await second.team.beat(Needs())
    await second.close(0.0)
    await first.close(0.0)


async def test_a_worker_takes_a_fair_share_of_the_last_permits(
    database: str,
) -> None:
    first, second = PostgresStore(database), PostgresStore(database)
    await first.open(msgspec.structs.replace(START, pages=100))
    await second.open(JOINING)

    a = await first.team.beat(Needs(permits=1_000))
    b = await second.team.beat(Needs(permits=1_000, is_idle=True))
    c = await first.team.beat(Needs(permits=1_000))
    await second.team.beat(Needs(permits=-b.permits, is_idle=True))
    d = await first.team.beat(Needs(permits=1_000))

    assert (a.permits, b.permits, c.permits, d.permits) == (50, 50, 0, 50)
    await second.close(0.0)
    await first.close(0.0)


async def test_a_worker_reports_its_own_counts(database: str) -> None:
    first, second = PostgresStore(database), PostgresStore(database)
    await first.open(START)
    await second.open(JOINING)
    page = entry("a")
    await first.commit([found(page)])
    await first.commit([done(page, "x")])

    news = await second.team.beat(Needs())

    assert (first.team.own.pages, second.team.own.pages) == (1, 0)
    assert news.counters.pages == 1
    await second.close(0.0)
    await first.close(0.0)


async def test_a_process_with_other_politeness_settings_leaves(database: str) -> None:
    first, second = PostgresStore(database), PostgresStore(database)
    polite = msgspec.structs.replace(START, politeness='{"rate":1.0}')
    await first.open(polite)
    same = msgspec.structs.replace(JOINING, politeness='{"rate":1.0}')
    await second.open(same)
    other = msgspec.structs.replace(JOINING, politeness='{"rate":2.0}')

    with pytest.raises(StateError, match=r"rate is 1\.0 in the run, 2\.0 in this"):
        await PostgresStore(database).open(other)
    assert (await second.team.beat(Needs())).refusal == ""
    await first.close(0.0)
    third = PostgresStore(database)
    await third.open(msgspec.structs.replace(polite, politeness='{"rate":2.0}'))

    refusal = (await second.team.beat(Needs())).refusal
    assert "rate is 2.0 in the run, 1.0 in this process" in refusal
    await second.close(0.0)
    await third.close(0.0)


async def test_permits_granted_while_a_leader_joins_count_towards_its_limit(
    database: str, postgres: Server
) -> None:
    first, second = PostgresStore(database), PostgresStore(database)
    await first.open(msgspec.structs.replace(START, pages=100))
    await second.open(JOINING)
    await first.close(0.0)
    again = PostgresStore(database)
    async with await psycopg.AsyncConnection.connect(postgres.uri) as beat:
        # what a beat of the worker has done, before its COMMIT
        await beat.execute("UPDATE crawler_run_1.state SET pages_left = pages_left - 5")
        await beat.execute(
            "UPDATE crawler_run_1.workers SET permits = permits + 5 WHERE NOT dead"
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(again.open, msgspec.structs.replace(START, pages=50))
            await waiting_for_a_lock(postgres)
            await beat.commit()

    state = "SELECT pages_left FROM crawler_run_1.state"
    held = "SELECT sum(permits)::int FROM crawler_run_1.workers"
    assert rows(postgres, state) == [(45,)]
    assert rows(postgres, held) == [(5,)]
    await second.close(0.0)
    await again.close(0.0)


async def waiting_for_a_lock(postgres: Server) -> None:
    """Return when a connection waits for a row that another one has changed."""
    waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"
    while rows(postgres, waits) != [(True,)]:
        await anyio.lowlevel.checkpoint()


def rows(postgres: Server, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(postgres.uri, autocommit=True) as connection:
        found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return found


@pytest.mark.parametrize("asks", ["beat", "commit"])
@pytest.mark.parametrize(("before", "after"), [(None, 10), (10, None)])
async def test_a_worker_joins_again_when_pages_become_limited_or_unlimited(
    database: str, before: int | None, after: int | None, asks: str
) -> None:
    """Without a limit it would take no permits; with one it would wait for them."""
    first, second = PostgresStore(database), PostgresStore(database)
    await first.open(msgspec.structs.replace(START, pages=before))
    await second.open(JOINING)
    await first.close(0.0)
    again = PostgresStore(database)
    await again.open(msgspec.structs.replace(START, pages=after))

    async def ask() -> None:
        if asks == "beat":
            await second.team.beat(Needs())
        else:
            await second.commit([found(entry("a"))])

    with pytest.raises(LeaseLost, match="another limit"):
        await ask()

    await second.close(0.0)
    await again.close(0.0)


@pytest.mark.parametrize(("before", "after"), [(None, 1), (5, 1), (1, 5), (1, None)])
async def test_a_worker_joins_again_when_the_run_has_another_limit_on_items(
    database: str, before: int | None, after: int | None
) -> None:
    """With the old limit its next commit would take too many items, or end the run."""
    first, second = PostgresStore(database), PostgresStore(database)
    await first.open(msgspec.structs.replace(START, items=before))
    await second.open(JOINING)
    page = entry("a")
    await second.commit([found(page)])
    await first.close(0.0)
    again = PostgresStore(database)
    await again.open(msgspec.structs.replace(START, items=after))

    with pytest.raises(LeaseLost, match="another limit"):
        await second.commit([done(page, "a", "b", "c")])

    await second.close(0.0)
    await again.close(0.0)


async def test_a_worker_stays_when_the_run_is_resumed_with_the_same_limits(
    database: str,
) -> None:
    limits = msgspec.structs.replace(START, items=5, pages=100)
    first, second = PostgresStore(database), PostgresStore(database)
    await first.open(limits)
    await second.open(JOINING)
    page = entry("a")
    await second.commit([found(page)])
    await first.close(0.0)
    again = PostgresStore(database)
    await again.open(limits)

    committed = await second.commit([done(page, "a")])

    assert committed.landed == 1
    await second.close(0.0)
    await again.close(0.0)


@pytest.mark.parametrize(("limit", "over"), [(3, ""), (1, "pages_limit")])
async def test_a_lower_limit_takes_unused_permits_from_a_worker(
    database: str, limit: int, over: str
) -> None:
    first, second = PostgresStore(database), PostgresStore(database)
    await first.open(msgspec.structs.replace(START, pages=100))
    await second.open(JOINING)
    pages = [entry(str(number)) for number in range(3)]
    await second.commit([found(*pages)])
    await second.team.beat(Needs(permits=20))
    await second.commit([done(pages[0])])
    await first.close(0.0)
    again = PostgresStore(database)
    await again.open(msgspec.structs.replace(START, pages=limit))

    with pytest.raises(LeaseLost, match="another limit"):
        await second.commit([done(pages[1])])
    await second.close(0.0)
    news = await again.team.beat(Needs(permits=20))

    assert (news.permits, news.over) == (limit - 1, over)
    await again.close(0.0)


async def test_few_permits_are_scarce(database: str) -> None:
    store = PostgresStore(database)
    await store.open(msgspec.structs.replace(START, pages=100))

    many = await store.team.beat(Needs(permits=10))
    few = await store.team.beat(Needs(permits=80))

    assert (many.is_scarce, few.is_scarce) == (False, True)
    await store.close(0.0)


async def test_a_worker_waits_until_the_run_has_a_leader(
    store: PostgresStore, database: str, postgres: Server
) -> None:
    """A run is made before its leader joins, with its limits and its code."""
    postgres.execute("DELETE FROM crawler_run_1.workers")
    with pytest.raises(NoRun, match="has begun"):
        await PostgresStore(database).open(JOINING)


RESUMING = msgspec.structs.replace(START, resumes=1)


async def test_a_process_that_resumes_its_run_begins_no_other_one(
    database: str,
) -> None:
    """The run may have been ended by another process while this one was paused."""
    store = PostgresStore(database)
    await store.open(RESUMING)  # the database has lost the run: it begins again
    await store.close(0.0)
    await store.open(RESUMING)
    await store.finish("pages_limit", b"{}")
    await store.close(0.0)
    late = PostgresStore(database)

    with pytest.raises(NoRun, match=r"run 1 .* was ended by another") as caught:
        await late.open(RESUMING)
    assert caught.value.last == (1, "pages_limit")

    await store.open(START)
    await store.close(0.0)
    with pytest.raises(NoRun, match=r"run 1 .* was ended by another"):
        await late.open(RESUMING)


FRESH = msgspec.structs.replace(START, fresh=True)


async def test_a_fresh_run_does_not_replace_a_run_with_a_leader(
    store: PostgresStore, database: str
) -> None:
    with pytest.raises(JobLocked, match="is being run by process"):
        await PostgresStore(database).open(FRESH)
    await store.commit([found(entry("a"))])


async def test_a_fresh_run_dismisses_workers_and_waits_for_their_leases(
    database: str,
) -> None:
    first, second = PostgresStore(database), PostgresStore(database)
    await first.open(START)
    await second.open(JOINING)
    await first.close(0.0)
    fresh = PostgresStore(database)

    opening = await fresh.open(FRESH)
    news = await fresh.team.beat(Needs())

    assert opening.run == 2
    assert news.shards == frozenset()
    with pytest.raises(LeaseLost, match="taken over"):
        await second.commit([found(entry("a"))])
    await second.close(0.0)
    await fresh.close(0.0)


async def test_a_fresh_run_does_not_wait_for_the_lease_of_a_killed_process(
    database: str, postgres: Server
) -> None:
    first = PostgresStore(database)
    await first.open(START)
    postgres.execute("UPDATE crawler_run_1.workers SET pid = 2147483647")
    fresh = PostgresStore(database)

    await fresh.open(FRESH)

    assert fresh.team.owns("books.example")
    await first.close(0.0)
    await fresh.close(0.0)


#: The lease of a store that ends sessions after they have sent nothing for 0.1 s.
SOON = 0.3
OWN_ROW = "SELECT FROM run.workers WHERE id = {} FOR UPDATE"


@asynccontextmanager
async def silent(
    database: str, statement: str = "SELECT 1", *, lock: str = ""
) -> AsyncIterator[Connection]:
    """A session that sends `lock` and `statement` in a transaction, and then nothing:
    like that of a paused process, or of a machine that is gone."""
    connection = await PostgresServer(database).connect()
    with suppress(psycopg.Error):  # the session may have been ended
        async with transaction(connection, "crawler_run_1") as pipeline:
            if lock:
                await pipeline.send(lock)
            await pipeline.rows(await pipeline.send(statement))
            yield connection
    await connection.close()


async def is_ended(connection: Connection) -> bool:
    """Whether the server has closed the connection."""
    with anyio.move_on_after(0.5):
        await anyio.wait_readable(connection.fileno())
        return True
    return False


async def until_alone(store: PostgresStore) -> None:
    """Renew the lease until the run has no other worker."""
    for _ in range(500):
        if (await store.team.beat(Needs())).workers == 1:
            return
        await anyio.sleep(0.02)
    raise AssertionError("the other workers are still in the run")


@pytest.fixture
async def pair(
    database: str, postgres: Server
) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    """Two workers of a run; the lease of the first has ended."""
    first, second = PostgresStore(database), PostgresStore(database, lease=SOON)
    await first.open(START)
    await second.open(JOINING)
    ended = "UPDATE crawler_run_1.workers SET expires = now() - interval '1 h'"
    postgres.execute(f"{ended} WHERE is_leader")
    yield first, second
    await second.close(0.0)
    await first.close(0.0)


async def test_a_worker_that_is_silent_in_a_commit_loses_its_lease(
    pair: tuple[PostgresStore, PostgresStore], database: str
) -> None:
    """Otherwise its sites would belong to it for as long as it is paused."""
    first, second = pair
    async with silent(database, OWN_ROW.format(1)) as session:
        await until_alone(second)
        assert await is_ended(session)

    with pytest.raises(LeaseLost, match="taken over"):
        await first.commit([found(entry("a"))])


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT FROM run.workers",  # locks no row
        "SELECT lo_create(0)",  # locks a table that is not the run's
    ],
)
async def test_a_silent_session_without_locks_on_the_run_is_not_ended(
    pair: tuple[PostgresStore, PostgresStore], database: str, statement: str
) -> None:
    _, second = pair
    async with silent(database, statement) as session:
        async with silent(database, OWN_ROW.format(1)):
            await until_alone(second)
        assert not await is_ended(session)
        await session.execute("ROLLBACK")


async def test_a_worker_that_commits_after_the_end_of_its_lease_is_not_disturbed(
    pair: tuple[PostgresStore, PostgresStore], database: str
) -> None:
    _, second = pair
    async with silent(database, OWN_ROW.format(1)) as session:
        for _ in range(20):  # together longer than a session may be silent
            assert (await second.team.beat(Needs())).workers == 2
            await (await session.execute("SELECT 1")).fetchall()
            await anyio.sleep(0.02)
        await (await session.execute("SELECT 1")).fetchall()


async def test_a_renewal_that_waits_for_a_silent_session_is_soon_repeated(
    pair: tuple[PostgresStore, PostgresStore], database: str
) -> None:
    _, second = pair
    async with silent(database, OWN_ROW.format(2)) as session:
        with pytest.raises(StoreError, match="lock timeout"):
            await second.team.beat(Needs())
        await second.team.beat(Needs())

        assert await is_ended(session)


async def test_a_machine_that_was_suspended_for_longer_than_the_lease_sends_nothing(
    database: str,
) -> None:
    """The other workers' time went on meanwhile, but that of `time.monotonic` did
    not."""
    now = 1000.0
    store = PostgresStore(database, lease=15.0, awake=lambda: now)
    await store.open(START)
    now += 11.0
    assert store.team.is_held()
    await store.team.beat(Needs())
    now += 11.0
    assert store.team.is_held()

    now += 1.0  # 3 s before the end of the lease

    assert not store.team.is_held()
    await store.team.beat(Needs())
    assert store.team.is_held()
    await store.close(0.0)


async def test_a_database_that_hangs_is_treated_like_one_that_is_down(
    database: str, postgres: Server
) -> None:
    """A paused server, or a pooler that hangs, keeps the connections open."""
    store = PostgresStore(database, lease=SOON)
    await store.open(START)
    page, link = entry("a"), entry("b")
    await store.commit([found(page)])
    await store.team.beat(Needs())
    group = [done(page, "x", requests=[link])]
    silent = "has not responded for 0.3 s"

    table = store.file_table("books")
    file = KeptFile("files", page.request.url, "a", "00", 3, "application/pdf")
    await table.keep(file)

    async def commit() -> None:
        with pytest.raises(StoreError, match=silent):
            await store.commit(group)

    with postgres.hanging(), anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(commit)
            tasks.start_soon(table.keep, file)  # is repeated by itself
            with pytest.raises(StoreError, match=silent):
                await store.team.beat(Needs())
        await store.team.beat(Needs())  # on another session
        committed = await store.commit(group)

    assert committed.counters.items == committed.counters.pages == 1
    assert [row.body for row in await store.items_after(0, 10)] == [b'"x"']
    assert await table.find("files", file.url) == file
    await table.close()
    await store.close(0.0)


async def test_a_run_is_closed_although_the_database_hangs(
    database: str, postgres: Server, caplog: pytest.LogCaptureFixture
) -> None:
    store = PostgresStore(database, lease=SOON)
    await store.open(START)

    with postgres.hanging(), anyio.fail_after(20):
        await store.finish("finished", b"{}")  # on another session
        with postgres.hanging():
            await store.close(1.0)

    assert "could not be written" not in caplog.text
    with pytest.raises(NoRun):
        await PostgresStore(database).open(JOINING)


@pytest.mark.parametrize("who", ["another role", "a person"])
async def test_a_silent_session_of_another_role_or_a_person_is_not_ended(
    database: str, postgres: Server, who: str
) -> None:
    """The database would refuse to end that of a role with more rights, although it may
    be visible."""
    url = postgres.admit_guest().replace(f"{GUEST}@", f"{GUEST}:{PASSWORD}@")
    postgres.execute(f"GRANT pg_read_all_stats TO {GUEST}")
    store = PostgresStore(url, lease=SOON)
    await store.open(START)
    person = f"{url}&application_name=psql"

    async with silent(
        database if who == "another role" else person, OWN_ROW.format(1)
    ) as session:
        for _ in range(3):
            with pytest.raises(StoreError, match="lock timeout"):
                await store.team.beat(Needs())
        assert not await is_ended(session)
        await session.execute("ROLLBACK")

    await store.close(0.0)
    postgres.execute(f"REVOKE pg_read_all_stats FROM {GUEST}")


@pytest.mark.parametrize(
    "statement",
    [
        OWN_ROW.format(1),
        # the session was opening a run
        "UPDATE crawler.runs SET seconds = 1 RETURNING seconds",
    ],
)
async def test_a_run_is_resumed_although_a_silent_session_holds_locks(
    database: str,
    postgres: Server,
    caplog: pytest.LogCaptureFixture,
    statement: str,
) -> None:
    first, second = PostgresStore(database), PostgresStore(database, lease=SOON)
    await first.open(START)
    postgres.execute("UPDATE crawler_run_1.workers SET pid = 2147483647")  # killed

    async with silent(database, statement):
        with anyio.fail_after(20):
            opening = await second.open(START)

    assert opening.is_resumed
    assert caplog.text.count("Waiting for another process") == 1
    assert caplog.text.count("Ended 1 database session of") == 1
    await second.close(0.0)
    await first.close(0.0)


async def test_a_run_is_finished_although_a_silent_session_has_locked_the_runs(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """`crawl clean` of any job locks them."""
    store = PostgresStore(database, lease=SOON)
    await store.open(START)

    async with silent(database, lock=sql.LOCK_RUNS) as session:
        with anyio.fail_after(20):
            await store.finish("finished", b"{}")
        assert await is_ended(session)

    assert "Waiting for another process" in caplog.text
    await store.close(0.0)


async def test_old_runs_are_removed_although_a_silent_session_holds_locks(
    database: str,
) -> None:
    store = PostgresStore(database)
    await store.open(START)
    await store.finish("finished", b"{}")
    await store.close(0.0)

    async with silent(database, OWN_ROW.format(1)):
        with anyio.fail_after(20):
            removed = await anyio.to_thread.run_sync(
                lambda: clean(database, START.job, 0, lease=SOON)
            )

    assert removed == [1]


async def test_a_worker_leaves_a_run_that_the_database_has_lost(
    store: PostgresStore, postgres: Server
) -> None:
    """A restored backup may be older than the run."""
    postgres.execute("DROP SCHEMA crawler_run_1 CASCADE")

    with pytest.raises(StoreError, match="has lost the run"):
        await store.stage(entry("a"), Portion(), 0)
    with pytest.raises(StoreError, match="has lost the run"):
        await store.set_sink_position("out", "7")
    assert await store.take("books.example", 10, (), 0.0) == []
    assert await store.team.robots("https://books.example/robots.txt") is None
    await store.team.keep_robots("https://books.example/robots.txt", 404, b"")
    await store.team.end("finished")
    with pytest.raises(LeaseLost, match="has lost the run"):
        await store.commit([found(entry("a"))])
    with pytest.raises(LeaseLost, match="has lost the run"):
        await store.team.beat(Needs())

    assert not store.team.is_held()


async def test_all_workers_know_a_fetched_robots_txt(store: PostgresStore) -> None:
    url = "https://books.example/robots.txt"
    assert await store.team.robots(url) is None

    await store.team.keep_robots(url, 200, b"User-agent: *")

    assert await store.team.robots(url) == (200, b"User-agent: *")


async def test_cookies_reach_other_workers_at_the_next_renewal(
    store: PostgresStore, database: str
) -> None:
    second = PostgresStore(database)
    await second.open(JOINING)
    facts = Facts(cookies={("", "books.example"): b"[]"}, walls={"https://w.example/"})

    await store.commit([Outcome(None, facts=facts)])
    news = await second.team.beat(Needs())

    assert (news.facts.cookies, news.facts.walls) == (facts.cookies, facts.walls)
    await second.close(0.0)


async def test_a_worker_without_a_run_is_an_error(database: str) -> None:
    with pytest.raises(NoRun):
        await PostgresStore(database).open(JOINING)


async def test_commits_cut_at_random_moments_are_exact(
    store: PostgresStore, postgres: Server
) -> None:
    """A cut may come before COMMIT, or after it and before its answer."""
    dice, pages, cuts = random.Random(3), 60, 0
    page = entry("0")
    await store.commit([found(page)])

    async def cut() -> None:
        await anyio.sleep(dice.random() * 0.006)
        await anyio.to_thread.run_sync(postgres.cut)

    for number in range(1, pages + 1):
        child = entry(str(number))
        group = [done(page, str(number), requests=[child])]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cut)
            while True:
                try:
                    committed = await store.commit(group)
                except StoreError:
                    cuts += 1
                else:
                    break
        assert [it.url for it in committed.added] == [child.url]
        assert committed.counters.items == committed.sequence == number
        page = child

    rows = await store.items_after(0, 1_000)
    assert [row.sequence for row in rows] == list(range(1, pages + 1))
    assert [row.body for row in rows] == [b'"%d"' % n for n in range(1, pages + 1)]
    assert cuts
