from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NewType
from uuid import UUID

import msgspec
import pydantic
import pytest

from crawler.sinks import ItemType
from crawler.sinks.columns import ANY, Kind, columns_of, kind_of


class Shade(enum.Enum):
    RED = "red"


class Mixed(enum.Enum):
    A = "a"
    B = 1


@dataclass
class Author:
    name: str
    born: int | None


class Model(pydantic.BaseModel):
    name: str = pydantic.Field(alias="Name")


class Tree(msgspec.Struct):
    children: list[Tree]


AUTHOR = Kind("struct", fields=(("name", Kind("text")), ("born", Kind("integer"))))


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, Kind("integer")),
        (bool, Kind("boolean")),
        (float, Kind("float")),
        (str | None, Kind("text")),
        (NewType("Isbn", str), Kind("text")),
        (Decimal, Kind("decimal")),
        (datetime.datetime, Kind("timestamp")),
        (datetime.date, Kind("date")),
        (datetime.time, Kind("time")),
        (datetime.timedelta, Kind("text")),
        (UUID, Kind("uuid")),
        (bytes, Kind("bytes")),
        (Path, Kind("text")),
        (Shade, Kind("text")),
        (Literal[1, 2, None], Kind("integer")),
        (Mixed, ANY),
        (int | str, ANY),
        (None, ANY),
        (Any, ANY),
        (object, ANY),
        (Tree, ANY),
        ("no annotation", ANY),
        (list[int], Kind("list", Kind("integer"))),
        (set[str] | None, Kind("list", Kind("text"))),
        (tuple[float, ...], Kind("list", Kind("float"))),
        (tuple[int, str], ANY),
        (list, Kind("list", ANY)),
        (dict[str, float], Kind("map", Kind("float"))),
        (Author, AUTHOR),
        (list[Author], Kind("list", AUTHOR)),
        (Model, Kind("struct", fields=(("Name", Kind("text")),))),
    ],
)
def test_an_annotation_gives_the_type_of_a_column(annotation: Any, kind: Kind) -> None:
    assert kind_of(annotation) == kind


def test_columns_are_the_fields_of_the_type_in_order() -> None:
    assert columns_of(ItemType.of(Author)) == dict(AUTHOR.fields)
    assert columns_of(ItemType.named(["a"])) == {"a": ANY}
