from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from crawler.errors import ConfigError
from crawler.sinks import ItemField, ItemType, Outputs, OutputSpec, open_sink
from crawler.sinks.shape import OutputShape
from tests.sinks.kept import RUN, KeptStore


class Book(msgspec.Struct, rename="camel"):
    page_url: str
    title: str
    page_count: int = 0


TYPE = ItemType.of(Book)


def test_without_a_selection_all_fields_are_written() -> None:
    shape = OutputShape.of({}, TYPE, ["page_url"], "Output")

    assert shape == OutputShape({}, TYPE, ("pageUrl",))


def test_fields_and_key_get_their_new_names() -> None:
    shape = OutputShape.of(
        {"title": "Title", "page_url": "URL"}, TYPE, ["page_url"], "Output"
    )

    assert shape.fields == {"title": "Title", "pageUrl": "URL"}
    assert shape.item_key == ("URL",)
    assert shape.item_type is not None
    assert shape.item_type.fields == (ItemField("Title", str), ItemField("URL", str))
    assert shape.item_type.json_schema() == {
        "type": "object",
        "properties": {"Title": {"type": "string"}, "URL": {"type": "string"}},
    }


def test_the_names_of_items_without_a_type_are_known() -> None:
    shape = OutputShape.of({"a": "A"}, None, [], "Output")

    assert shape.item_type is not None
    assert shape.item_type.names == ("A",)


@pytest.mark.parametrize(
    ("fields", "key", "words"),
    [
        ({"titel": "x"}, [], "x.csv: unknown field 'titel'; did you mean 'title'"),
        ({"title": "x", "page_count": "x"}, [], "the name 'x' to two fields"),
        ({"title": "x"}, ["page_url"], "must contain 'pageUrl', because item_key"),
    ],
)
def test_an_impossible_selection_is_an_error(
    fields: Mapping[str, str], key: list[str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        OutputShape.of(fields, TYPE, key, "Output x.csv")


@pytest.mark.parametrize("uri", ["b.csv", "file:///b.parquet", "b.db.jsonl"])
def test_a_file_may_omit_the_fields_of_the_key(uri: str) -> None:
    sink = open_sink(OutputSpec(uri=uri, fields=("title",)), item_key="page_url")

    assert sink.selection.fields == {"title": "title"}


def test_a_database_needs_the_fields_of_the_key() -> None:
    spec = OutputSpec(uri="b.sqlite?table=x", fields=("title",))

    with pytest.raises(ConfigError, match="must contain 'page_url', because item_key"):
        open_sink(spec, item_key="page_url")


async def test_the_key_of_a_database_follows_the_new_names(tmp_path: Path) -> None:
    path, store = tmp_path / "b.db", KeptStore()
    spec = OutputSpec(uri=str(path), fields={"page_url": "URL", "title": "Title"})
    sink = open_sink(spec, item_type=TYPE, item_key="page_url")
    async with Outputs([sink], store, RUN) as outputs:
        outputs.wake(await store.add([Book("a", "A"), Book("b", "B"), Book("a", "C")]))
        await outputs.publish()

    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT URL, Title FROM items ORDER BY 1").fetchall()
    assert found == [("a", "C"), ("b", "B")]


async def test_a_configured_output_may_replace_an_existing_file(tmp_path: Path) -> None:
    path, store = tmp_path / "b.jsonl", KeptStore()
    path.write_text("old\n")
    sink = open_sink(OutputSpec(uri=str(path), mode="replace"))
    async with Outputs([sink], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 1}]))
        await outputs.publish()

    assert path.read_text() == '{"n":1}\n'
