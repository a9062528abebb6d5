"""Items as rows of a SQLite file, in its table `items`.

Rule: a row is known by its key, so that writing it twice is writing it once. Rows of
earlier runs stay; an item with the same item key takes the older one's place.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from anyio import CancelScope, to_thread

from crawler.errors import ConfigError, SinkError
from crawler.pipelines.items import canonical, decode
from crawler.sinks.base import Owns, Position, Sink, Source
from crawler.sinks.files import Mode, refusal
from crawler.store.base import ItemRow

#: Columns of every table; those of the items follow, named as the fields are.
_OWN = ("_key", "_job", "_run", "_sequence")
_CREATE = (
    "CREATE TABLE IF NOT EXISTS items (_key TEXT PRIMARY KEY, _job TEXT NOT NULL, "
    "_run INTEGER NOT NULL, _sequence INTEGER NOT NULL)"
)
_INTEGERS = range(-(2**63), 2**63)


class Database(Sink):
    """A SQLite file that is written in place, a transaction a second at most.

    With `item_key` an item replaces the one with the same key, of this run or of an
    earlier one; without it every run adds its own rows.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        item_key: Sequence[str] = (),
        mode: Mode = "refuse",
        busy_timeout: float = 5.0,
    ) -> None:
        self.target = Path(os.path.abspath(path))  # noqa: PTH100  # asks the disk nothing
        self._item_key = tuple(item_key)
        self._mode = mode
        #: Seconds that another program's transaction is waited for at a time.
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        #: The column of each field; the table's columns, by how SQLite compares them.
        self._columns: dict[str, str] = {}
        self._existing: dict[str, str] = {}
        self._rows: list[ItemRow] = []
        self._taken = 0
        self._is_ours_alone = False

    @property
    def name(self) -> str:
        return f"file {self.target}"

    def check(self, owns: Owns) -> None:
        is_there = os.path.exists(self.target)  # noqa: PTH110  # raises nothing
        if is_there and self._mode == "refuse" and not owns(str(self.target)):
            raise refusal(str(self.target))

    async def open(self, source: Source) -> int:
        self._source = source
        recorded = await source.position()
        if recorded is None and not await to_thread.run_sync(self.target.exists):
            # Said before the file is made, so that a kill leaves none that is nobody's.
            recorded = Position(target=str(self.target))
            await source.record(recorded)
        try:
            self._position = await to_thread.run_sync(self._prepare, recorded)
        except (OSError, sqlite3.Error) as exc:
            await self._give_up(recorded)
            why = getattr(exc, "strerror", None) or str(exc)
            raise ConfigError(f"Output {self.target} cannot be written: {why}") from exc
        except ConfigError:
            await self._give_up(recorded)
            raise
        # From here on the file is this job's, and its rows have their number.
        try:
            await source.record(self._position)
        except BaseException:
            self._is_ours_alone = False  # it may have been noted: the file stays
            with CancelScope(shield=True):
                await self.close()
            raise
        self.unpublished = str(self.target)
        self._taken = self._position.sequence
        return self._taken

    async def _give_up(self, recorded: Position | None) -> None:
        """Nothing was begun: what is at this place later is not this job's."""
        await self.close()
        if recorded is not None and not recorded.run:
            await self._source.record(Position())

    def _prepare(self, recorded: Position | None) -> Position:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        exists = self.target.exists()
        self._is_ours_alone = not exists
        is_known = recorded is not None and bool(recorded.target)
        if exists and not is_known and not self._may_change():
            raise refusal(str(self.target))
        self._connection = sqlite3.connect(
            self.target,
            timeout=self._busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.execute("PRAGMA synchronous = FULL")
        with self._transaction() as connection:
            is_first = recorded is None or not recorded.run or not exists
            if is_first and self._mode == "overwrite":
                connection.execute("DROP TABLE IF EXISTS items")
            connection.execute(_CREATE)
            if not set(_OWN) <= set(_columns_of(connection)):
                raise ConfigError(
                    f"{self.target} has a table `items` of another kind; "
                    "use another file"
                )
            if recorded is not None and not is_first:
                return recorded
            return Position(target=str(self.target), run=self._number(connection))

    def _may_change(self) -> bool:
        return self._mode != "refuse" or self._source.owns(str(self.target))

    def _number(self, connection: sqlite3.Connection) -> int:
        """The run's number in this file: a job that keeps no state counts from 1
        every time, and must not take its older rows for its own."""
        job = self._source.run.job
        query = "SELECT coalesce(max(_run), 0) + 1 FROM items WHERE _job = ?"
        (following,) = connection.execute(query, (job,)).fetchone()
        return max(int(following), self._source.run.number)

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
        try:
            with self._transaction() as connection:
                for row in self._rows:
                    self._insert_one(connection, row, decode(row.body))
        except (sqlite3.Error, OSError) as exc:
            self._columns.clear()  # what this transaction added is gone again
            self._existing.clear()
            raise SinkError(f"{self.target} cannot be written: {exc}") from exc
        self._rows.clear()

    def _insert_one(
        self, connection: sqlite3.Connection, row: ItemRow, item: dict[str, Any]
    ) -> None:
        run, number = self._source.run, self._position.run
        key = f"{run.job}/{number}/{row.sequence}"
        if self._item_key:
            key = canonical([item.get(field) for field in self._item_key]).decode()
        columns = [self._column(connection, field) for field in item]
        names = ", ".join(map(_quoted, (*_OWN, *columns)))
        places = ", ".join("?" * (len(_OWN) + len(columns)))
        connection.execute(
            f"INSERT OR REPLACE INTO items ({names}) VALUES ({places})",
            (key, run.job, number, row.sequence, *map(_cell, item.values())),
        )

    def _column(self, connection: sqlite3.Connection, field: str) -> str:
        """The column of a field, which is added where the table lacks it."""
        known = self._columns.get(field)
        if known is not None:
            return known
        if not self._existing:
            self._existing = {
                column.lower(): column for column in _columns_of(connection)
            }
        name = field
        if self._existing.get(field.lower()) != field or field in _OWN:
            if field.lower() in self._existing or "\0" in field:
                # SQLite knows no difference between `Title` and `title`.
                mark = hashlib.blake2b(field.encode(), digest_size=3).hexdigest()
                name = f"{field}_{mark}".replace("\0", "")
            if name.lower() not in self._existing:
                connection.execute(f"ALTER TABLE items ADD COLUMN {_quoted(name)}")
                self._existing[name.lower()] = name
        self._columns[field] = name
        return name

    async def publish(self, sequence: int) -> None:
        if self._rows or self._taken != self._position.sequence:
            await self._source.record(await self.save(sequence))
        self._position = msgspec.structs.replace(self._position, state="finished")
        await self._source.record(self._position)
        self.published, self.unpublished = str(self.target), None

    async def close(self) -> None:
        await to_thread.run_sync(self._leave)

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            if self._is_ours_alone and self.published is None and not self._taken:
                self.target.unlink(missing_ok=True)  # nothing was ever written

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        assert connection is not None
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _columns_of(connection: sqlite3.Connection) -> list[str]:
    return [row[1] for row in connection.execute("PRAGMA table_info(items)")]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _cell(value: Any) -> Any:
    """A value as SQLite holds it: what nests as JSON, a huge number as text."""
    if isinstance(value, (list, dict)):
        return msgspec.json.encode(value).decode()
    if isinstance(value, int) and value not in _INTEGERS:
        return msgspec.json.encode(value).decode()
    return value
