"""Connections that are cut at each statement of the store: before, after, and late.

What a run has at the end must be what it has without any cut: so nothing is lost, and
nothing is there twice.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")

import psycopg
from anyio import to_thread

from crawler.errors import JobLocked, StateError, StoreError
from crawler.request import BUILT
from crawler.store.base import Facts, Item, Outcome, Portion, Rejected, RunStart, State
from crawler.store.postgres.store import PostgresStore
from crawler.store.sharing import Needs, shard_of
from crawler.store.status import Status
from tests.cut_connections import CuttingProxy, When, cutting
from tests.postgres import Server
from tests.store.values import START, Clock, done, entry, found, items

#: What a run knows, without numbers that a rolled back transaction uses up.
TABLES = {
    "urls": "SELECT fp, parent, rank, name, depth, url, callback, found_as, meta "
    "FROM run.urls JOIN run.hosts ON number = host ORDER BY seq",
    "pending": "SELECT pending.fp, rank, name, depth "
    "FROM run.pending JOIN run.hosts ON number = host ORDER BY seq",
    "tries": "SELECT * FROM run.tries ORDER BY fp",
    "visits": "SELECT fp, received, last_item, items, depth, state, reason "
    "FROM run.visits ORDER BY visits.number",
    "items": "SELECT * FROM run.items ORDER BY sequence",
    "keys": "SELECT * FROM run.item_keys ORDER BY rule, value",
    "rejected": "SELECT fp, parent, url, rule FROM run.rejected ORDER BY fp",
    "duplicates": "SELECT * FROM run.duplicates ORDER BY fp",
    "facts": "SELECT name, value FROM run.facts ORDER BY name, value",
    "cookies": "SELECT session, domain, jar FROM run.cookies",
    "sinks": "SELECT * FROM run.sinks",
    "state": "SELECT items, start_items, start_values, start_counts, pages_left, "
    "items_limit, over FROM run.state",
    "workers": "SELECT commits, counters, permits FROM run.workers WHERE NOT dead",
    "shards": "SELECT shard, owner IS NULL FROM run.shards ORDER BY shard",
    "robots": "SELECT url, status, body FROM run.robots ORDER BY url",
    "staged": "SELECT page, ordinal, type, keys, body FROM run.staged_items",
    "staged_urls": "SELECT page, fp, parent, depth, again, url FROM run.staged_urls "
    "ORDER BY place",
    "staged_rejected": "SELECT page, fp, rule FROM run.staged_rejected ORDER BY place",
}


def known(server: Server) -> dict[str, list[Any]]:
    """What the only run in the database knows."""
    with psycopg.connect(server.uri, autocommit=True) as connection:
        ((run,),) = connection.execute("SELECT max(id) FROM crawler.runs").fetchall()
        return {
            name: connection.execute(query.replace("run.", f"crawler_run_{run}."))
            .fetchall()
            for name, query in TABLES.items()
        }  # fmt: skip


class Cuts:
    """Does one piece of work again and again, with a cut at each of its statements."""

    def __init__(self, server: Server, proxy: CuttingProxy, folder: Path) -> None:
        self._server = server
        self._proxy = proxy
        self.url = server.uri_by(folder)

    async def at_each(
        self,
        work: Callable[[int], Awaitable[object]],
        whens: Collection[When] = tuple(When),
    ) -> int:
        """Call `work` with a number, at first without a cut, then once for each place;
        returns how often it was called."""
        counts = []
        for number in range(7):
            self._proxy.arm()
            await work(number)
            counts.append(self._proxy.statements)
        del counts[0]  # what is done once for all
        cuts = 0
        for when in whens:
            for at in range(1, max(counts) + 1):
                number += 1
                self._proxy.arm(at, when)
                await work(number)
                cuts += self._proxy.has_cut
        self._proxy.arm()
        # The last statements are not there each time.
        assert cuts >= len(whens) * (min(counts) - 4)
        return number + 1


@pytest.fixture
async def cuts(database: str, postgres: Server) -> AsyncIterator[Cuts]:
    with tempfile.TemporaryDirectory(prefix="cut") as folder:
        async with cutting(Path(folder), postgres.folder) as proxy:
            yield Cuts(postgres, proxy, Path(folder))


@asynccontextmanager
async def opened(
    url: str, clock: Clock, start: RunStart = START
) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url, clock=clock)
    await store.open(start)
    try:
        yield store
    finally:
        await store.close(1.0)


async def again(work: Callable[[], Awaitable[Any]]) -> Any:
    """The result of `work`, which is tried again as the engine does it."""
    for _ in range(3):
        try:
            return await work()
        except StoreError:
            continue
    return await work()


def group(number: int) -> list[Outcome]:
    """Outcomes with all that a commit can bring; `seed` found the pages."""
    page, failed, waiting = (entry(f"{kind}{number}") for kind in ("a", "b", "c"))
    links = [
        entry(f"new{number}"),
        entry(f"https://other{number}.example/"),
        entry("again", found_as=BUILT),
    ]
    left_out = rejected(f"no{number}")
    waiting.first_tried, waiting.attempt = 1.0, 1
    return [
        Outcome(
            page,
            items=[
                Item(b'"%d"' % number, keys=(("url", b"%d" % number),)),
                *items("x"),
            ],
            requests=links,
            rejected=[left_out],
            facts=Facts(
                walls={f"https://wall{number}.example/"},
                cookies={("", "books.example"): b"%d" % number},
            ),
            counts={"own": 1},
        ),
        Outcome(failed, State.FAILED, "reset"),
        Outcome(waiting, State.PENDING, "reset", due=2_000_000_000.0),
    ]


def rejected(path: str) -> Rejected:
    link = entry(path)
    return Rejected(link.fingerprint, link.url, "scope", 0, "link")


def seed(amount: int) -> Outcome:
    """The pages of so many groups."""
    names = [f"{kind}{number}" for number in range(amount) for kind in ("a", "b", "c")]
    return found(*map(entry, names), entry("again"))


async def compare(
    cuts: Cuts,
    server: Server,
    clock: Clock,
    script: Callable[[PostgresStore, int], Awaitable[None]],
    *,
    seeded: int = 200,
) -> None:
    """Do the script with a cut at each statement, and as often without."""
    async with opened(cuts.url, clock) as store:
        await store.commit([seed(seeded)])
        times = await cuts.at_each(partial(script, store))
        with_cuts = known(server)
    server.empty()
    async with opened(server.uri, clock) as store:
        await store.commit([seed(seeded)])
        for number in range(times):
            await script(store, number)
        without = known(server)
    for name, rows_there in without.items():
        assert with_cuts[name] == rows_there, name


async def test_a_commit_survives_a_cut_connection(
    cuts: Cuts, postgres: Server, clock: Clock
) -> None:
    async def commit(store: PostgresStore, number: int) -> None:
        outcomes = group(number)
        committed = await again(lambda: store.commit(outcomes))
        urls = [each.url for each in committed.added]
        assert len(urls) == 2, urls  # the frontier gets them, cut or not
        assert committed.landed == 3
        assert committed.counters.pages == number + 1

    await compare(cuts, postgres, clock, commit)


async def test_a_page_stored_in_parts_survives_a_cut_connection(
    cuts: Cuts, postgres: Server, clock: Clock
) -> None:
    async def page(store: PostgresStore, number: int) -> None:
        place = entry(f"a{number}")
        for part in range(2):
            links = [entry("again", found_as=BUILT), entry(f"s{number}/{part}")]
            left_out = rejected(f"{number}-{part}")
            given = Portion(items(f"{number}.{part}", "z"), links, [left_out])
            await again(partial(store.stage, place, given, part))
        if number % 2:
            outcome = Outcome(place, items=items("end"), portions=2)
            await again(partial(store.commit, [outcome]))

    await compare(cuts, postgres, clock, page)


async def test_reading_survives_a_cut_connection(
    cuts: Cuts, postgres: Server, clock: Clock
) -> None:
    page = entry("a0")

    async def read(store: PostgresStore, number: int) -> None:
        (taken,) = await store.take("books.example", 1, (), 0.0)
        assert taken.url == page.url
        await store.set_sink_position("out", str(number))
        assert await store.sink_position("out") == str(number)
        assert await store.items_after(0, 10) == []
        assert await store.explain(page.fingerprint) is not None
        await again(lambda: store.note(Status(time=float(number), end="x")))

    await compare(cuts, postgres, clock, read)


class Beats:
    """What a worker is told at its beats, beside one that leads and has no cuts."""

    def __init__(
        self, server: Server, leader: PostgresStore, worker: PostgresStore, wanted: int
    ) -> None:
        self._server, self._leader, self._worker = server, leader, worker
        self._wanted = wanted
        by_shard = {shard_of(f"h{n}.example"): f"h{n}.example" for n in range(3_000)}
        #: One of each shard.
        self.hosts = list(by_shard.values())
        self.permits = 0
        self.gained: set[str] = set()
        self.stirred: set[str] = set()
        #: Hosts of the worker for which the leader has found something.
        self.found: set[str] = set()

    async def beat(self, number: int) -> None:
        """Exchange permits, get one more site of the other's, and give one back."""
        host = self.hosts[number % len(self.hosts)]
        await self._leader.commit([found(entry(f"https://{host}/{number}"))])
        if self._worker.team.owns(host):
            self.found.add(host)
        self.permits += min(0, self._wanted)
        shards = map(shard_of, filter(self._leader.team.owns, self.hosts))
        needs = Needs(self._wanted, resting={"r.example": 9.0})
        needs.wanted = frozenset(list(shards)[:1])
        await self.tell(needs)
        await again(lambda: self._worker.team.keep_robots(f"{number}", 200, b"x"))
        assert await self._worker.team.robots(f"{number}") == (200, b"x")
        await self._leader.team.beat(Needs())
        await self._leader.team.beat(Needs())
        free = "UPDATE crawler_run_1.shards SET free_at = now()"
        await to_thread.run_sync(self._server.execute, free)
        assert not [name for name in self.hosts if self.owners(name) == [True, True]]

    async def tell(self, needs: Needs) -> None:
        try:
            news = await self._worker.team.beat(needs)
        except StoreError:  # what was given back is given back once
            needs.permits = max(0, needs.permits)
            news = await self._worker.team.beat(needs)
        self.permits += news.permits
        self.gained.update(news.gained)
        self.stirred.update(news.stirred)

    def owners(self, host: str) -> list[bool]:
        return [each.team.owns(host) for each in (self._leader, self._worker)]


@pytest.mark.parametrize("wanted", [3, -2])
async def test_a_lease_renewal_survives_a_cut_connection(
    cuts: Cuts, postgres: Server, clock: Clock, wanted: int
) -> None:
    """Shards, permits and news come to each of two workers, and to one of them only."""
    limited = msgspec.structs.replace(START, pages=1_000)
    joining = msgspec.structs.replace(START, is_leader=False)
    async with (
        opened(postgres.uri, clock, limited) as leader,
        opened(cuts.url, clock, joining) as worker,
    ):
        beats = Beats(postgres, leader, worker, wanted)
        links = [entry(f"https://{host}/") for host in beats.hosts]
        await leader.commit([found(*links)])
        await beats.tell(Needs(500))
        await cuts.at_each(beats.beat)
        for _ in range(6):
            postgres.execute("UPDATE crawler_run_1.shards SET free_at = now()")
            await leader.team.beat(Needs())
            await beats.tell(Needs())

        shards = "SELECT DISTINCT owner FROM crawler_run_1.shards ORDER BY owner"
        assert rows(postgres, shards) == [(1,), (2,)]
        state = "SELECT permits, pages_left FROM crawler_run_1.workers, "
        state += "crawler_run_1.state ORDER BY id"
        left = 1_000 - beats.permits
        assert rows(postgres, state) == [(0, left), (beats.permits, left)]
        # None is asked by two, or by nobody.
        assert {sum(beats.owners(host)) for host in beats.hosts} == {1}
        owned = {host for host in beats.hosts if worker.team.owns(host)}
        assert owned <= beats.gained
        assert beats.found <= beats.stirred | beats.gained


def rows(server: Server, query: str) -> list[Any]:
    with psycopg.connect(server.uri) as connection:
        return connection.execute(query.encode()).fetchall()


async def test_opening_and_ending_a_run_survive_a_cut_connection(
    cuts: Cuts, postgres: Server, clock: Clock
) -> None:
    """A process whose start was cut off ends; the next one goes on where it was."""

    async def started(start: RunStart) -> PostgresStore:
        for _ in range(3):
            store = PostgresStore(cuts.url, clock=clock)
            try:
                await store.open(start)
            except JobLocked:  # the process has joined: its lease must end
                ((run,),) = rows(postgres, "SELECT max(id) FROM crawler.runs")
                workers = f"crawler_run_{run}.workers"
                postgres.execute(
                    f"UPDATE {workers} SET expires = now() - '1 h'::interval"
                )
            except StateError:
                continue
            else:
                return store
        raise AssertionError("it cannot be opened")

    async def run(number: int) -> None:
        store = await started(msgspec.structs.replace(START, job=f"job{number}"))
        page = entry("a")
        await again(partial(store.commit, [found(page)]))
        outcomes = [done(page, "x")]
        await again(partial(store.commit, outcomes))
        await store.finish("finished", b"{}")
        await store.close(1.0)
        listed = "SELECT number, reason, counters, id FROM crawler.runs WHERE job ="
        ((one, reason, counters, run),) = rows(postgres, f"{listed} 'job{number}'")
        assert (one, reason) == (1, "finished")
        assert '"pages":1' in counters
        alive = f"SELECT FROM crawler_run_{run}.workers WHERE NOT dead"
        assert rows(postgres, alive) == []

    await cuts.at_each(run, (When.BEFORE, When.AFTER))
