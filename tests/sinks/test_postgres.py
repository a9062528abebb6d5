"""Rows in a real PostgreSQL server, exactly once."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from anyio import to_thread
from tenacity import AsyncRetrying, stop_after_attempt

pytest.importorskip("psycopg", reason="needs the extra postgres")

import psycopg

from crawler.errors import ConfigError, OutputExists, SinkError
from crawler.pipelines import Run
from crawler.sinks import ItemType, Mode, Outputs, OutputSpec, open_sink
from crawler.sinks.base import Source
from crawler.sinks.postgres import Postgres
from tests.postgres import Server, serving
from tests.sinks.kept import KeptStore

names = (f"books{number}" for number in itertools.count())
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


@dataclass
class Author:
    name: str


@dataclass
class Book:
    title: str
    price: Decimal = Decimal("1.10")
    pages: int | None = None
    rating: float = 3
    is_new: bool = True
    seen: datetime.datetime = NOON
    day: datetime.date = datetime.date(2026, 1, 2)
    at: datetime.time = datetime.time(1, 2)
    cover: bytes = b"\0\xff"
    code: UUID = field(default_factory=lambda: UUID(int=7))
    authors: list[Author] = field(default_factory=lambda: [Author("Austen")])
    more: Any = None


TYPE = ItemType.of(Book)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def table() -> str:
    return next(names)


def sink_of(server: Server, table: str, **options: Any) -> Postgres:
    return Postgres(f"{server.uri}&table={table}", **options)


async def run(
    sink: Postgres,
    items: Sequence[Any] = (),
    *,
    store: KeptStore | None = None,
    number: int = 1,
    aside: str = "",
    job: str = "job",
    **options: Any,
) -> Outputs:
    store = store or KeptStore()
    async with Outputs([sink], store, Run(job, number), **options) as outputs:
        outputs.wake(await store.add(items))
        await outputs.drain()
        await outputs.publish(aside)
    return outputs


async def query(server: Server, text: str) -> list[tuple[Any, ...]]:
    def ask() -> list[tuple[Any, ...]]:
        with psycopg.connect(server.uri, options="-c timezone=UTC") as connection:
            return list(connection.execute(text).fetchall())

    return await to_thread.run_sync(ask)


async def execute(server: Server, text: str) -> None:
    def do() -> None:
        with psycopg.connect(server.uri) as connection:
            connection.execute(text)

    await to_thread.run_sync(do)


async def titles(server: Server, table: str) -> list[str]:
    rows = await query(server, f"SELECT title FROM {table} ORDER BY _run, _sequence")
    return [title for (title,) in rows]


async def test_columns_have_the_types_of_the_item(server: Server, table: str) -> None:
    await run(sink_of(server, table, item_type=TYPE), [Book("A", more={"x": [1]})])

    (row,) = await query(server, f"SELECT * FROM {table}")
    assert row == (
        *("job/1/1", "job", 1, 1),
        *("A", Decimal("1.10"), None, 3.0, True, NOON, datetime.date(2026, 1, 2)),
        *(datetime.time(1, 2), b"\0\xff", UUID(int=7), [{"name": "Austen"}]),
        {"x": [1]},
    )


async def test_items_of_an_unknown_type_are_json(server: Server, table: str) -> None:
    items = [{"title": "a\0b\\u0000", "n": [2**70, None]}, {"\0": "\0"}]

    await run(sink_of(server, table), items)

    rows = await query(server, f"SELECT item FROM {table} ORDER BY _sequence")
    assert rows == [
        ({"title": "a\ufffdb\\u0000", "n": [2**70, None]},),
        ({"\ufffd": "\ufffd"},),
    ]


async def test_a_field_that_the_type_lacks_gets_its_own_column(
    server: Server, table: str
) -> None:
    kind = ItemType.of(Author)
    items = [{"name": "A"}, {"name": "B", "new": [1]}, {"name": "C"}]

    await run(sink_of(server, table, item_type=kind), items)

    found = await query(server, f"SELECT name, new FROM {table} ORDER BY _sequence")
    assert found == [("A", None), ("B", [1]), ("C", None)]


async def test_an_item_key_keeps_one_row_over_all_runs(
    server: Server, table: str
) -> None:
    def sink() -> Postgres:
        return sink_of(server, table, item_type=TYPE, item_key=["title"])

    await run(sink(), [Book("A", pages=1), Book("B", pages=1)])
    await run(sink(), [Book("A", pages=2), Book("A", pages=3)], number=2)

    found = await query(server, f"SELECT title, pages, _run FROM {table} ORDER BY 1")
    assert found == [("A", 3, 2), ("B", 1, 1)]


async def test_without_a_key_rows_of_all_runs_are_kept(
    server: Server, table: str
) -> None:
    for _ in range(2):  # a job without a state counts from 1 each time
        await run(sink_of(server, table, item_type=TYPE), [Book("A")])

    found = await query(server, f"SELECT _key FROM {table} ORDER BY 1")
    assert found == [("job/1/1",), ("job/2/1",)]


async def test_a_table_of_another_program_is_rejected(
    server: Server, table: str
) -> None:
    await run(sink_of(server, table, item_type=TYPE), [Book("A")], job="other")

    with pytest.raises(OutputExists, match=rf"table={table} exists"):
        await run(sink_of(server, table, item_type=TYPE), [Book("B")])
    await run(sink_of(server, table, item_type=TYPE, mode="append"), [Book("C")])

    assert sorted(await titles(server, table)) == ["A", "C"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("title text", "no column _key"),
        (
            "_key text UNIQUE, _job text, _run bigint, _sequence bigint, title int",
            "the column title has the type integer, not text",
        ),
        (
            "_key text, _job text, _run bigint, _sequence bigint, title text",
            "the column _key has no unique index",
        ),
        (
            "_key text, _job text, _run bigint, _sequence bigint, UNIQUE (_job, _key)",
            "the column _key has no unique index",
        ),
        (
            "_key text UNIQUE, _job text, _run bigint, _sequence int, n int NOT NULL",
            "the column n is NOT NULL",
        ),
    ],
)
async def test_an_unsuitable_table_is_named_before_the_first_request(
    server: Server, table: str, columns: str, words: str
) -> None:
    await execute(server, f"CREATE TABLE {table} ({columns})")

    with pytest.raises(ConfigError, match=words):
        await run(sink_of(server, table, item_type=TYPE, mode="append"))


async def test_a_suitable_table_of_another_program_is_filled(
    server: Server, table: str
) -> None:
    columns = (
        "id int GENERATED ALWAYS AS IDENTITY, _key text, _job text, _run bigint, "
        "_sequence bigint, title text NOT NULL, shelf int NOT NULL DEFAULT 7"
    )
    await execute(server, f"CREATE TABLE {table} ({columns})")
    await execute(server, f"CREATE UNIQUE INDEX ON {table} (_key)")

    await run(
        sink_of(server, table, item_type=TYPE, mode="append"), [Book("A"), Book("B")]
    )

    rows = await query(server, f"SELECT id, title, shelf FROM {table} ORDER BY id")
    assert rows == [(1, "A", 7), (2, "B", 7)]


class LostAnswer(Postgres):
    """The connection is cut just after the first commit of rows, or just before."""

    is_cut = False
    is_late = True

    async def save(self, sequence: int) -> Any:
        if self.is_cut:
            return await super().save(sequence)
        self.is_cut = True
        if self.is_late:
            rows = list(self._rows)
            await super().save(sequence)
            self._rows = rows
        await self.close()
        raise SinkError("connection reset")


async def _no_sleep(seconds: float) -> None:
    return None


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_commit_with_a_lost_response_counts_once(
    server: Server, table: str, is_late: bool
) -> None:
    sink = LostAnswer(f"{server.uri}&table={table}", item_type=ItemType.of(Author))
    sink.is_late = is_late
    await execute(server, "CREATE SEQUENCE IF NOT EXISTS writes")
    retrying = AsyncRetrying(stop=stop_after_attempt(3), sleep=_no_sleep)
    store = KeptStore()
    async with Outputs([sink], store, Run("job"), retrying=lambda: retrying) as outputs:
        # Counts how often a row is written at all.
        await execute(
            server, f"ALTER TABLE {table} ADD n bigint DEFAULT nextval('writes')"
        )
        outputs.wake(await store.add([{"name": "A"}, {"name": "B"}]))
        await outputs.drain()
        await outputs.publish()

    found = await query(server, f"SELECT name, n - min(n) OVER () FROM {table}")
    assert sorted(found) == [("A", 0), ("B", 1)]


@pytest.mark.parametrize("mode", ["append", "replace"])
async def test_the_position_in_the_database_counts_not_the_one_in_the_store(
    server: Server, table: str, mode: Mode
) -> None:
    """A kill between the commit and the record of its position."""

    class Forgetful(KeptStore):
        async def set_sink_position(self, sink: str, position: str) -> None:
            if not (await super().sink_position(sink)):
                await super().set_sink_position(sink, position)

    store = Forgetful()
    for n in range(3):
        async with Outputs(
            [sink_of(server, table, item_type=TYPE, mode=mode)], store, Run("job")
        ) as outputs:
            outputs.wake(await store.add([Book(str(n))]))
            await outputs.drain()
    await run(sink_of(server, table, item_type=TYPE, mode=mode), store=store)

    assert await titles(server, table) == ["0", "1", "2"]


async def test_a_restart_of_the_server_loses_nothing(
    server: Server, table: str
) -> None:
    store = KeptStore()

    async def restart(seconds: float) -> None:
        await to_thread.run_sync(server.start)

    retrying = AsyncRetrying(stop=stop_after_attempt(3), sleep=restart)
    sink = sink_of(server, table, item_type=TYPE)
    async with Outputs([sink], store, Run("job"), retrying=lambda: retrying) as outputs:
        outputs.wake(await store.add([Book("A")]))
        await outputs.drain()
        await to_thread.run_sync(server.stop)
        outputs.wake(await store.add([Book("B")]))
        await outputs.publish()

    assert await titles(server, table) == ["A", "B"]


async def test_an_item_that_can_never_fit_is_not_retried(
    server: Server, table: str
) -> None:
    store = KeptStore()
    patient = AsyncRetrying(stop=stop_after_attempt(99), sleep=_no_sleep)
    sink = sink_of(server, table, item_type=TYPE)
    async with Outputs([sink], store, Run("job"), retrying=lambda: patient) as outputs:
        outputs.wake(await store.add([{"title": "A", "pages": 2**70}]))
        with pytest.raises(SinkError, match="out of range"):
            await outputs.publish()


@pytest.mark.parametrize("number", [1, 2], ids=["the same run", "a later run"])
async def test_a_process_that_wakes_up_late_changes_nothing_that_others_have_written(
    server: Server, table: str, number: int
) -> None:
    def sink() -> Postgres:
        return sink_of(server, table, item_type=TYPE, mode="replace")

    def paused(store: KeptStore) -> Source:
        return Source(store, f"postgres {table}", Run("job", 1), lambda place: True)

    store, late = KeptStore(), sink()
    await store.add([Book("A"), Book("B")])
    rows = await store.items_after(0, 10)
    await late.open(paused(store))
    await late.write(rows[:1])
    other, source = sink(), paused(store)
    if number == 2:
        store = KeptStore()
        await store.add([Book("A"), Book("B")])
        source = Source(store, "other", Run("job", 2), lambda place: True)
    await other.open(source)
    await other.write(rows)
    await source.record(await other.save(2))
    positions = await query(server, "SELECT * FROM crawler_positions")

    await late.save(1)

    assert await query(server, "SELECT * FROM crawler_positions") == positions
    await other.publish(2)
    assert await titles(server, table) == ["A", "B"]
    await late.close()
    await other.close()


async def test_overwrite_keeps_the_old_rows_until_the_run_publishes(
    server: Server, table: str
) -> None:
    def sink() -> Postgres:
        return sink_of(server, table, item_type=TYPE, mode="replace")

    store = KeptStore()
    await run(sink(), [Book("old")])
    async with Outputs([sink()], store, Run("job", 2)) as outputs:
        outputs.wake(await store.add([Book("A")]))
        await outputs.drain()
        before = await titles(server, table)
    await run(sink(), [Book("B")], store=store, number=2)
    after = await titles(server, table)
    await run(sink(), [Book("C")], store=store, number=2)  # pages were retried

    assert before == ["old"]
    assert after == ["A", "B"]
    assert await titles(server, table) == ["A", "B", "C"]


async def test_a_bad_run_goes_to_a_table_beside_the_one_it_would_replace(
    server: Server, table: str
) -> None:
    def sink() -> Postgres:
        return sink_of(server, table, item_type=TYPE, mode="replace")

    store = KeptStore()
    await run(sink(), [Book("good")])
    outputs = await run(sink(), [Book("bad")], store=store, number=2, aside="bad-run-2")
    beside = await titles(server, f"{table}_bad_run_2")
    await run(sink(), [Book("mended")], store=store, number=2)

    assert beside == ["bad"]
    assert outputs.kept()[0].endswith(f"?table={table}")
    assert outputs.published()[0].endswith(f"?table={table}_bad_run_2")
    assert await titles(server, table) == ["bad", "mended"]


@pytest.mark.parametrize("letter", ["t", "é"])
async def test_a_bad_run_replaces_no_table_even_if_the_name_has_the_greatest_length(
    server: Server, letter: str
) -> None:
    size = len(letter.encode())
    # the names of both outputs begin with the same 60 bytes
    tables = [letter * (60 // size) + end for end in ("abc", "xyz")]

    def sink(table: str) -> Postgres:
        return sink_of(server, table, item_type=TYPE, mode="replace")

    for number, table in enumerate(tables):
        store = KeptStore()
        await run(sink(table), [Book(f"good{number}")])
        bad = [Book(f"bad{number}")]
        outputs = await run(sink(table), bad, store=store, number=2, aside="bad-run-2")
        (beside,) = outputs.published()

        assert await titles(server, beside.rpartition("=")[2]) == [f"bad{number}"]
    assert [await titles(server, table) for table in tables] == [["good0"], ["good1"]]


async def test_names_are_quoted(server: Server) -> None:
    await execute(server, 'CREATE SCHEMA IF NOT EXISTS "My shop"')

    @dataclass
    class Odd:
        select: int
        Title: int

    sink = sink_of(server, "My%20shop.b'o%22oks", item_type=ItemType.of(Odd))
    await run(sink, [Odd(1, 2)])

    found = await query(
        server, """SELECT "select", "Title" FROM "My shop"."b'o""oks" """
    )
    assert found == [(1, 2)]


def test_no_message_contains_a_password() -> None:
    sink = Postgres("postgresql://user:secret@127.0.0.1:1/shop?table=books")

    with pytest.raises(ConfigError, match=r"postgresql://127.0.0.1:1/shop\?table") as e:
        sink.check(lambda place: False)

    assert "secret" not in str(e.value) + sink.name
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("uri", "options", "words"),
    [
        ("postgresql://h/db?tabel=x", {}, "tabel"),
        ("postgresql://h/db?table=a.b.c", {}, "table=schema.books"),
        (f"postgresql://h/db?table={'é' * 32}", {}, "more than 63 bytes"),
        ("postgresql://h/db", {"tabel": "x"}, "did you mean 'table'"),
    ],
)
def test_an_impossible_output_is_rejected_at_once(
    uri: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        open_sink(OutputSpec(uri=uri, options=options))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_postgresql_database_can_be_an_output(scheme: str) -> None:
    sink = open_sink(f"{scheme}://host/shop?table=books", item_key="title")

    assert isinstance(sink, Postgres)
    assert sink.name == "postgresql://host/shop?table=books"
