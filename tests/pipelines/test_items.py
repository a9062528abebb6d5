from __future__ import annotations

import base64
import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid
from typing import Any

import attrs
import msgspec
import numpy
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.pipelines import ItemError, decode, encode, fields_of


@dataclasses.dataclass
class Data:
    title: str
    extra: Any = None


class Struct(msgspec.Struct):
    title: str
    extra: Any = None


@attrs.define
class Attrs:
    title: str
    extra: Any = None


class Model(pydantic.BaseModel):
    title: str
    extra: Any = None


KINDS = [pytest.param(kind, id=kind.__name__) for kind in (Data, Struct, Attrs, Model)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_item_becomes_its_fields(kind: Any) -> None:
    body = encode(kind(title="A", extra={"n": [1, 2.5, None]}))

    assert json.loads(body) == {"title": "A", "extra": {"n": [1, 2.5, None]}}


@pytest.mark.parametrize("kind", KINDS)
def test_items_may_contain_items(kind: Any) -> None:
    assert decode(encode({"in": [kind(title="A", extra=Model(title="B"))]})) == {
        "in": [{"title": "A", "extra": {"title": "B", "extra": None}}]
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_fields_of_a_type_are_known_in_order(kind: Any) -> None:
    assert fields_of(kind) == ("title", "extra")


def test_a_type_without_fields_is_an_error() -> None:
    with pytest.raises(ItemError, match="declares no fields"):
        fields_of(int)


def test_values_without_a_json_type_are_written_as_text() -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    mark = uuid.UUID(int=7)
    item = {"d": decimal.Decimal("1.10"), "t": moment, "u": mark, "b": b"\0\xff"}

    assert decode(encode(item)) == {
        "d": "1.10",
        "t": "2026-01-02T03:04:05Z",
        "u": str(mark),
        "b": base64.b64encode(b"\0\xff").decode(),
    }


def test_mappings_and_subclasses_are_written_as_their_base_type() -> None:
    class Word(str):
        __slots__ = ()

    item = collections.ChainMap({"a": Word("x"), "n": collections.Counter("aa")})

    assert decode(encode(item)) == {"a": "x", "n": {"a": 2}}


class Shade(enum.Enum):
    RED = "red"


class Flags(enum.IntFlag):
    A = 1
    B = 2


class Aliased(pydantic.BaseModel):
    title: str = pydantic.Field(alias="Title")
    where: pathlib.PurePosixPath
    price: decimal.Decimal

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def cheap(self) -> bool:
        return self.price < 5


def test_paths_enums_sets_and_numpy_values_are_written_as_json_values() -> None:
    item = {
        "path": pathlib.PurePosixPath("a/b"),
        "enum": [Shade.RED, Flags.A | Flags.B],
        "sets": [{2, 1}, frozenset("x")],
        "numpy": [numpy.int64(3), numpy.float32(1.5), numpy.bool_(True)],
        "array": numpy.array([[1, 2], [3, 4]]),
        "word": numpy.str_("x"),
    }

    assert decode(encode(item)) == {
        "path": "a/b",
        "enum": ["red", 3],
        "sets": [[1, 2], ["x"]],
        "numpy": [3, 1.5, True],
        "array": [[1, 2], [3, 4]],
        "word": "x",
    }


def test_a_pydantic_item_is_written_as_pydantic_serializes_it() -> None:
    item = Aliased(
        Title="A", where=pathlib.PurePosixPath("b"), price=decimal.Decimal("1.10")
    )

    assert decode(encode(item)) == {
        "Title": "A",
        "where": "b",
        "price": "1.10",
        "cheap": True,
    }
    assert fields_of(Aliased) == ("Title", "where", "price", "cheap")


def test_an_item_is_one_line_for_every_line_reader() -> None:
    body = encode({"a": "1\n2\r3\u2028 4\u2029 5\x85 “x”"})

    text = body.decode()
    assert "\n" not in text
    assert "\u2028" not in text
    assert "\u2029" not in text
    assert json.loads(body) == {"a": "1\n2\r3\u2028 4\u2029 5\x85 “x”"}


@dataclasses.dataclass
class Loop:
    inner: Any = None


LOOP: dict[str, Any] = {"a": []}
LOOP["a"].append(LOOP)
DEEP: dict[str, Any] = {"in": {}}
_inner = DEEP["in"]
for _ in range(100_000):
    _inner["in"] = {}
    _inner = _inner["in"]


@pytest.mark.parametrize(
    ("item", "field", "words"),
    [
        pytest.param({"p": math.nan}, "p", "nan", id="nan"),
        pytest.param({"p": [1, {"q": -math.inf}]}, "p[1].q", "-inf", id="inf within"),
        pytest.param(Data("A", math.inf), "extra", "inf", id="inf in an object"),
        pytest.param(Model(title="A", extra=math.nan), "extra", "nan", id="pydantic"),
        pytest.param({"t": "a\ud800"}, "t", "surrogate", id="surrogate"),
        pytest.param({"t": {"\ud800": 1}}, "t", "surrogate", id="surrogate in a key"),
        pytest.param({1: "a"}, "1", "not a string", id="key"),
        pytest.param({None: "a"}, "None", "not a string", id="None as key"),
        pytest.param(
            {"a": {2: "a"}}, "a", "the key 2 of the field 'a'", id="key within"
        ),
        pytest.param({"a": {(1, 2): 3}}, "a", "cannot be written", id="tuple as key"),
        pytest.param({"ok": 1, "node": object()}, "node", "object", id="object"),
        pytest.param(Struct("A", lambda: 1), "extra", "function", id="function"),
        pytest.param({"n": numpy.float64("nan")}, "n", "nan", id="numpy's nan"),
        pytest.param(
            {"n": numpy.datetime64("2026-01-01")}, "n", "datetime64", id="numpy's date"
        ),
        pytest.param({"r": range(3)}, "r", "range", id="range"),
        pytest.param({"c": 1j}, "c", "complex", id="complex"),
        pytest.param(
            Model(title="A", extra=object()), "extra", "object", id="object in pydantic"
        ),
        pytest.param(LOOP, "a", "contains itself", id="loop"),
        pytest.param(DEEP, "in", "too deeply", id="deep"),
    ],
)
def test_an_error_about_a_value_that_json_lacks_names_the_field(
    item: Any, field: str, words: str
) -> None:
    with pytest.raises(ItemError) as caught:
        encode(item)

    assert caught.value.field == field
    assert words in str(caught.value)


@pytest.mark.parametrize("value", [None, 3, "text", ["list"], b"bytes", object()])
def test_a_value_that_is_not_an_item_is_rejected(value: Any) -> None:
    with pytest.raises(ItemError):
        encode(value)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES))
def test_any_item_of_json_values_is_read_back_equal(item: dict[str, Any]) -> None:
    body = encode(item)

    assert json.loads(body) == item
    assert b"\n" not in body
    assert encode(decode(body)) == body
