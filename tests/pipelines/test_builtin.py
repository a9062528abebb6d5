from __future__ import annotations

import dataclasses
from typing import Any

import attrs
import msgspec
import pydantic
import pytest

from crawler.errors import ConfigError, DropItem
from crawler.pipelines import Dedupe, ItemError, Map, Required, Validate


@dataclasses.dataclass
class Data:
    title: str
    price: float = 0.0


class Struct(msgspec.Struct):
    title: str
    price: float = 0.0


@attrs.define
class Attrs:
    title: str
    price: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))


class Model(pydantic.BaseModel):
    title: str = pydantic.Field(alias="Title")
    price: float = pydantic.Field(default=0.0, ge=0)


KINDS = [pytest.param(kind, id=kind.__name__) for kind in (Data, Struct, Attrs, Model)]


@pytest.mark.parametrize(
    "empty",
    [None, "", " \n", [], {}, ()],
    ids=["None", "''", "blank", "[]", "{}", "()"],
)
def test_required_drops_an_item_with_an_empty_field(empty: Any) -> None:
    with pytest.raises(DropItem) as caught:
        Required("url", "title").apply({"url": "x", "title": empty}, None)

    assert caught.value.reason == "missing:title"


def test_required_drops_an_item_without_the_field() -> None:
    with pytest.raises(DropItem, match="missing:name"):
        Required("name").apply(Data("x"), None)


@pytest.mark.parametrize("full", [0, False, "x", [0], 0.0])
def test_required_accepts_zero_and_false(full: Any) -> None:
    item = {"n": full}

    assert Required("n").apply(item, None) is item


@pytest.mark.parametrize("pipeline", [Required, Dedupe])
@pytest.mark.parametrize("fields", [(), ("",), (["a"],)])
def test_fields_must_be_given_as_strings(pipeline: Any, fields: Any) -> None:
    with pytest.raises(ConfigError, match="needs names of fields, not "):
        pipeline(*fields)


@pytest.mark.parametrize("kind", KINDS)
def test_validate_converts_a_dict_to_the_type(kind: Any) -> None:
    item = Validate(kind).apply({"title": "A", "price": 2.5}, None)

    assert isinstance(item, kind)
    assert (item.title, item.price) == ("A", 2.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param(
            {"title": "A", "price": "cheap"}, "invalid:price", id="wrong type"
        ),
        pytest.param({"title": 3}, "invalid:title", id="number for text"),
        pytest.param({"price": 1.0}, "invalid:title|invalid:Title", id="missing"),
    ],
)
def test_validate_drops_an_item_that_does_not_match(
    kind: Any, values: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DropItem) as caught:
        Validate(kind).apply(values, None)

    assert caught.value.reason in reason.split("|")


@pytest.mark.parametrize("kind", KINDS)
def test_validate_checks_an_item_by_its_own_type(kind: Any) -> None:
    good = kind(title="A") if kind is not Model else Model(Title="A")
    bad = kind(title="A") if kind is not Model else Model(Title="A")
    assign = setattr if kind is Struct else object.__setattr__  # behind attrs' back
    assign(bad, "price", "cheap")

    assert Validate().apply(good, None) == good
    with pytest.raises(DropItem, match="invalid:price"):
        Validate().apply(bad, None)


def test_validate_applies_the_validators_of_an_attrs_class() -> None:
    with pytest.raises(DropItem, match="invalid"):
        Validate(Attrs).apply({"title": "A", "price": -1.0}, None)


def test_validate_without_a_type_cannot_check_a_dict() -> None:
    with pytest.raises(ItemError, match=r"Validate\(Book\)"):
        Validate().apply({"title": "A"}, None)


def test_validate_with_a_class_without_fields_is_an_error_at_once() -> None:
    with pytest.raises(ItemError, match="declares no fields"):
        Validate(int)


def test_dedupe_keys_are_equal_only_for_equal_values() -> None:
    key = Dedupe("url", "n").key

    assert key({"url": "x", "n": {"a": 1, "b": 2}}) == key(
        {"n": {"b": 2, "a": 1}, "url": "x"}
    )
    assert key({"url": "x", "n": 1}) != key({"url": "x", "n": "1"})
    assert key({"url": "x"}) == key({"url": "x", "n": None})


def test_a_long_dedupe_key_is_stored_as_a_digest() -> None:
    key = Dedupe("url").key

    assert len(key({"url": "x" * 10_000}) or b"") == 16
    assert key({"url": "x" * 10_000}) != key({"url": "x" * 9_999})


def test_dedupe_keeps_items_without_its_fields() -> None:
    assert Dedupe("url").key({"title": "A"}) is None


def test_map_accepts_async_functions_and_callables() -> None:
    class Doubler:
        async def __call__(self, item: Any) -> Any:
            return item

    async def function(item: Any) -> Any:
        return item

    assert Map(function).is_async
    assert Map(Doubler()).is_async
    assert not Map(dict).is_async
