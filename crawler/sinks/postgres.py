"""Items as rows of PostgreSQL: `postgresql://host/database?table=books`, by psycopg.

Rule: every item is written exactly once. The rows and the number of the last item are
written in one transaction. After a crash this number says where to continue, even if
the crawl's own database has recorded another number.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg
from anyio import CancelScope

from crawler.errors import ConfigError, SinkError
from crawler.pipelines.item_type import ItemType
from crawler.sinks.base import Owns, Position, Sink, Source, UnfitItem
from crawler.sinks.columns import columns_of
from crawler.sinks.placement import Mode, refusal
from crawler.sinks.postgres_server import (
    Connection,
    Kept,
    PositionTable,
    Server,
    one_line,
    split_uri,
)
from crawler.sinks.postgres_table import LONGEST, PostgresSwap, PostgresTable
from crawler.sinks.row_keys import RowOwner
from crawler.store.base import ItemRow


# This class has over 12 attributes, because every step of an output may fail and is
# repeated by itself, with the results of the earlier steps.
class Postgres(Sink):
    """Writes items to a table of PostgreSQL, in at most one transaction a second.

    The columns are those of the item type; without one, whole items are in one column
    `item` of type jsonb. With `item_key` an item replaces the row with the same key, of
    this run or of an earlier one. With mode "replace" the run fills a second table,
    which replaces the first table when the run publishes.
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
        conninfo, named = split_uri(uri)
        self._server = Server(conninfo)
        name = table or named or "items"
        self.target = f"{self._server.text}?table={name}"
        main = PostgresTable(
            _parts(name, self.target), columns_of(item_type) if item_type else None
        )
        self._swap = PostgresSwap(main, is_replacing=mode == "replace")
        self._item_key = item_type.in_json(item_key) if item_type else tuple(item_key)
        self._mode = mode
        self._table = main
        self._rows: list[ItemRow] = []
        self._run = self._taken = 0

    @property
    def name(self) -> str:
        return self.target

    def check(self, owns: Owns) -> None:
        """Check that the database responds; `open` checks who owns the table."""
        try:
            self._server.check()
        except psycopg.Error as exc:
            raise self._unwritable(exc) from exc

    def _unwritable(self, error: Exception) -> ConfigError:
        return ConfigError(f"Output {self.target} cannot be written: {one_line(error)}")

    async def open(self, source: Source) -> int:
        self._source = source
        self._positions = PositionTable(source.run.job, self.target)
        recorded = await source.position()
        try:
            async with self._server.transaction() as connection:
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
        """Create the tables or add missing columns; return the number of this run's
        last item in the output's table."""
        await self._positions.create(connection)
        kept = await self._positions.read(connection)
        if recorded is not None and recorded.run == kept.run > 0:
            self._run, taken = kept.run, min(kept.sequence, recorded.sequence)
            self._table = await self._swap.resume(connection, kept.place)
        else:
            self._run, taken = max(kept.run + 1, self._source.run.number), 0
            is_own = kept.run > 0 or self._source.owns(self.target)
            is_refused = self._mode == "refuse" and not is_own
            if is_refused and await self._swap.main.columns(connection):
                raise refusal(self.target)
            self._table = await self._swap.begin(connection)
        if wrong := await self._table.create(connection):
            raise ConfigError(
                f"Output {self.target}: the existing table cannot be used, because "
                f"{wrong}; use another table, or --overwrite"
            )
        # Items after the recorded position will be written again. Their rows are
        # removed first: if the store has lost its last commits, it gives the same
        # numbers to other items.
        if kept.run == self._run and kept.sequence > taken and not self._item_key:
            owner = RowOwner(self._source.run.job, self._run)
            await self._table.remove(connection, owner, taken, kept.sequence)
        await self._positions.write(connection, self._kept(taken))
        return taken

    def _kept(self, sequence: int) -> Kept:
        return Kept(self._run, sequence, self._table.name)

    def _position(self) -> Position:
        return Position(self._taken, target=self.target, run=self._run)

    async def write(self, rows: Sequence[ItemRow]) -> None:
        new = [row for row in rows if row.sequence > self._taken]
        if new:
            self._rows += new
            self._taken = new[-1].sequence

    async def save(self, sequence: int) -> Position:
        owner = RowOwner(self._source.run.job, self._run)
        async with self._writing() as connection:
            # The commit of an earlier try may have succeeded although its response was
            # lost; then these rows are already in the table.
            kept = await self._positions.read(connection)
            rows = [
                (owner.key(row, self._item_key), row)
                for row in self._rows
                if row.sequence > kept.sequence
            ]
            # If this process was paused, another one may have taken over its run, or
            # begun a later one. The store will refuse the position.
            is_taken_over = kept.run > self._run or kept.sequence > self._taken
            if not is_taken_over:
                await self._table.insert(connection, owner, rows)
                await self._positions.write(connection, self._kept(self._taken))
        self._rows.clear()
        return self._position()

    async def publish(self, sequence: int) -> None:
        await self._publish(sequence, "")

    async def set_aside(self, sequence: int, label: str) -> None:
        """Publish a bad run (exit code 3, or no items). With mode "replace" its table
        stays beside the table of earlier runs; otherwise its rows stay in that
        table."""
        if self._mode == "replace":
            await self._publish(sequence, label)
        else:
            await super().set_aside(sequence, label)

    async def _publish(self, sequence: int, label: str) -> None:
        await self._source.record(await self.save(sequence))
        async with self._writing() as connection:
            kept = await self._positions.read(connection)
            table = await self._swap.put_in_place(connection, kept.place, label)
            place = kept._replace(place=table.name)
            await self._positions.write(connection, place)
        self._table = table
        self.published, self.unpublished = self.target, None
        if table.name != self._swap.main.name:
            self.kept = self.target
            self.published = f"{self.target.partition('?')[0]}?table={table.name}"

    async def close(self) -> None:
        await self._server.close()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Connection]:
        """Open a transaction for writing; if it fails, raise SinkError and change
        nothing."""
        try:
            async with self._server.transaction() as connection:
                yield connection
        except psycopg.Error as exc:
            self._table.forget()
            is_final = isinstance(exc, psycopg.DataError | psycopg.ProgrammingError)
            kind = UnfitItem if is_final else SinkError
            why = one_line(exc)
            raise kind(f"Output {self.target} cannot be written: {why}") from exc


def _parts(name: str, target: str) -> list[str]:
    parts = name.split(".")
    if len(parts) > 2 or not all(parts) or "\0" in name:
        raise ConfigError(
            f"Output {target} names no valid table; write it as ?table=books, or "
            "?table=schema.books"
        )
    if any(len(part.encode()) > LONGEST for part in parts):
        raise ConfigError(
            f"Output {target} has a name of more than {LONGEST} bytes, which "
            "PostgreSQL does not allow; choose a shorter name"
        )
    return parts
