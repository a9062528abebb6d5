"""A PostgreSQL server for a store: its connections and its errors.

Rule: no message shows a user or a password.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeAlias

import anyio
import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from crawler.errors import ConfigError, StateError, StoreError
from crawler.store.postgres.arrays import register
from crawler.store.postgres.schema import OLDEST_SERVER
from crawler.store.postgres.statements import SET_LOCK_TIMEOUT

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]
BlockingConnection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

#: Options of a connection, unless the URL sets them. With them, a server that does not
#: respond becomes an error.
_DEFAULTS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "tcp_user_timeout": 30_000,
    "application_name": "crawler",
}
# Turns off sequential scans and some joins, so that each statement of the store uses an
# index. Otherwise the planner might choose a scan, because a fast growing table was
# empty when its statistics were collected.
_SESSION = """SELECT pg_backend_pid();
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET jit = off; SET timezone = 'UTC'"""
# The time limits end the session of a process whose machine is gone, or which is paused
# between two statements.
_LIMITS = """SET idle_in_transaction_session_timeout = '60s';
    SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;
    SET tcp_keepalives_count = 3"""

#: Time limit in seconds for the check whether a pooler keeps sessions.
_PROBE = 5.0
_PROCESS = "SELECT pg_backend_pid()"


class PostgresServer:
    """Opens connections to the PostgreSQL database that `url` names, a URL as libpq
    reads it. Translates psycopg's errors."""

    def __init__(self, url: str) -> None:
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error as exc:
            raise ConfigError(
                f"storage.url is not a valid PostgreSQL URL: {_one_line(exc)}; write "
                "postgresql://USER@HOST/DATABASE"
            ) from exc
        self._conninfo = url
        # libpq's environment variables take precedence over these defaults.
        self._options = {
            name: value
            for name, value in _DEFAULTS.items()
            if name not in given and _VARIABLES.get(name, "") not in os.environ
        }
        host = given.get("host") or given.get("service") or os.environ.get("PGHOST")
        port = f":{given['port']}" if given.get("port") else ""
        name = given.get("dbname") or os.environ.get("PGDATABASE") or ""
        #: The URL of the database without user and password, for messages.
        self.text = f"postgresql://{host or 'localhost'}{port}/{name}"

    async def connect(self, lock_timeout: float | None = None) -> Connection:
        """Open a connection for a worker. Its statements wait for a lock for at most
        `lock_timeout` seconds; None: the server's setting. Raise StoreError if a later
        try may succeed, and StateError if not."""
        with self.translated():
            connection: Connection = await psycopg.AsyncConnection.connect(
                self._conninfo, autocommit=True, **self._options
            )
            try:
                self._check(connection.info.server_version)
                register(connection)
                row = await (await connection.execute(_SESSION)).fetchone()
                await connection.execute(_LIMITS)
                if lock_timeout is not None:
                    milliseconds = str(math.ceil(lock_timeout * 1000))
                    await connection.execute(SET_LOCK_TIMEOUT, (milliseconds,))
                # another process number shows that a connection pooler is in between
                if row != (connection.info.backend_pid,):
                    await self._check_pooler(connection)
            except BaseException:
                await connection.close()
                raise
        return connection

    async def _check_pooler(self, connection: Connection) -> None:
        """Raise StateError if a pooler gives each transaction another connection.

        Such a pooler runs the transaction of a second client on the server connection
        that `connection` has just used. With one session for each client this cannot
        happen.
        """
        with anyio.move_on_after(_PROBE):  # the pool may have no connection left
            other: Connection = await psycopg.AsyncConnection.connect(
                self._conninfo, autocommit=True, **self._options
            )
            async with other:
                # try several times, because other clients of the pooler may use the
                # connection meanwhile
                for _ in range(3):
                    used = await (await connection.execute(_PROCESS)).fetchone()
                    try:
                        async with other.transaction():
                            now = await (await other.execute(_PROCESS)).fetchone()
                    # the pooler gives even the statements of one transaction several
                    # connections
                    except errors.ProtocolViolation:
                        now = used
                    if now == used:
                        raise self._pooler_error()

    def _pooler_error(self, cause: str = "") -> StateError:
        return StateError(
            f"the server {self.text} is a pooler that gives each transaction another "
            "connection, but the store needs sessions; set pool_mode = session, or "
            f"name the server itself in storage.url{cause}"
        )

    @contextmanager
    def reading(self) -> Iterator[BlockingConnection]:
        """Open a blocking connection for one command, which may run beside crawls.

        A command does not wait for an unavailable server.
        """
        try:
            with self.translated(), closing(self._connect_blocking()) as connection:
                yield connection
        except StoreError as exc:
            raise StateError(str(exc)) from exc

    def _connect_blocking(self) -> BlockingConnection:
        connection: BlockingConnection = psycopg.connect(
            self._conninfo, autocommit=True, **self._options
        )
        try:
            self._check(connection.info.server_version)
            register(connection)
            connection.execute(_LIMITS)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, version: int) -> None:
        if version // 10_000 < OLDEST_SERVER:
            raise StateError(
                f"the server {self.text} is PostgreSQL {version // 10_000}; the store "
                f"needs {OLDEST_SERVER} or later; upgrade the server"
            )

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise psycopg's errors as this package's errors.

        Raise StoreError if the problem is transient; else StateError with what to do.
        """
        try:
            yield
        except psycopg.Error as exc:
            raise self.error_of(exc) from exc

    def error_of(self, error: psycopg.Error) -> StoreError | StateError:
        """Return this package's error for psycopg's error; its text is for a person."""
        # Remove libpq's question "Is the server running ...?", which a hint answers.
        what = _one_line(error).partition(" Is the server running")[0]
        database = f"the database {self.text}"
        if isinstance(error, errors.InsufficientPrivilege):
            return StateError(
                f"{database} has refused a statement: {what}; the role needs the "
                "right to create schemas: GRANT CREATE ON DATABASE ... TO ..."
            )
        if isinstance(error, _NOT_PREPARED):
            return self._pooler_error(f" ({what})")
        if is_passing(error):
            for text, hint in _HINTS.items():
                if text in what:
                    return StoreError(f"{database} cannot be used: {what}; {hint}")
            return StoreError(f"{database} cannot be used now: {what}")
        return StateError(
            f"{database} cannot be used: {what}; check storage.url and the server"
        )


#: Errors about statements that psycopg has prepared on another connection of a pooler.
_NOT_PREPARED = (
    errors.InvalidSqlStatementName,
    errors.DuplicatePreparedStatement,
)
#: What to do about refused connections, by a part of libpq's text: such errors have no
#: SQLSTATE.
_HINTS = {
    "no password supplied": "set PGPASSWORD, or add the password to ~/.pgpass",
    "password authentication failed": "correct PGPASSWORD, ~/.pgpass or storage.url",
    '" does not exist': "create the database or the role, or correct storage.url",
    "Connection refused": "start the server, or correct host and port in storage.url",
    "No such file or directory": "start the server, or correct host in storage.url",
    "failed to resolve host": "correct the host in storage.url",
    "invalid port number": "correct the port in storage.url",
}
_VARIABLES = {
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
}
#: Classes of SQLSTATE for transient problems: lost connections, rollbacks, a full disk
#: or memory, a server that stops or starts, a hardware error.
_PASSING = ("08", "40", "53", "57", "58", "25")


def is_passing(error: psycopg.Error) -> bool:
    """Return whether the same statement may succeed a little later."""
    if error.sqlstate is not None:
        return error.sqlstate[:2] in _PASSING or error.sqlstate == "55P03"
    # An error without a SQLSTATE comes from libpq: the connection failed.
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
