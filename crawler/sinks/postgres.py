"""Items as rows of PostgreSQL: `postgresql://host/database?table=books`, by psycopg.

Rule: exactly once. The rows and the number of the last one are written in one
transaction, and that number counts, not the one that the store recorded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from anyio import CancelScope
from psycopg.conninfo import conninfo_to_dict

from crawler.errors import ConfigError, SinkError
from crawler.pipelines.item_type import ItemType
from crawler.sinks.base import Owns, Position, Sink, Source, UnfitItem
from crawler.sinks.columns import columns_of
from crawler.sinks.file_sink import Mode, refusal
from crawler.sinks.postgres_table import Connection, PostgresTable
from crawler.sinks.row_keys import RowOwner
from crawler.store.base import ItemRow

#: The table in which every job's position stands, in the schema of `search_path`.
POSITIONS = "crawler_positions"
_CREATE_POSITIONS = f"""
CREATE TABLE IF NOT EXISTS {POSITIONS} (
    job text, output text, run bigint NOT NULL, sequence bigint NOT NULL,
    place text NOT NULL, PRIMARY KEY (job, output)
)"""
_SELECT = (
    f"SELECT run, sequence, place FROM {POSITIONS} "
    "WHERE job = %s AND output = %s FOR UPDATE"
)
_KEEP = (
    f"INSERT INTO {POSITIONS} (job, output, run, sequence, place) "
    "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (job, output) DO UPDATE SET "
    "run = excluded.run, sequence = excluded.sequence, place = excluded.place"
)
#: Unless the URI says otherwise: a server that does not answer is an error in time.
_CONNECTION: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "tcp_user_timeout": 30_000,
    "application_name": "crawler",
}


class Postgres(Sink):
    """A table of PostgreSQL, written by a transaction a second at most.

    The columns are those of the item type; without one, whole items stand in a column
    `item` of type jsonb. With `item_key` an item replaces the row with the same key, of
    this run or of an earlier one. With mode "replace" the run fills a second table,
    which takes the place of the first when the run publishes.
    """

    def __init__(
        self,
        uri: str,
        *,
        table: str = "",
        item_type: ItemType | None = None,
        item_key: Sequence[str] = (),
        mode: Mode = "refuse",
    ) -> None:
        self._conninfo, named = _split(uri)
        name = table or named or "items"
        self.target = f"{_shown(self._conninfo)}?table={name}"
        kinds = columns_of(item_type) if item_type else None
        self._item_key = item_type.in_json(item_key) if item_type else tuple(item_key)
        self._main = PostgresTable(_parts(name, uri), kinds)
        self._second = self._main.sibling(f"_new_{self._last(name)}"[:63])
        self._mode = mode
        self._connection: Connection | None = None
        self._table = self._main
        self._rows: list[ItemRow] = []
        self._run = self._taken = 0

    @staticmethod
    def _last(name: str) -> str:
        return name.rpartition(".")[2]

    @property
    def name(self) -> str:
        return self.target

    def check(self, owns: Owns) -> None:
        """Whether the database answers; whose the table is, `open` asks it itself."""
        try:
            psycopg.connect(self._conninfo, **_CONNECTION).close()
        except psycopg.Error as exc:
            raise self._unwritable(exc) from exc

    def _unwritable(self, error: Exception) -> ConfigError:
        return ConfigError(f"Output {self.target} cannot be written: {_line(error)}")

    async def open(self, source: Source) -> int:
        self._source = source
        recorded = await source.position()
        try:
            async with self._transaction() as connection:
                self._taken = await self._prepare(connection, recorded)
        except psycopg.Error as exc:
            await self.close()
            raise self._unwritable(exc) from exc
        except BaseException:
            with CancelScope(shield=True):
                await self.close()
            raise
        await source.record(self._position())
        self.unpublished = self.target
        return self._taken

    async def _prepare(self, connection: Connection, recorded: Position | None) -> int:
        """Make the tables fit; the last item that they have of this run."""
        await connection.execute(_CREATE_POSITIONS)
        kept = await self._kept(connection)
        is_resumed = recorded is not None and recorded.run == kept[0] > 0
        if is_resumed:
            self._run, taken, place = kept
            await self._continue(connection, place)
        else:
            self._run, taken = max(kept[0] + 1, self._source.run.number), 0
            is_there = bool(await self._main.columns(connection))
            is_own = kept[0] > 0 or self._source.owns(self.target)
            if is_there and not is_own and self._mode == "refuse":
                raise refusal(self.target)
            await self._begin(connection)
        if wrong := await self._table.create(connection):
            raise ConfigError(
                f"Output {self.target}: {wrong}; use another table, or --overwrite"
            )
        await self._keep(connection, taken)
        return taken

    async def _begin(self, connection: Connection) -> None:
        self._table = self._main
        if self._mode == "replace":
            await self._second.drop(connection)
            self._table = self._second

    async def _continue(self, connection: Connection, place: str) -> None:
        """Fill the table that an earlier process filled."""
        if place == self._main.name:
            self._table = self._main
            return
        self._table = self._second
        if place != self._second.name:  # a bad run was put beside the first table
            aside = self._main.sibling(self._last(place))
            await aside.rename(connection, self._last(self._second.name))

    async def _kept(self, connection: Connection) -> tuple[int, int, str]:
        """The run, its last item and its table, as the database has them."""
        key = (self._source.run.job, self.target)
        found = await (await connection.execute(_SELECT, key)).fetchone()
        return (int(found[0]), int(found[1]), str(found[2])) if found else (0, 0, "")

    async def _keep(
        self,
        connection: Connection,
        sequence: int,
        table: PostgresTable | None = None,
    ) -> None:
        place = (table or self._table).name
        values = (self._source.run.job, self.target, self._run, sequence, place)
        await connection.execute(_KEEP, values)

    def _position(self) -> Position:
        return Position(self._taken, target=self.target, run=self._run)

    async def write(self, rows: Sequence[ItemRow]) -> None:
        new = [row for row in rows if row.sequence > self._taken]
        if new:
            self._rows += new
            self._taken = new[-1].sequence

    async def save(self, sequence: int) -> Position:
        async with self._writing() as connection:
            # The answer to an earlier commit may have been lost.
            _, kept, _ = await self._kept(connection)
            owner = RowOwner(self._source.run.job, self._run)
            rows = [
                (owner.key(row, self._item_key), row)
                for row in self._rows
                if row.sequence > kept
            ]
            await self._table.insert(connection, owner, rows)
            await self._keep(connection, self._taken)
        self._rows.clear()
        return self._position()

    async def publish(self, sequence: int) -> None:
        await self._publish(sequence, "")

    async def set_aside(self, sequence: int, label: str) -> None:
        """Only a table that would replace another one can be put beside it."""
        await self._publish(sequence, label if self._mode == "replace" else "")

    async def _publish(self, sequence: int, label: str) -> None:
        await self._source.record(await self.save(sequence))
        async with self._writing() as connection:
            table = await self._put_in_place(connection, label)
        self._table = table
        self.published, self.unpublished = self.target, None
        if table.name != self._main.name:
            self.kept = self.target
            self.published = f"{self.target.partition('?')[0]}?table={table.name}"

    async def _put_in_place(self, connection: Connection, label: str) -> PostgresTable:
        """Give a second table its final name, and record it, in one transaction."""
        _, _, place = await self._kept(connection)
        if place != self._second.name:
            return self._main.sibling(self._last(place))  # done, maybe by a lost answer
        final = self._main
        if label and await self._main.columns(connection):
            name = f"{self._last(self._main.name)}_{label.replace('-', '_')}"[:63]
            final = self._main.sibling(name)
        await final.drop(connection)
        await self._second.rename(connection, self._last(final.name))
        await self._keep(connection, self._taken, final)
        return final

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._conninfo, options="-c timezone=UTC", **_CONNECTION
            )
        async with self._connection.transaction():
            yield self._connection

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Connection]:
        """A transaction that writes; SinkError if it fails, and nothing has changed."""
        try:
            async with self._transaction() as connection:
                yield connection
        except psycopg.Error as exc:
            self._table.forget()
            is_final = isinstance(exc, psycopg.DataError | psycopg.ProgrammingError)
            kind = UnfitItem if is_final else SinkError
            raise kind(f"{self.target} cannot be written: {_line(exc)}") from exc


def _split(uri: str) -> tuple[str, str]:
    """The URI as libpq takes it, and the table that it names."""
    parts = urlsplit(uri)
    pairs = [pair for pair in parts.query.split("&") if pair]
    named = [pair[len(_TABLE) :] for pair in pairs if pair.startswith(_TABLE)]
    rest = "&".join(pair for pair in pairs if not pair.startswith(_TABLE))
    conninfo = f"postgresql://{parts.netloc}{parts.path}" + (f"?{rest}" if rest else "")
    try:
        conninfo_to_dict(conninfo)
    except psycopg.Error as exc:
        raise ConfigError(f"Output {parts.scheme}://...: {_line(exc)}") from exc
    return conninfo, unquote(named[-1]) if named else ""


_TABLE = "table="


def _shown(conninfo: str) -> str:
    """The database without user and password."""
    values: dict[str, Any] = conninfo_to_dict(conninfo)
    host = values.get("host") or values.get("service") or "localhost"
    port = f":{values['port']}" if values.get("port") else ""
    return f"postgresql://{host}{port}/{values.get('dbname') or ''}"


def _parts(name: str, uri: str) -> list[str]:
    parts = name.split(".")
    if len(parts) > 2 or not all(parts) or "\0" in name:
        raise ConfigError(
            f"Output {_shown(_split(uri)[0])}: table {name!r}: write it as "
            "?table=books, or ?table=schema.books"
        )
    return parts


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
