"""Declared arguments: converted, listed, and rejected with their name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from crawler import Arg, ConfigError, Spider
from crawler.spider.arguments import encode_arguments


class Shop(Spider):
    name = "shop"
    shelf: str = Arg("fiction", help="which shelf")
    limit: int = Arg(10)
    tags: list[str] = Arg([])
    ratio: float | None = Arg(None)
    strict: bool = Arg(False)
    root: str = Arg(help="where it starts")


def test_arguments_have_their_defaults() -> None:
    spider = Shop(root="x")

    assert (spider.shelf, spider.limit, spider.tags, spider.strict) == (
        "fiction",
        10,
        [],
        False,
    )
    assert spider.arguments["root"] == "x"


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("limit", "20", 20),
        ("limit", 20, 20),
        ("shelf", "20", "20"),
        ("ratio", "0.5", 0.5),
        ("strict", "true", True),
        ("tags", "a, b", ["a", "b"]),
        ("tags", '["a,b"]', ["a,b"]),
        ("tags", ["x"], ["x"]),
    ],
)
def test_text_is_converted_to_the_declared_type(
    name: str, given: Any, value: Any
) -> None:
    assert getattr(Shop(root="x", **{name: given}), name) == value


def test_an_error_about_an_invalid_value_names_the_argument() -> None:
    with pytest.raises(
        ConfigError, match=r"limit='many' does not fit .* int: expected a"
    ):
        Shop(root="x", limit="many")


def test_an_error_about_an_unknown_argument_suggests_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'shelf'"):
        Shop(root="x", shelv="y")


def test_an_error_about_a_missing_argument_says_how_to_give_it() -> None:
    with pytest.raises(ConfigError, match="-a root="):
        Shop()


def test_arguments_are_inherited() -> None:
    class Sub(Shop):
        name = "sub"
        extra: int = Arg(1)

    assert set(Sub.declared_arguments) == {*Shop.declared_arguments, "extra"}
    assert Sub(root="x", limit=3).arguments["limit"] == 3


def test_an_argument_may_not_have_the_name_of_a_spider_attribute() -> None:
    with pytest.raises(ConfigError, match=r"Bad\.start"):

        class Bad(Spider):
            start: str = Arg("x")  # type: ignore[assignment]


def test_an_argument_needs_a_type() -> None:
    with pytest.raises(ConfigError, match="has no type"):

        class Bad(Spider):
            shelf = Arg("x")


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(
        ConfigError, match=r"Bad\.shelf: the argument's type 'Shelf' cannot be resolved"
    ):

        class Bad(Spider):
            shelf: Shelf = Arg("x")  # type: ignore[name-defined]  # noqa: F821


def test_types_of_other_attributes_need_not_be_known() -> None:
    class Typed(Spider):
        name = "typed"
        shop: TypeCheckedOnly  # type: ignore[name-defined]  # noqa: F821
        limit: int | None = Arg(None)

    assert Typed(limit="3").arguments["limit"] == 3


class Reading(Spider):
    name = "reading"
    list_file: Path = Arg(Path("names.txt"))
    others: list[Path] = Arg([])
    ratio: float | None = Arg(None)
    limit: int = Arg(1)


def test_a_path_can_be_an_argument() -> None:
    default, given = Reading(), Reading(list_file="a/b.txt", others="c,d")

    assert default.list_file == Path("names.txt")
    assert (given.list_file, given.others) == (Path("a/b.txt"), [Path("c"), Path("d")])
    kept = msgspec.json.decode(encode_arguments(given.arguments))
    assert Reading(**kept).arguments == given.arguments


@pytest.mark.parametrize(
    ("name", "what"), [("ratio", "a number"), ("limit", "a whole number")]
)
def test_an_error_about_a_wrong_value_is_in_words(name: str, what: str) -> None:
    with pytest.raises(ConfigError, match=f"'many' does not fit .*: expected {what}$"):
        Reading(**{name: "many"})


def test_an_error_about_invalid_json_names_the_type() -> None:
    with pytest.raises(ConfigError, match="object cannot be written as JSON"):
        encode_arguments({"a": object()})
