from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from tenacity import AsyncRetrying, stop_after_attempt

from crawler.errors import ConfigError, LeaseLost, OutputExists, SinkError
from crawler.pipelines import Run
from crawler.sinks import ItemType, Outputs, open_sink, places_of
from crawler.sinks.database import Database
from crawler.sinks.placement import Mode
from tests.sinks.kept import RUN, KeptStore


async def run(
    path: Path,
    *groups: Sequence[Any],
    item_key: str | None = None,
    mode: Mode = "refuse",
    store: KeptStore | None = None,
    number: int = 1,
    owned: bool = False,
) -> None:
    """A whole run of the job."""
    store = store or KeptStore()
    sink = open_sink(path, item_key=item_key, mode=mode)
    outputs = Outputs([sink], store, Run("job", number), owns=lambda place: owned)
    async with outputs:
        for group in groups:
            outputs.wake(await store.add(group))
            await outputs.drain()
        await outputs.publish()
    assert outputs.published() == [str(path)]


def table(path: Path, columns: str = "*") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        query = f"SELECT {columns} FROM items ORDER BY _run, _sequence"
        return connection.execute(query).fetchall()


async def test_items_are_rows_and_fields_are_columns(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.db"
    first = {"a": "x\0y", "b": 1.5, "c": True, "d": None}

    await run(path, [first], [{"a": 2**70, "e": [1, {"f": "é"}]}])

    assert table(path) == [
        ("job/1/1", "job", 1, 1, "x\0y", 1.5, 1, None, None),
        ("job/1/2", "job", 1, 2, str(2**70), None, None, None, '[1,{"f":"é"}]'),
    ]


async def test_names_that_sqlite_treats_as_equal_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "out.db"
    items = [{"Title": 1, "title": 2, "_key": 3, 'a b"c': 4, "": 5, "n\0": 6}]

    await run(path, items)
    await run(path, list(reversed(items)), number=2, owned=True)

    with closing(sqlite3.connect(path)) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(items)")]
    assert [row[4:] for row in table(path)] == [(1, 2, 3, 4, 5, 6)] * 2
    assert names[4] == "Title"
    assert names[5].startswith("title_")
    assert names[7:9] == ['a b"c', ""]


async def test_an_item_key_keeps_one_row_over_all_runs(tmp_path: Path) -> None:
    path = tmp_path / "out.db"

    await run(path, [{"u": "a", "v": 1}, {"u": "b", "v": 1}], item_key="u")
    await run(path, [{"u": "a", "w": 2}], item_key="u", number=2, owned=True)

    assert table(path, "_key, _run, u, v, w") == [
        ('["b"]', 1, "b", 1, None),
        ('["a"]', 2, "a", None, 2),
    ]


async def test_without_a_key_rows_of_all_runs_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.sqlite"

    await run(path, [{"n": 1}])
    await run(path, [{"n": 1}], mode="append")  # a store that forgot counts from 1

    assert table(path, "_run, _sequence, n") == [(1, 1, 1), (2, 1, 1)]


async def test_a_database_of_another_program_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "out.db"
    await run(path, [{"n": 1}])

    with pytest.raises(OutputExists, match="--overwrite, --append"):
        await run(path, [{"n": 2}])

    assert table(path, "n") == [(1,)]


async def test_overwrite_starts_with_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "out.db"
    await run(path, [{"n": 1}])

    await run(path, [{"m": 2}], mode="replace")

    assert [row[4:] for row in table(path)] == [(2,)]


async def test_rows_whose_position_was_not_recorded_are_written_once(
    tmp_path: Path,
) -> None:
    path, store = tmp_path / "out.db", KeptStore()
    async with Outputs([open_sink(path)], store, RUN) as outputs:
        opened = await store.sink_position(f"file {path}")
        outputs.wake(await store.add([{"n": 1}, {"n": 2}]))
        await outputs.drain()
    assert opened is not None
    await store.set_sink_position(f"file {path}", opened)  # killed before it was

    async with Outputs([open_sink(path)], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 3}]))
        await outputs.publish()

    assert table(path, "_run, _sequence, n") == [(3, 1, 1), (3, 2, 2), (3, 3, 3)]
    assert places_of(opened) == [str(path)]


async def test_a_deleted_database_is_written_again(tmp_path: Path) -> None:
    path, store = tmp_path / "out.db", KeptStore()
    async with Outputs([open_sink(path)], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 1}, {"n": 2}]))
        await outputs.drain()
    path.unlink()

    async with Outputs([open_sink(path)], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 3}]))
        await outputs.publish()

    assert table(path, "n") == [(1,), (2,), (3,)]


class TakenOver(KeptStore):
    """The store of a run that other processes may take over."""

    is_lost = False

    async def set_sink_position(self, sink: str, position: str) -> None:
        if self.is_lost:
            raise LeaseLost("other processes have taken over this process's work")
        await super().set_sink_position(sink, position)


@pytest.mark.parametrize("is_lost", [False, True])
async def test_an_empty_file_is_removed_unless_another_process_may_fill_it(
    tmp_path: Path, is_lost: bool
) -> None:
    """A paused process wakes up after another one has begun to fill the file."""
    path = tmp_path / "out.db"
    store = TakenOver()

    async with Outputs([open_sink(path)], store, RUN):
        assert path.exists()
        store.is_lost = is_lost

    assert path.exists() == is_lost


async def test_a_locked_database_is_retried(tmp_path: Path) -> None:
    path, store = tmp_path / "out.db", KeptStore()
    blocker = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    tries = 0

    async def unlock(seconds: float) -> None:
        nonlocal tries
        tries += 1
        await to_thread.run_sync(blocker.execute, "ROLLBACK")

    retrying = AsyncRetrying(stop=stop_after_attempt(2), sleep=unlock)
    sink = Database(path, mode="append", busy_timeout=0.01)
    async with Outputs([sink], store, RUN, retrying=lambda: retrying) as outputs:
        blocker.execute("BEGIN EXCLUSIVE")
        outputs.wake(await store.add([{"n": 1}]))
        await outputs.publish()
    blocker.close()

    assert tries == 1
    assert table(path, "n") == [(1,)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"not a database, but long enough to be looked at" * 99,
                     "file is not a database", id="no database"),
        pytest.param(None, "table lacks the columns _key, _job, _run", id="table"),
    ],
)  # fmt: skip
async def test_a_path_that_cannot_be_a_database_is_rejected_at_once(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "out.db"
    if content is None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE items (a)")
    else:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=message):
        await run(path, [{"n": 1}], mode="append")


async def test_a_run_that_never_began_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "out.db"
    async with Outputs([open_sink(path)], KeptStore(), RUN):
        assert path.exists()

    assert not path.exists()


async def test_a_failed_insert_leaves_no_partial_rows(tmp_path: Path) -> None:
    path, store = tmp_path / "out.db", KeptStore()
    trigger = (
        "CREATE TRIGGER no BEFORE INSERT ON items WHEN new._sequence = 3 "
        "BEGIN SELECT RAISE(ABORT, 'no third'); END"
    )
    retrying = AsyncRetrying(stop=stop_after_attempt(2), sleep=_no_sleep)
    async with Outputs(
        [open_sink(path)], store, RUN, retrying=lambda: retrying
    ) as outputs:
        outputs.wake(await store.add([{"n": 1}]))
        await outputs.drain()
        await to_thread.run_sync(execute, path, trigger)
        outputs.wake(await store.add([{"n": 2, "new": 1}, {"n": 3}]))
        with pytest.raises(SinkError, match="no third"):
            await outputs.drain()

    assert [row[4:] for row in table(path)] == [(1,)]
    await to_thread.run_sync(execute, path, "DROP TRIGGER no")
    async with Outputs([open_sink(path)], store, RUN) as outputs:
        outputs.wake(3)
        await outputs.publish()
    assert table(path, "n, new") == [(1, None), (2, 1), (3, None)]


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)


async def _no_sleep(seconds: float) -> None:
    return None


async def test_an_unfinished_file_of_a_killed_process_still_belongs_to_the_job(
    tmp_path: Path,
) -> None:
    path, store = tmp_path / "out.db", ForgetfulStore()
    outputs = Outputs([Database(path)], store, RUN)
    with pytest.raises(ConfigError, match="killed here"):
        async with outputs:
            pass
    store.is_killed = False

    await run(path, [{"a": 1}], store=store)

    assert table(path, "a") == [(1,)]


async def test_a_file_that_could_not_be_created_does_not_belong_to_the_job(
    tmp_path: Path,
) -> None:
    path, store = tmp_path / "missing" / "out.db", KeptStore()
    path.parent.write_text("a file")
    with pytest.raises(ConfigError):
        await run(path, store=store)
    path.parent.unlink()
    path.parent.mkdir()
    path.write_text("somebody's")

    with pytest.raises(OutputExists):
        await run(path, store=store)


class ForgetfulStore(KeptStore):
    """Dies when it is to note the file that was made."""

    is_killed = True

    async def set_sink_position(self, sink: str, position: str) -> None:
        if self.is_killed and '"run"' in position:
            raise ConfigError("killed here")
        await super().set_sink_position(sink, position)


@dataclass
class Book:
    title: str
    pages: int | None
    price: float
    is_new: bool
    weight: Decimal
    tags: list[str]
    either: int | str


def declared(path: Path, name: str = "items") -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"PRAGMA table_info({name})").fetchall()
    return {row[1]: row[2] for row in rows if not row[1].startswith("_")}


async def run_sink(sink: Database, items: Sequence[Any], aside: str = "") -> Outputs:
    store = KeptStore()
    owns = (str(sink.path)).__eq__
    async with Outputs([sink], store, Run("job", 7), owns=owns) as outputs:
        outputs.wake(await store.add(items))
        await outputs.drain()
        await outputs.publish(aside)
    return outputs


async def test_the_columns_of_a_type_exist_with_their_types_from_the_beginning(
    tmp_path: Path,
) -> None:
    path = tmp_path / "out.db"
    book = Book("007", None, 3, True, Decimal("1.10"), ["a"], "007")

    await run_sink(Database(path, item_type=ItemType.of(Book)), [])
    empty = declared(path)
    await run_sink(Database(path, item_type=ItemType.of(Book)), [book])

    assert empty == declared(path)
    assert empty == {
        "title": "TEXT",
        "pages": "INTEGER",
        "price": "REAL",
        "is_new": "BOOLEAN",
        "weight": "TEXT",
        "tags": "TEXT",
        "either": "",
    }
    assert table(path, "title, pages, price, is_new, weight, tags, either") == [
        ("007", None, 3.0, 1, "1.10", '["a"]', "007")
    ]


async def test_no_column_rounds_a_number_or_converts_text(tmp_path: Path) -> None:
    path = tmp_path / "out.db"
    typed = Database(path, item_type=ItemType.of(Book))
    await run_sink(typed, [{"pages": 2**70, "title": 0.1234567890123456789}])
    await run_sink(Database(path), [{"x": 7}, {"x": "007"}, {"x": "1e3"}])

    assert table(path, "pages, title")[0] == (
        str(2**70).encode(),
        str(0.1234567890123456789),
    )
    assert [row[0] for row in table(path, "x")[1:]] == [7, "007", "1e3"]


async def test_two_outputs_share_a_file_in_separate_tables(tmp_path: Path) -> None:
    path, store = tmp_path / "out.db", KeptStore()
    sinks = [open_sink(f"{path}?table=books"), open_sink(f"{path}?table=b%22 x")]

    async with Outputs(sinks, store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 1}]))
        await outputs.publish()

    assert declared(path, "books") == declared(path, '"b%22 x"') == {"n": ""}
    assert outputs.published() == [f"{path}?table=books", f"{path}?table=b%22 x"]


def test_a_database_of_another_program_may_get_only_a_new_table(
    tmp_path: Path,
) -> None:
    path = tmp_path / "out.db"
    execute(path, "CREATE TABLE books (a)")

    with pytest.raises(OutputExists, match=r"out\.db\?table=books exists"):
        open_sink(f"{path}?table=books").check(lambda place: False)
    open_sink(f"{path}?table=more").check(lambda place: False)


@pytest.mark.parametrize("query", ["", "table=", "name=x", "table=sqlite_x"])
def test_an_invalid_table_name_is_rejected(query: str) -> None:
    with pytest.raises(ConfigError, match="write it as"):
        open_sink(f"out.db?{query}")


async def test_overwrite_keeps_the_old_rows_until_the_run_publishes(
    tmp_path: Path,
) -> None:
    path, store = tmp_path / "out.db", KeptStore()
    await run(path, [{"n": 1}])

    for number in (2, 3):  # the second process continues the first
        sink = Database(path, mode="replace")
        async with Outputs([sink], store, RUN) as outputs:
            outputs.wake(await store.add([{"n": number}]))
            await outputs.drain()
            before = table(path, "n")
    async with Outputs([Database(path, mode="replace")], store, RUN) as outputs:
        outputs.wake(2)
        await outputs.publish()
    after = table(path, "n")
    async with Outputs([Database(path, mode="replace")], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 4}]))
        await outputs.publish()

    assert before == [(1,)]
    assert after == [(2,), (3,)]
    assert table(path, "n") == [(2,), (3,), (4,)]


async def test_a_bad_run_goes_to_a_table_beside_the_one_it_would_replace(
    tmp_path: Path,
) -> None:
    path, store = tmp_path / "out.db", KeptStore()
    await run(path, [{"n": 1}])
    async with Outputs([Database(path, mode="replace")], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 2}]))
        await outputs.publish("bad-run-7")
    beside = f"{path}?table=items_bad_run_7"
    kept, published = outputs.kept(), outputs.published()
    good = table(path, "n")

    async with Outputs([Database(path, mode="replace")], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 3}]))
        await outputs.publish()  # its failed pages were retried

    assert (kept, published, good) == ([str(path)], [beside], [(1,)])
    assert table(path, "n") == [(2,), (3,)]
    assert declared(path, "items_bad_run_7") == {}


async def test_rows_added_to_older_ones_cannot_be_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "out.db"
    await run_sink(Database(path), [{"n": 1}])

    outputs = await run_sink(Database(path), [{"n": 2}], "bad-run-7")

    assert outputs.kept() == []
    assert table(path, "n") == [(1,), (2,)]
    assert "cannot keep the items of two runs apart" in caplog.messages[0]
