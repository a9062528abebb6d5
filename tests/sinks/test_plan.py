from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crawler.errors import ConfigError
from crawler.sinks import Collect, ItemType, OutputPlan, OutputSpec

STARTED = datetime.datetime(2026, 3, 29, 23, 30, tzinfo=datetime.UTC).timestamp()


@dataclass
class Book:
    title: str


@dataclass
class Author:
    name: str


TYPES = {"Book": ItemType.of(Book), "Author": ItemType.of(Author)}


def nothing(place: str) -> bool:
    return False


def names(plan: OutputPlan, run: int = 7) -> list[str]:
    return [sink.name for sink in plan.sinks(STARTED, run, nothing)]


def test_placeholders_in_names_are_filled_in(tmp_path: Path) -> None:
    output = f"{tmp_path}/{{job}}-{{date}}-{{run}}.jsonl"
    plan = OutputPlan(outputs=[output], job="books")

    assert names(plan) == [f"file {tmp_path}/books-2026-03-29-7.jsonl"]


def test_a_number_that_is_in_use_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "b-7.jsonl").write_text("")
    plan = OutputPlan(outputs=[f"{tmp_path}/b-{{run}}.jsonl"], job="books")

    assert names(plan) == [f"file {tmp_path}/b-7-2.jsonl"]


def test_a_table_of_a_database_needs_no_free_number() -> None:
    output = "postgresql://host/db?table=books_{run}"

    assert names(OutputPlan(outputs=[output], job="books")) == [
        "postgresql://host/db?table=books_7"
    ]


@pytest.mark.parametrize("types", [(), ("Book", "Author")])
def test_each_type_gets_its_own_output(tmp_path: Path, types: tuple[str, ...]) -> None:
    spec = OutputSpec(uri=f"{tmp_path}/{{type}}.csv", types=types)
    plan = OutputPlan(outputs=[spec], job="books", item_types=TYPES)

    sinks = plan.sinks(STARTED, 1, nothing)

    assert [Path(sink.name).name for sink in sinks] == ["Book.csv", "Author.csv"]
    assert [sink.selection.types for sink in sinks] == [{"Book"}, {"Author"}]
    assert all(sink.is_growing for sink in sinks)  # the columns are known


@pytest.mark.parametrize(
    ("output", "types", "words"),
    [
        ("{type}.csv", {}, r"item_types = \[Book, Author\]"),
        (
            OutputSpec(uri="x.csv", types=("Boko",)),
            TYPES,
            "no item type 'Boko'; its item types are Book",
        ),
        ("x.csv", {}, "Two outputs are the same"),
    ],
)
def test_an_impossible_output_is_an_error_at_once(
    output: Any, types: Any, words: str
) -> None:
    plan = OutputPlan(outputs=[output, output], job="books", item_types=types)

    with pytest.raises(ConfigError, match=words):
        plan.check(nothing)


def test_a_sink_object_is_used_unchanged() -> None:
    sink = Collect()

    assert OutputPlan(outputs=[sink], job="b").sinks(STARTED, 1, nothing) == [sink]
