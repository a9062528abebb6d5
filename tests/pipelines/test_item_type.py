from __future__ import annotations

import dataclasses
from typing import Any

import attrs
import msgspec
import pydantic
import pytest

from crawler.pipelines import ItemField, ItemType
from crawler.pipelines.item_type import item_type


@dataclasses.dataclass
class Data:
    title: str
    pages: int | None = None


@attrs.define
class Attrs:
    title: str
    pages: int | None = None


class Struct(msgspec.Struct, rename="camel"):
    title: str
    page_count: int | None = None


class Model(pydantic.BaseModel):
    title: str = pydantic.Field(alias="Title")
    pages: int | None = None


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Data, ("title", "pages")),
        (Attrs, ("title", "pages")),
        (Struct, ("title", "pageCount")),
        (Model, ("Title", "pages")),
    ],
)
def test_a_type_gives_the_json_name_and_annotation_of_each_field(
    kind: Any, names: tuple[str, ...]
) -> None:
    found = ItemType.of(kind)

    assert found.name == kind.__name__
    assert found.names == names
    assert [field.type for field in found.fields] == [str, int | None]


def test_fields_can_be_selected_and_ordered_by_either_name() -> None:
    found = ItemType.of(Struct).only(["page_count", "title", "more"])

    assert found.names == ("pageCount", "title", "more")
    assert [field.type for field in found.fields] == [int | None, str, Any]


def test_a_list_of_names_gives_only_names() -> None:
    assert ItemType.named(["a", "b"]).fields == (ItemField("a"), ItemField("b"))


def test_an_unreadable_annotation_counts_as_any_type() -> None:
    @dataclasses.dataclass
    class Odd:
        value: Missing  # type: ignore[name-defined]  # noqa: F821

    assert ItemType.of(Odd).fields == (ItemField("value", Any, "value"),)


@pytest.mark.parametrize("kind", [Data, Attrs, Struct, Model])
def test_every_type_has_a_json_schema(kind: Any) -> None:
    schema = ItemType.of(kind).json_schema()
    schema = schema.get("$defs", {}).get(kind.__name__, schema)

    assert tuple(schema["properties"]) == ItemType.of(kind).names


def test_a_list_of_names_has_a_json_schema_too() -> None:
    assert ItemType.named(["a"]).json_schema() == {
        "type": "object",
        "properties": {"a": {}},
    }


def test_a_class_without_fields_is_not_an_item_type() -> None:
    assert item_type(dict) is None
    assert item_type(None) is None
    assert item_type(Data) == ItemType.of(Data)
    assert item_type(["a"]) == ItemType.named(["a"])
