"""The fields of a class, for every supported library of classes."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Optional, Union

import attrs
import pytest

from crawler import ConfigError
from crawler.extraction.members import Shape, is_item_class, members, shape_of
from tests.extraction.classes import KINDS, Review


@pytest.mark.parametrize("kind", KINDS)
def test_four_kinds_of_classes_have_the_same_fields(kind: type) -> None:
    found = {member.name: member for member in members(kind)}

    assert list(found) == [
        "title", "price", "url", "reviews", "tags", "stock", "source",
    ]  # fmt: skip
    assert [member.has_default for member in found.values()] == [False] * 4 + [True] * 3
    assert found["tags"].type == list[str]
    assert found["source"].metadata == ()
    assert found["title"].type is str


def test_fields_that_the_constructor_does_not_accept_are_ignored() -> None:
    @dataclass
    class Made:
        title: str
        length: int = field(init=False, default=0)

    @attrs.define
    class Private:
        _title: str
        size: int = attrs.field(init=False, default=1)
        number: int = attrs.field(converter=int, default=0)

    own = members(Private)
    assert [member.name for member in members(Made)] == ["title"]
    assert [(each.name, each.argument) for each in own] == [
        ("_title", "title"),
        ("number", "number"),
    ]
    assert [each.is_checked for each in own] == [False, True]


@pytest.mark.parametrize(
    ("annotation", "shape"),
    [
        (str, Shape(str, False, None)),
        (Optional[int], Shape(int, True, None)),  # noqa: UP045
        (int | None, Shape(int, True, None)),
        (list[int], Shape(int, False, list)),
        (list, Shape(str, False, list)),
        (tuple[int, ...], Shape(int, False, tuple)),
        (tuple[int, int], Shape(tuple[int, int], False, None)),
        (set[str] | None, Shape(str, True, set)),
        (frozenset[Review], Shape(Review, False, frozenset)),
        (Union[int, str, None], Shape(int | str, True, None)),  # noqa: UP007
        (Literal["a", "b"], Shape(Literal["a", "b"], False, None)),
        (dict[str, int], Shape(dict[str, int], False, None)),
        (Any, Shape(Any, False, None)),
    ],
)  # fmt: skip
def test_the_annotation_decides_between_one_value_and_several(
    annotation: Any, shape: Shape
) -> None:
    assert shape_of(annotation) == shape


def test_a_class_without_fields_is_not_an_item_class() -> None:
    assert not is_item_class(str)
    assert not is_item_class(list[int])
    assert is_item_class(Review)
    with pytest.raises(
        ConfigError, match=r"str declares no fields, .*; use a dataclass"
    ):
        members(str)


def test_an_annotation_with_an_unknown_name_is_an_error() -> None:
    @dataclass
    class Wrong:
        title: Annotated["Nowhere", 1]  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(
        ConfigError, match=r"Wrong cannot be read.*top level of a module"
    ):
        members(Wrong)
