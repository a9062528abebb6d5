"""Columns reach the server unchanged."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")

import psycopg

from crawler.store.postgres.arrays import (
    Bigints,
    Blobs,
    Floats,
    Integers,
    Texts,
    register,
)
from tests.postgres import Server


@pytest.mark.parametrize(
    ("column", "values"),
    [
        pytest.param(Bigints, [0, 1, -(2**63), 2**63 - 1], id="bigint"),
        pytest.param(Integers, [0, -(2**31), 2**31 - 1], id="int"),
        pytest.param(Floats, [0.0, -1.5, 1e300], id="float8"),
        pytest.param(Blobs, [b"", b"\0\xff", b"x" * 70_000], id="bytea"),
        pytest.param(Texts, ["", "ä\n'\"{}", "NULL", "x" * 70_000], id="text"),
        pytest.param(Texts, [], id="empty"),
    ],
)
def test_a_column_is_stored_unchanged(
    postgres: Server, column: Any, values: list[Any]
) -> None:
    with psycopg.connect(postgres.uri) as connection:
        register(connection)
        rows = connection.execute("SELECT unnest(%s)", (column(values),)).fetchall()

    assert [value for (value,) in rows] == values


def test_characters_that_postgresql_text_lacks_are_replaced(postgres: Server) -> None:
    with psycopg.connect(postgres.uri) as connection:
        register(connection)
        ((text,),) = connection.execute(
            "SELECT unnest(%s)", (Texts(["a\0b\ud800"]),)
        ).fetchall()

    assert text == "a\ufffdb?"
