"""The PostgreSQL server of an output: a connection, and the table of positions, which
says how far each output has written."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from crawler.errors import ConfigError

Connection: TypeAlias = AsyncConnection[Any]

#: Connection options, unless the URI sets them. With these timeouts a server that does
#: not respond causes an error instead of an endless wait.
_OPTIONS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "tcp_user_timeout": 30_000,
    "application_name": "crawler",
}
# The time limits end the session, and so its locks, if the machine of the process is
# gone, or if the process is paused between two statements. A statement that waits for a
# lock fails in time, so that the crawl can say so.
_SESSION = """SET timezone = 'UTC'; SET lock_timeout = '60s';
    SET idle_in_transaction_session_timeout = '60s';
    SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;
    SET tcp_keepalives_count = 3"""
#: Seconds that a transaction may take; a server that takes longer counts as down.
_PATIENCE = 120.0
_TABLE = "table="


class Server:
    """One database of a PostgreSQL server, and at most one connection to it; a lost
    connection is opened again. A transaction of more than `patience` seconds fails."""

    def __init__(self, conninfo: str, *, patience: float = _PATIENCE) -> None:
        self._conninfo = conninfo
        self._patience = patience
        self._connection: Connection | None = None

    @property
    def text(self) -> str:
        """The URL of the database without user and password, for messages."""
        values: dict[str, Any] = conninfo_to_dict(self._conninfo)
        host = values.get("host") or values.get("service") or "localhost"
        port = f":{values['port']}" if values.get("port") else ""
        return f"postgresql://{host}{port}/{values.get('dbname') or ''}"

    def check(self) -> None:
        """Raise psycopg.Error unless the database accepts a connection. The call
        blocks."""
        psycopg.connect(self._conninfo, **_OPTIONS).close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction that is committed at the end of the block."""
        if self._connection is None or self._connection.closed:
            self._connection = await self._connect()
        connection = self._connection
        timer = asyncio.get_running_loop().call_later(self._patience, _cut, connection)
        try:
            async with connection.transaction():
                yield connection
        except psycopg.OperationalError as exc:
            if asyncio.get_running_loop().time() < timer.when():
                raise
            raise psycopg.OperationalError(
                f"the server has not responded for {self._patience:g} s"
            ) from exc
        finally:
            timer.cancel()

    async def _connect(self) -> Connection:
        connection = await AsyncConnection.connect(
            self._conninfo, autocommit=True, **_OPTIONS
        )
        try:
            await connection.execute(_SESSION)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()


def _cut(connection: Connection) -> None:
    """Break the connection, so that the operation that waits for the server fails."""
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as broken,
    ):
        broken.shutdown(socket.SHUT_RDWR)


def split_uri(uri: str) -> tuple[str, str]:
    """Split an output's URI into the URI that libpq accepts, and the value of its
    parameter `table` ("" if it has none)."""
    parts = urlsplit(uri)
    pairs = [pair for pair in parts.query.split("&") if pair]
    named = [pair[len(_TABLE) :] for pair in pairs if pair.startswith(_TABLE)]
    rest = "&".join(pair for pair in pairs if not pair.startswith(_TABLE))
    conninfo = f"postgresql://{parts.netloc}{parts.path}" + (f"?{rest}" if rest else "")
    try:
        conninfo_to_dict(conninfo)
    except psycopg.Error as exc:
        raise ConfigError(
            f"Output {parts.scheme}://... is not a valid URI: {one_line(exc)}"
        ) from exc
    return conninfo, unquote(named[-1]) if named else ""


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class Kept(NamedTuple):
    """How far an output has written, as stored in the output's database."""

    #: The number of the last run that has written; 0: no run has written yet.
    run: int = 0
    #: The number of the last item of this run that is in the table.
    sequence: int = 0
    #: The name of the table that holds the rows.
    place: str = ""


class PositionTable:
    """The table `crawler_positions`, which says how far each output of each job has
    written.

    Each transaction that writes rows of an output also updates this table.
    """

    def __init__(self, job: str, output: str) -> None:
        self._key = (job, output)

    async def create(self, connection: Connection) -> None:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS crawler_positions ("
            "job text, output text, run bigint NOT NULL, sequence bigint NOT NULL, "
            "place text NOT NULL, PRIMARY KEY (job, output))"
        )

    async def read(self, connection: Connection) -> Kept:
        """Return how far the output has written, and lock the output's row: no other
        transaction can change this row until the current transaction ends."""
        cursor = await connection.execute(
            "SELECT run, sequence, place FROM crawler_positions "
            "WHERE job = %s AND output = %s FOR UPDATE",
            self._key,
        )
        found = await cursor.fetchone()
        return Kept(*found) if found else Kept()

    async def write(self, connection: Connection, kept: Kept) -> None:
        await connection.execute(
            "INSERT INTO crawler_positions (job, output, run, sequence, place) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (job, output) DO UPDATE SET "
            "run = excluded.run, sequence = excluded.sequence, place = excluded.place",
            (*self._key, *kept),
        )
