"""After the same commits all stores have the same state."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.request import BUILT, Entry
from crawler.settings import StorageSettings
from crawler.store.base import (
    Answer,
    Committed,
    Item,
    Outcome,
    Portion,
    Rejected,
    State,
    Store,
)
from crawler.store.memory import MemoryStore
from crawler.store.open import open_store
from crawler.store.sqlite.store import SqliteStore
from tests.postgres import Server
from tests.store.values import START, Clock, entry

PAGES = 8
HOST = "books.example"

numbers = st.integers(0, PAGES - 1)
depths = st.integers(0, 3)


@dataclass(frozen=True)
class Step:
    """One outcome, told by numbers."""

    page: int | None
    state: State
    links: list[tuple[int, int]]
    items: list[tuple[int, int | None]]
    rejected: list[int]
    staged: int
    staged_links: list[tuple[int, int]]
    staged_rejected: list[int]


steps = st.builds(
    Step,
    page=st.none() | numbers,
    state=st.sampled_from(State),
    links=st.lists(st.tuples(numbers, depths), max_size=4),
    items=st.lists(st.tuples(st.integers(0, 99), st.none() | depths), max_size=3),
    rejected=st.lists(numbers, max_size=2),
    staged=st.sampled_from([0, 0, 0, 2]),
    staged_links=st.lists(st.tuples(numbers, depths), max_size=4),
    staged_rejected=st.lists(numbers, max_size=2),
)
groups = st.lists(st.lists(steps, min_size=1, max_size=4), min_size=1, max_size=8)


class Player:
    """Plays groups of steps to one store, as an engine would."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.entries: dict[int, Entry] = {}
        self.known: set[str] = set()
        self.last = 0

    async def play(self, group: list[Step], limit: int | None) -> object:
        outcomes = [await self.outcome(step) for step in group]
        committed = await self.store.commit(outcomes, items_limit=limit)
        new = committed.added + await self.stocked(committed)
        for added in new:
            self.entries[int(added.url[-1])] = added
        self.known.update(it.url for it in new)
        places = [(it.url, it.depth) for it in self.in_order(new)]
        # A new entry has its depth already, however it came to it.
        fresh = {it.fingerprint for it in new}
        lowered = sorted(it for it in committed.lowered if it[0] not in fresh)
        end = (committed.landed, committed.is_full, committed.sequence)
        return committed.counters, places, lowered, end

    def in_order(self, new: list[Entry]) -> list[Entry]:
        """New entries as they were found: after all that were found before."""
        new = sorted(new, key=lambda it: it.sequence)
        numbers = [self.last, *(it.sequence for it in new)]
        assert numbers == sorted(set(numbers))
        self.last = numbers[-1]
        return new

    async def stocked(self, committed: Committed) -> list[Entry]:
        """New entries that only the store has."""
        if not committed.stocked:
            return []
        known = self.known | {it.url for it in committed.added}
        taken = await self.store.take(HOST, PAGES, (), 0.0)
        new = [it for it in taken if it.url not in known]
        places = [(-it.priority, it.depth, it.sequence) for it in new]
        assert committed.stocked[HOST] <= min(places)
        return new

    async def outcome(self, step: Step) -> Outcome:
        page = None if step.page is None else self.entries.get(step.page)
        if page is not None and step.staged:
            for number, portion in enumerate(_portions(step)):
                await self.store.stage(page, portion, number)
        outcome = Outcome(
            page,
            step.state if page else State.DONE,
            requests=[_link(*it) for it in step.links],
            rejected=[_rejected(n) for n in step.rejected],
            answers=[Answer(200, "HTTP/1.1", 10)],
        )
        if page is not None:
            outcome.portions = step.staged
            outcome.items = [_item(*it) for it in step.items]
            page.attempt += step.state is State.PENDING
        return outcome

    async def ends(self) -> object:
        """All that a reader can ask for."""
        rows = await self.store.items_after(0, 1_000)
        explained = [
            await self.store.explain(entry(str(number)).fingerprint)
            for number in range(PAGES)
        ]
        return (
            [(row.sequence, row.fingerprint, row.ordinal, row.body) for row in rows],
            [
                it and (it.state, it.depth, it.items, len(it.attempts), it.duplicates)
                for it in explained
            ],
        )

    async def pending(self) -> list[str]:
        explained = [
            await self.store.explain(entry(str(number)).fingerprint)
            for number in range(PAGES)
        ]
        return [it.url for it in explained if it and it.state is State.PENDING]


def _portions(step: Step) -> list[Portion]:
    """What a step stages, in so many portions; each has an item of its own."""
    links = [_link(*it) for it in step.staged_links]
    rejected = [_rejected(n) for n in step.staged_rejected]
    return [
        Portion(
            [Item(b"staged %d" % number)],
            links[number :: step.staged],
            rejected[number :: step.staged],
        )
        for number in range(step.staged)
    ]


def _link(number: int, depth: int) -> Entry:
    """A link of some page: never a start URL, even if it is lowered to depth 0, since
    the entry that lands would be counted as it is in memory."""
    found_as = BUILT if (number + depth) % 2 else "link"
    return entry(str(number), depth=depth, parent=1, found_as=found_as)


def _item(number: int, key: int | None) -> Item:
    keys = () if key is None else (("duplicate:key", b"%d" % key),)
    return Item(b"%d" % number, keys)


def _rejected(number: int) -> Rejected:
    link = entry(str(number))
    return Rejected(link.fingerprint, link.url, "scope", 0)


Make = Callable[[Clock], Store]


async def _agree(
    make: Make, again: Make, played: Iterable[list[Step]], limit: int | None
) -> None:
    """Play to a store in memory and to a durable one, which is then opened again."""
    clock = Clock()
    memory, durable = Player(MemoryStore(clock=clock)), Player(make(clock))
    players = (memory, durable)
    await memory.store.open(START)
    async with opened(durable.store):
        for group in played:
            expected, found = [await player.play(group, limit) for player in players]
            assert found == expected
        assert await durable.ends() == await memory.ends()
    durable.store = again(clock)
    async with opened(durable.store):
        assert await durable.ends() == await memory.ends()
        taken = await durable.store.take(HOST, PAGES, (), 0.0)
    assert sorted(it.url for it in taken) == await memory.pending()


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[None]:
    await store.open(START)
    try:
        yield
    finally:
        await store.close(0.0)


@given(groups, st.none() | st.integers(1, 12), st.sampled_from([1, 3, 1_000]))
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
    derandomize=True,
)
def test_all_stores_have_the_same_state_after_the_same_commits(
    played: list[list[Step]], limit: int | None, every: int
) -> None:
    def sqlite(clock: Clock, index_every: int = every) -> SqliteStore:
        return SqliteStore(
            folder, clock=clock, index_every=index_every, synchronous="normal"
        )

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_agree(sqlite, partial(sqlite, index_every=9_999), played, limit))


@pytest.fixture(scope="module", params=["postgres", "newest_postgres"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@given(played=groups, limit=st.none() | st.integers(1, 12))
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
    derandomize=True,
)
def test_the_shared_store_has_the_same_state_after_the_same_commits(
    server: Server, played: list[list[Step]], limit: int | None
) -> None:
    server.empty()

    def shared(clock: Clock) -> Store:
        return open_store(StorageSettings(url=server.uri), "books", clock=clock)

    asyncio.run(_agree(shared, shared, played, limit))
