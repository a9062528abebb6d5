from __future__ import annotations

from typing import Any

import pytest

pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")

from crawler.sinks.arrow_columns import ArrowColumn, column_of  # noqa: E402
from crawler.sinks.columns import Kind  # noqa: E402

NAME = Kind("struct", fields=(("name", Kind("text")),))


def seen(kind: Kind, *values: Any) -> ArrowColumn:
    column = column_of(kind)
    for value in values:
        column.look(value)
    return column


@pytest.mark.parametrize(
    ("kind", "looks", "type"),
    [
        (Kind("integer"), False, "int64"),
        (Kind("date"), False, "date32[day]"),
        (Kind("timestamp"), True, "timestamp[us, tz=UTC]"),
        (Kind("decimal"), True, "decimal128(38, 0)"),
        (Kind(), True, "null"),
        (Kind("list", Kind("text")), False, "list<item: string>"),
        (Kind("list", Kind("decimal")), True, "list<item: decimal128(38, 0)>"),
        (Kind("map", Kind("float")), False, "map<string, double>"),
        (NAME, False, "struct<name: string>"),
    ],
)
def test_each_kind_of_value_has_its_arrow_type(
    kind: Kind, looks: bool, type: str
) -> None:
    column = column_of(kind)

    assert column.looks is looks
    assert str(column.type()) == type


def test_values_of_several_kinds_become_json() -> None:
    column = seen(Kind(), 1, "x", {"a": 1})

    assert str(column.type()) == "string"
    assert [column.convert(value) for value in (1, "x", {"a": 1}, None)] == [
        "1",
        '"x"',
        '{"a":1}',
        None,
    ]


def test_a_column_type_follows_later_values() -> None:
    column = seen(Kind(), 1)
    first = str(column.type())
    column.look("x")

    assert (first, str(column.type())) == ("int64", "string")


def test_nested_values_are_converted_too() -> None:
    column = seen(Kind("list", NAME), [{"name": "A"}])
    column.type()

    assert column.convert([{"name": "A"}, {}]) == [{"name": "A"}, {"name": None}]
