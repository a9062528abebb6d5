from __future__ import annotations

import tomllib
from typing import Any

import pytest

from crawler.errors import ConfigError
from crawler.sinks import OutputSpec
from crawler.sinks.spec import spec_of

TABLE = """
uri = "s3://bucket/{type}.parquet"
fields = ["title", "price"]
types = ["Book"]
rotate_rows = 1000
rotate_bytes = "1 MiB"
schema = true
region = "eu-central-1"
"""


def test_a_table_of_the_config_defines_an_output() -> None:
    assert spec_of("lake", tomllib.loads(TABLE), "config.toml") == OutputSpec(
        uri="s3://bucket/{type}.parquet",
        fields=("title", "price"),
        types=("Book",),
        rotate_rows=1000,
        rotate_bytes=1 << 20,
        schema=True,
        options={"region": "eu-central-1"},
    )


def test_a_class_receives_all_other_keys() -> None:
    table = {"class": "shop.sinks.Queue", "topic": "books", "fields": {"a": "b"}}

    spec = spec_of("queue", table, "config.toml")

    assert spec.sink == "shop.sinks.Queue"
    assert spec.options == {"topic": "books"}
    assert spec.renamed == {"a": "b"}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("x.csv", "must be a table"),
        ({}, "needs a uri or a class"),
        ({"uri": 3}, "uri = 3 must be text"),
        ({"uri": "x.csv", "types": "Book"}, "types = 'Book' must be a list"),
        ({"uri": "x.csv", "schema": 1}, "schema = 1 must be true or false"),
        ({"uri": "x.csv", "rotate_rows": True}, "must be a number"),
        ({"uri": "x.csv", "rotate_rows": -1}, "rotate_rows = -1 must be .* 0 or more"),
        ({"uri": "x.csv", "mode": "overwrite"}, '"refuse", "append" or "replace"'),
        ({"uri": "x.csv", "rotate_bytes": "1 hour"}, "is not a size"),
    ],
)
def test_an_invalid_key_is_named_with_its_location(table: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        spec_of("lake", table, "config.toml")

    assert str(caught.value).startswith("config.toml: [outputs.lake]")


def test_a_size_in_code_is_in_bytes() -> None:
    with pytest.raises(ConfigError, match="rotate_bytes = '5 kB' must be a whole"):
        OutputSpec(uri="x.csv", rotate_bytes="5 kB")  # type: ignore[arg-type]


def test_fields_and_types_are_lists_in_code_too() -> None:
    with pytest.raises(ConfigError, match=r"types = .* must be a list"):
        OutputSpec(uri="x.csv", types="Book")  # type: ignore[arg-type]
