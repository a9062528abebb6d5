from __future__ import annotations

import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")

import psycopg

from crawler.errors import ConfigError
from crawler.sinks.postgres_server import Server, one_line, split_uri
from tests.postgres import Server as Postgres


@pytest.mark.parametrize(
    ("uri", "conninfo", "table"),
    [
        ("postgres://h/db", "postgresql://h/db", ""),
        ("postgresql://h/db?table=b", "postgresql://h/db", "b"),
        (
            "postgresql://u:p%40w@h1,h2:5/db?sslmode=require&table=s.b%20c",
            "postgresql://u:p%40w@h1,h2:5/db?sslmode=require",
            "s.b c",
        ),
        (
            "postgresql:///db?host=/tmp/a%20b&table=t",
            "postgresql:///db?host=/tmp/a%20b",
            "t",
        ),
    ],
)
def test_the_uri_without_the_table_goes_to_libpq(
    uri: str, conninfo: str, table: str
) -> None:
    assert split_uri(uri) == (conninfo, table)


def test_an_unknown_option_of_libpq_is_rejected_without_showing_the_password() -> None:
    with pytest.raises(ConfigError, match="nope") as caught:
        split_uri("postgresql://u:secret@h/db?nope=1")

    assert "secret" not in str(caught.value)


def test_a_server_is_shown_without_its_user() -> None:
    assert Server("postgresql://u:secret@h:5433/db").text == "postgresql://h:5433/db"
    assert Server("postgresql:///db").text == "postgresql://localhost/db"


def test_an_error_is_one_line() -> None:
    assert one_line(ValueError("a\n  b\tc")) == "a b c"


async def test_a_session_of_a_paused_process_ends_by_itself(database: str) -> None:
    """Otherwise its locks would stop the output of the run's next process."""
    server = Server(database)
    async with server.transaction() as connection:
        limit = "SHOW idle_in_transaction_session_timeout"
        assert await (await connection.execute(limit)).fetchone() == ("1min",)
        zone = await (await connection.execute("SHOW timezone")).fetchone()
    await server.close()

    assert zone == ("UTC",)


async def test_a_server_that_hangs_is_an_error_and_the_next_transaction_succeeds(
    database: str, postgres: Postgres
) -> None:
    server = Server(database, patience=0.2)
    async with server.transaction() as connection:
        await connection.execute("SELECT 1")

    with postgres.hanging():
        with pytest.raises(psycopg.OperationalError, match=r"responded for 0\.2 s"):
            async with server.transaction():
                raise AssertionError("BEGIN had a response")
        async with server.transaction() as connection:
            found = await (await connection.execute("SELECT 1")).fetchone()

    assert found == (1,)
    await server.close()
