from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from crawler.store.sqlite.string_table import MAX_WORDS, StringTable, spelled_words


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE hosts(number INTEGER PRIMARY KEY, name)")
    connection.execute("CREATE TABLE words(number INTEGER PRIMARY KEY, word)")
    yield connection
    connection.close()


def test_a_word_keeps_its_number(connection: sqlite3.Connection) -> None:
    names = StringTable(connection)
    first = names.word("parse")
    names.keep()

    again = StringTable(connection)

    assert again.word("parse") == first
    assert again.spelled(first) == "parse"
    assert again.word("") == 0
    assert again.spelled(0) == ""


def test_words_beyond_the_limit_are_stored_as_text(
    connection: sqlite3.Connection,
) -> None:
    names = StringTable(connection)
    stored = [names.word(f"word {number}") for number in range(MAX_WORDS + 2)]
    names.keep()

    spelled = spelled_words(connection)

    assert stored[-1] == f"word {MAX_WORDS + 1}"
    assert [spelled(it) for it in stored] == [
        f"word {number}" for number in range(MAX_WORDS + 2)
    ]


def test_a_word_of_a_failed_commit_gets_a_new_number(
    connection: sqlite3.Connection,
) -> None:
    names = StringTable(connection)
    connection.execute("BEGIN")
    lost = names.host("a.example")
    connection.execute("ROLLBACK")
    names.forget()

    assert names.find_host("a.example") == 0
    assert names.host("b.example") == lost


def test_a_reader_learns_words_that_were_added_later(
    connection: sqlite3.Connection,
) -> None:
    spelled, names = spelled_words(connection), StringTable(connection)
    number = names.word("late")

    assert spelled(number) == "late"
