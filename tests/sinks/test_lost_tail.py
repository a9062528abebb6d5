"""A store that has lost its last commits, as after a failover to a replica without
them: outputs are cut to what it still knows, and written anew."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from crawler.pipelines import Run
from crawler.sinks import Outputs, open_sink
from tests.sinks.kept import KeptStore

Read = Callable[[str], list[int]]


def lines(path: str) -> list[int]:
    text = Path(path).read_text(encoding="utf-8")
    return [json.loads(line)["n"] for line in text.splitlines()]


def rows(path: str) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT n FROM items ORDER BY _sequence"
        return [number for (number,) in connection.execute(query)]


def served(uri: str) -> list[int]:
    import psycopg

    with psycopg.connect(uri.partition("?table")[0].partition("&table")[0]) as server:
        query = "SELECT (item->>'n')::int FROM books ORDER BY _sequence"
        return [number for (number,) in server.execute(query).fetchall()]


@pytest.fixture(params=["jsonl", "db", "postgres"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Read]:
    if request.param == "postgres":
        uri = request.getfixturevalue("database")
        request.getfixturevalue("postgres").execute("DROP TABLE IF EXISTS books")
        return f"{uri}&table=books", served
    return str(tmp_path / f"out.{request.param}"), {"jsonl": lines, "db": rows}[
        request.param
    ]


async def become(older: KeptStore, store: KeptStore, sink: str) -> None:
    """Know what the other store knows now."""
    await older.add([row.value for row in await store.items_after(0, 100)])
    position = await store.sink_position(sink)
    assert position is not None
    await older.set_sink_position(sink, position)


@pytest.mark.parametrize("more", [[], [{"n": 8}], [{"n": 8}] * 9])
async def test_the_output_equals_the_store_in_the_end(
    output: tuple[str, Read], more: list[dict[str, int]]
) -> None:
    place, read = output
    store, older = KeptStore(), KeptStore()
    sink, run = open_sink(place), Run("books", 1)

    async with Outputs([open_sink(place)], store, run) as outputs:
        outputs.wake(await store.add([{"n": 1}, {"n": 2}]))
        await outputs.drain()
        await become(older, store, sink.name)
        outputs.wake(await store.add([{"n": 3}, {"n": 4}, {"n": 5}]))
        await outputs.drain()

    sink = open_sink(place)
    async with Outputs([sink], older, run, owns=lambda place: True) as outputs:
        outputs.wake(await older.add(more) if more else 2)
        await outputs.publish()

    assert read(place) == [1, 2, *(item["n"] for item in more)]
