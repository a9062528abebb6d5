from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from crawler.sinks import ItemRow
from crawler.sinks.columns import Kind
from crawler.sinks.row_keys import RowOwner
from crawler.sinks.sqlite_table import Table, TableSwap, quoted

OWNER = RowOwner("books", 7)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def insert(table: Table, key: str, body: bytes) -> None:
    table.insert(OWNER, key, ItemRow(1, 0, 0, body))


def values(connection: sqlite3.Connection, name: str, column: str) -> list[object]:
    query = f"SELECT {column} FROM {quoted(name)} ORDER BY rowid"
    return [value for (value,) in connection.execute(query)]


def test_a_row_replaces_the_row_with_the_same_key(
    connection: sqlite3.Connection,
) -> None:
    table = Table(connection, "t")
    table.create({})
    for body in (b'{"a":1}', b'{"a":2}'):
        insert(table, "k", body)

    assert values(connection, "t", "a") == [2]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (Kind("integer"), b'{"v":1180591620717411303424}', b"1180591620717411303424"),
        (Kind("text"), b'{"v":0.1234567890123456}', "0.1234567890123456"),
        (Kind("text"), b'{"v":true}', "true"),
        (Kind(), b'{"v":"007"}', "007"),
        (Kind("list"), b'{"v":[1]}', "[1]"),
        (Kind("boolean"), b'{"v":true}', 1),
    ],
)
def test_no_column_changes_a_value(
    connection: sqlite3.Connection, kind: Kind, body: bytes, expected: object
) -> None:
    table = Table(connection, "t")
    table.create({"v": kind})
    insert(table, "k", body)

    assert values(connection, "t", "v") == [expected]


def test_columns_are_read_again_after_a_rollback(
    connection: sqlite3.Connection,
) -> None:
    table = Table(connection, "t")
    table.create({})
    connection.execute("BEGIN")
    insert(table, "k", b'{"new":1}')
    connection.execute("ROLLBACK")
    table.forget()

    insert(table, "k", b'{"new":1}')

    assert values(connection, "t", "new") == [1]


def test_a_second_table_replaces_the_first(
    connection: sqlite3.Connection,
) -> None:
    swap = TableSwap("t", is_replacing=True)
    Table(connection, "t").create({"old": Kind()})
    table = swap.table_to_fill(connection, is_first=True, aside="")
    table.create({"new": Kind()})
    insert(table, "k", b'{"new":1}')

    swap.put_in_place(connection, table, "")

    assert table.name == "t"
    assert values(connection, "t", "new") == [1]
    assert swap.table_to_fill(connection, is_first=False, aside="").name == "t"


def test_a_table_set_aside_can_be_filled_again(connection: sqlite3.Connection) -> None:
    swap = TableSwap("t", is_replacing=True)
    Table(connection, "t").create({})
    table = swap.table_to_fill(connection, is_first=True, aside="")
    table.create({})
    swap.put_in_place(connection, table, "bad-run-7")
    beside = table.name

    table = swap.table_to_fill(connection, is_first=False, aside="bad-run-7")

    assert beside == "t_bad_run_7"
    assert table.name == swap.second
    assert table.exists()
