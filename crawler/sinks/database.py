"""Items as rows of a SQLite file: `books.db`, or `books.db?table=books`.

Rule: a row is committed before the store records that it is written. A row that is
written again replaces its earlier version. Rows of earlier runs stay, unless the mode
is "replace": then the run fills a second table, which replaces the first table when
the run publishes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from anyio import CancelScope, move_on_after, to_thread

from crawler.errors import ConfigError, LeaseLost, SinkError, StoreError
from crawler.pipelines.item_type import ItemType
from crawler.sinks.base import Owns, Position, Sink, Source
from crawler.sinks.columns import columns_of
from crawler.sinks.disk import LOCAL
from crawler.sinks.placement import Mode, refusal
from crawler.sinks.row_keys import RowOwner
from crawler.sinks.sqlite_file import SqliteFile
from crawler.sinks.sqlite_table import Table, TableSwap
from crawler.store.base import ItemRow

TABLE = "items"
#: Maximum number of seconds to wait for the store when an empty output is closed.
_PROBE = 5.0


# This class has over 15 methods and 12 attributes, because every step of an output may
# fail and is repeated by itself, with the results of the earlier steps.
class Database(Sink):
    """A table of a SQLite file, written directly, with at most one transaction a
    second.

    With `item_key` an item replaces the row with the same key, of this run or of an
    earlier run. Without `item_key` every run adds its own rows. With mode "replace" the
    table has only the rows of the last run.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        table: str | None = None,
        item_type: ItemType | None = None,
        item_key: Sequence[str] = (),
        mode: Mode = "refuse",
        busy_timeout: float = 5.0,
    ) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  # no disk access
        self.target = f"{self.path}?table={table}" if table else str(self.path)
        self._swap = TableSwap(table or TABLE, is_replacing=mode == "replace")
        #: Whether the user named the table; only such a table may be added to another
        #: program's database.
        self._is_named = table is not None
        self._item_type = item_type
        self._item_key = item_type.in_json(item_key) if item_type else tuple(item_key)
        self._mode = mode
        self._file = SqliteFile(self.path, busy_timeout)
        self._table: Table | None = None
        self._position = Position()
        self._rows: list[ItemRow] = []
        self._taken = 0
        self._is_ours_alone = False

    @property
    def name(self) -> str:
        return f"file {self.target}"

    def check(self, owns: Owns) -> None:
        if self._mode != "refuse" or owns(str(self.path)):
            return
        try:
            is_taken = self.path.exists() and not self._has_room()
        except (OSError, sqlite3.Error) as exc:
            raise self._unwritable(exc) from exc
        if is_taken:
            raise refusal(self.target)

    def _has_room(self) -> bool:
        """Return whether the output's table may be added to an existing database: the
        user has named the table, and the database does not have it yet."""
        if not self._is_named:
            return False
        uri = f"{self.path.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            return not Table(connection, self._swap.name).exists()

    def _unwritable(self, error: Exception) -> ConfigError:
        why = getattr(error, "strerror", None) or str(error)
        return ConfigError(f"Output {self.target} cannot be written: {why}")

    async def open(self, source: Source) -> int:
        self._source = source
        recorded = await source.position()
        if recorded is None and not await to_thread.run_sync(self.path.exists):
            # The position is recorded before the file is created. So the job owns the
            # file even if this process is killed.
            recorded = Position(target=str(self.path))
            await source.record(recorded)
        try:
            self._position = await to_thread.run_sync(self._prepare, recorded)
        except (OSError, sqlite3.Error) as exc:
            await self._give_up(recorded)
            raise self._unwritable(exc) from exc
        except ConfigError:
            await self._give_up(recorded)
            raise
        try:
            await source.record(self._position)
        except BaseException:
            # the store may have recorded that this file is the output, so it stays
            self._is_ours_alone = False
            with CancelScope(shield=True):
                await self.close()
            raise
        self.unpublished = self.target
        self._taken = self._position.sequence
        return self._taken

    async def _give_up(self, recorded: Position | None) -> None:
        """Close the database, and record that nothing was written, because the database
        cannot be used."""
        await self.close()
        if recorded is not None and not recorded.run:
            await self._source.record(Position())

    def _prepare(self, recorded: Position | None) -> Position:
        LOCAL.make_folder(self.path.parent)
        exists = self.path.exists()
        self._is_ours_alone = not exists
        is_known = recorded is not None and bool(recorded.target)
        if exists and not is_known and not self._may_change() and not self._has_room():
            raise refusal(self.target)
        with self._file.transaction() as connection:
            is_first = recorded is None or not recorded.run or not exists
            aside = recorded.aside if recorded is not None else ""
            self._table = self._swap.table_to_fill(
                connection, is_first=is_first, aside=aside
            )
            self._table.create(columns_of(self._item_type) if self._item_type else {})
            if missing := self._table.missing_columns():
                raise ConfigError(
                    f"{self.path} has a table `{self._swap.name}` that no crawl has "
                    f"made: the table lacks the columns {', '.join(missing)}; use "
                    "another file or table"
                )
            if recorded is not None and not is_first:
                # Items after the recorded position will be written again. Their rows
                # are removed first: if the store has lost its last commits, it gives
                # the same numbers to other items.
                if not self._item_key:
                    owner = RowOwner(self._source.run.job, recorded.run)
                    self._table.cut(owner, recorded.sequence)
                return msgspec.structs.replace(recorded, state="writing", aside="")
            return Position(target=str(self.path), run=self._number(self._table))

    def _may_change(self) -> bool:
        return self._mode != "refuse" or self._source.owns(str(self.path))

    def _number(self, table: Table) -> int:
        """Return a number for this run that no earlier run has in this table.

        `run.number` is not enough: every run of a job without stored state has number
        1, although the table may have rows of such an earlier run.
        """
        run = self._source.run
        return max(table.next_run(run.job), run.number)

    async def write(self, rows: Sequence[ItemRow]) -> None:
        new = [row for row in rows if row.sequence > self._taken]
        if new:
            self._rows += new
            self._taken = new[-1].sequence

    async def save(self, sequence: int) -> Position:
        await to_thread.run_sync(self._insert)
        self._position = msgspec.structs.replace(self._position, sequence=self._taken)
        return self._position

    def _insert(self) -> None:
        assert self._table is not None
        owner = RowOwner(self._source.run.job, self._position.run)
        with self._writing():
            for row in self._rows:
                self._table.insert(owner, owner.key(row, self._item_key), row)
        self._rows.clear()

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
        if self._rows or self._taken != self._position.sequence:
            await self._source.record(await self.save(sequence))
        if label:
            # The label is recorded first, so that the next process finds the table
            # under its new name if this process is killed.
            self._position = msgspec.structs.replace(self._position, aside=label)
            await self._source.record(self._position)
        place = await to_thread.run_sync(self._put_in_place, label)
        is_aside = place != self._swap.name
        self._position = msgspec.structs.replace(
            self._position, state="finished", aside=label if is_aside else ""
        )
        await self._source.record(self._position)
        self.published, self.unpublished = self.target, None
        if is_aside:
            self.kept, self.published = self.target, f"{self.path}?table={place}"

    def _put_in_place(self, label: str) -> str:
        """Give this run's table its final name, and return the name."""
        assert self._table is not None
        with self._writing() as connection:
            self._swap.put_in_place(connection, self._table, label)
        return self._table.name

    async def close(self) -> None:
        is_open = await to_thread.run_sync(self._file.close)
        is_empty = self._is_ours_alone and self.published is None and not self._taken
        if is_open and is_empty and await self._is_at_work():
            # the new file contains no items
            await to_thread.run_sync(lambda: self.path.unlink(missing_ok=True))

    async def _is_at_work(self) -> bool:
        """Return whether this process still works on the run. If not, another process
        may have begun to fill the file."""
        if not self._position.target:  # the output could not be opened
            return True
        with move_on_after(_PROBE), contextlib.suppress(LeaseLost, StoreError):
            await self._source.record(self._position)
            return True
        return False

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction for writing; if it fails, raise SinkError and change
        nothing."""
        assert self._table is not None
        name = self._table.name
        try:
            with self._file.transaction() as connection:
                yield connection
        except (sqlite3.Error, OSError) as exc:
            self._table.name = name
            self._table.forget()
            raise SinkError(f"Output {self.target} cannot be written: {exc}") from exc
