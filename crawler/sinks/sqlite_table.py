"""Items as rows of one table of a SQLite database: its columns and its statements.

Rule: a row has a key, so writing it twice has the same effect as writing it once. No
column rounds a number or converts text to a number.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any, NamedTuple

import msgspec

from crawler.sinks.columns import ANY, Kind
from crawler.sinks.row_keys import RowOwner
from crawler.store.base import ItemRow

#: Columns of every table; those of the items follow, named like the fields.
OWN = ("_key", "_job", "_run", "_sequence")
_CREATE = (
    "CREATE TABLE IF NOT EXISTS {} (_key TEXT PRIMARY KEY, _job TEXT NOT NULL, "
    "_run INTEGER NOT NULL, _sequence INTEGER NOT NULL)"
)
_INTEGERS = range(-(2**63), 2**63)

#: The declared type of each column kind. SQLite converts text in a numeric column to a
#: number, so only a known item type gets numeric columns.
_DECLARED = {
    "boolean": "BOOLEAN",
    "integer": "INTEGER",
    "float": "REAL",
    "any": "",
}


class TableColumn(NamedTuple):
    """A column: its name, and its declared type."""

    name: str
    declared: str


class Table:
    """One table of a database; every method works in the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self.name = name
        self._connection = connection
        #: The column of each field; and the table's columns by SQLite's
        #: case-insensitive name.
        self._columns: dict[str, TableColumn] = {}
        self._existing: dict[str, TableColumn] = {}

    def exists(self) -> bool:
        return bool(self._found())

    def missing_columns(self) -> list[str]:
        """Return which of the columns that every items table has are missing."""
        found = {column.name for column in self._found()}
        return [name for name in OWN if name not in found]

    def create(self, columns: dict[str, Kind]) -> None:
        """Create the table if it is missing, with a column for each known field."""
        self._connection.execute(_CREATE.format(quoted(self.name)))
        self.forget()
        if not self.missing_columns():
            for field, kind in columns.items():
                self._column(field, kind)

    def forget(self) -> None:
        """Forget the columns, because a transaction was rolled back."""
        self._columns.clear()
        self._existing.clear()

    def drop(self) -> None:
        self._connection.execute(f"DROP TABLE IF EXISTS {quoted(self.name)}")

    def rename(self, name: str) -> None:
        statement = f"ALTER TABLE {quoted(self.name)} RENAME TO {quoted(name)}"
        self._connection.execute(statement)
        self.name = name

    def next_run(self, job: str) -> int:
        """Return the next run number of the job in this table."""
        query = f"SELECT max(_run) FROM {quoted(self.name)} WHERE _job = ?"
        (last,) = self._connection.execute(query, (job,)).fetchone()
        return int(last or 0) + 1

    def cut(self, owner: RowOwner, sequence: int) -> None:
        """Remove the run's rows of later items than this one."""
        self._connection.execute(
            f"DELETE FROM {quoted(self.name)} "
            "WHERE _job = ? AND _run = ? AND _sequence > ?",
            (owner.job, owner.run, sequence),
        )

    def insert(self, owner: RowOwner, key: str, row: ItemRow) -> None:
        """Write a row; it replaces the one with the same key."""
        item = row.item
        columns = [self._column(field, _guess(item[field])) for field in item]
        names = ", ".join(map(quoted, (*OWN, *(column.name for column in columns))))
        cells = map(_cell, item.values(), (column.declared for column in columns))
        places = ", ".join("?" * (len(OWN) + len(columns)))
        self._connection.execute(
            f"INSERT OR REPLACE INTO {quoted(self.name)} ({names}) VALUES ({places})",
            (key, owner.job, owner.run, row.sequence, *cells),
        )

    def _column(self, field: str, kind: Kind) -> TableColumn:
        """Return the column of a field; add it to the table if it is missing."""
        known = self._columns.get(field)
        if known is not None:
            return known
        if not self._existing:
            self._existing = {each.name.lower(): each for each in self._found()}
        column = self._existing.get(field.lower())
        if column is None or column.name != field or field in OWN:
            name = field
            if column is not None or "\0" in field:
                # SQLite treats `Title` and `title` as the same name.
                mark = hashlib.blake2b(field.encode(), digest_size=3).hexdigest()
                name = f"{field}_{mark}".replace("\0", "")
            column = self._existing.get(name.lower()) or self._add(name, kind)
        self._columns[field] = column
        return column

    def _add(self, name: str, kind: Kind) -> TableColumn:
        column = TableColumn(name, _DECLARED.get(kind.name, "TEXT"))
        self._connection.execute(
            f"ALTER TABLE {quoted(self.name)} ADD COLUMN {quoted(name)} "
            + column.declared
        )
        self._existing[name.lower()] = column
        return column

    def _found(self) -> list[TableColumn]:
        query = f"PRAGMA table_info({quoted(self.name)})"
        return [TableColumn(row[1], row[2]) for row in self._connection.execute(query)]


class TableSwap:
    """Decides which table a run fills, and renames it at the end.

    A run that replaces the rows of earlier runs fills a second table. When the run
    publishes, this table replaces the first one. After a bad run it stays beside the
    first one.
    """

    def __init__(self, name: str, *, is_replacing: bool) -> None:
        self.name = name
        self.second = f"_new_{name}"
        self._is_replacing = is_replacing

    def aside(self, label: str) -> str:
        """Return the table name for a bad run."""
        return f"{self.name}_{label.replace('-', '_')}"

    def table_to_fill(
        self, connection: sqlite3.Connection, *, is_first: bool, aside: str
    ) -> Table:
        """Return the table of this run: a new one (`is_first`), or the one filled
        earlier.

        An earlier process may have put the table beside the first one under the label
        `aside`.
        """
        main, second = Table(connection, self.name), Table(connection, self.second)
        if not self._is_replacing:
            return main
        if is_first:
            second.drop()
            return second
        if aside and (beside := Table(connection, self.aside(aside))).exists():
            beside.rename(second.name)
        has_swapped = not main.missing_columns() and not second.exists()
        return main if has_swapped else second

    def put_in_place(
        self, connection: sqlite3.Connection, table: Table, label: str
    ) -> None:
        """Give the second table its final name."""
        if table.name != self.second:
            return
        final = Table(connection, self.name)
        if label and final.exists():
            final = Table(connection, self.aside(label))
        final.drop()
        table.rename(final.name)


def quoted(name: str) -> str:
    """Return a name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _guess(value: Any) -> Kind:
    """Return the kind of a column of which only the first value is known."""
    return Kind("text") if isinstance(value, (str, list, dict)) else ANY


def _cell(value: Any, declared: str) -> Any:
    """Convert a value for SQLite.

    Nested values, huge integers and values in a text column are stored as JSON.
    """
    if value is None or isinstance(value, str):
        return value
    is_huge = isinstance(value, int) and value not in _INTEGERS
    if is_huge or declared == "TEXT" or isinstance(value, (list, dict)):
        text = msgspec.json.encode(value)
        # A numeric column would round these digits if they were text, but not as bytes.
        return text if is_huge and declared not in ("", "TEXT") else text.decode()
    return value
