from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crawler.pipelines import Chain, Run
from crawler.sinks import Collect, ItemRow, Outputs, OutputSpec, Selection, open_sink
from crawler.store.base import Outcome
from tests.sinks.kept import KeptStore

RUN = Run("books", 3, "books")


@dataclass
class Book:
    title: str
    price: float


@dataclass
class Author:
    name: str


async def stored(*values: Any) -> tuple[KeptStore, int]:
    store = KeptStore()
    async with Chain().open(RUN) as chain:
        items = [chain.encode_item(value) for value in values]
    return store, (await store.commit([Outcome(None, items=items)])).sequence


def test_fields_are_selected_ordered_and_renamed() -> None:
    rows = [
        ItemRow(1, 0, 0, b'{"a":1,"b":2,"c":3}'),
        ItemRow(2, 0, 0, b'{"c":"\xe2\x80\xa8"}'),
    ]

    found = Selection(fields={"c": "C", "a": "a"}).of(rows)

    assert [row.body for row in found] == [b'{"C":3,"a":1}', b'{"C":"\\u2028"}']
    assert [row.sequence for row in found] == [1, 2]


async def test_an_output_receives_the_types_that_it_names(tmp_path: Path) -> None:
    store, last = await stored(Book("A", 1), Author("X"), {"t": 1}, Book("B", 2))
    books = OutputSpec(
        uri=str(tmp_path / "b.json"), types=("Book",), fields={"title": "Title"}
    )
    people = OutputSpec(uri=str(tmp_path / "a.jsonl"), types=("Author",))
    everything = Collect()

    sinks = [open_sink(books), open_sink(people), everything]
    async with Outputs(sinks, store, RUN) as outputs:
        outputs.wake(last)
        await outputs.publish()

    assert (tmp_path / "b.json").read_text() == (
        '[\n{"Title":"A"},\n{"Title":"B"}\n]\n'
    )
    assert (tmp_path / "a.jsonl").read_text() == '{"name":"X"}\n'
    assert len(everything.items) == 4


async def test_rows_that_are_not_selected_are_skipped_after_a_restart(
    tmp_path: Path,
) -> None:
    store, last = await stored(Author("X"), Book("A", 1), Author("Y"))
    spec = OutputSpec(uri=str(tmp_path / "a.jsonl"), types=("Author",))
    for _ in range(2):
        async with Outputs([open_sink(spec)], store, RUN) as outputs:
            outputs.wake(last)
            await outputs.drain()
    async with Outputs([open_sink(spec)], store, RUN) as outputs:
        outputs.wake(last)
        await outputs.publish()

    assert (tmp_path / "a.jsonl").read_text() == '{"name":"X"}\n{"name":"Y"}\n'
