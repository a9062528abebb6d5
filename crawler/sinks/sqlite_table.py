"""Items as rows of one table of a SQLite database: its columns and its SQL statements.

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

#: Columns that every table of items has; after them comes a column for each field of
#: the items.
OWN = ("_key", "_job", "_run", "_sequence")
_CREATE = (
    "CREATE TABLE IF NOT EXISTS {} (_key TEXT PRIMARY KEY, _job TEXT NOT NULL, "
    "_run INTEGER NOT NULL, _sequence INTEGER NOT NULL)"
)
_INTEGERS = range(-(2**63), 2**63)

#: By the kind of a column's values: the type with which the column is declared. SQLite
#: converts text in a numeric column to a number, so a column is numeric only if the
#: item type says so.
_DECLARED = {
    "boolean": "BOOLEAN",
    "integer": "INTEGER",
    "float": "REAL",
    "any": "",
}


class TableColumn(NamedTuple):
    """A column of a table: its name, and the type with which it was declared."""

    name: str
    declared: str


class Table:
    """One table of items; every method works in the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self.name = name
        self._connection = connection
        #: By an item's field: its column, once a row has needed the column.
        self._columns: dict[str, TableColumn] = {}
        #: All columns of the table, by their names in lower case, because SQLite's
        #: names are case-insensitive.
        self._existing: dict[str, TableColumn] = {}

    def exists(self) -> bool:
        return bool(self._found())

    def missing_columns(self) -> list[str]:
        """Return the names of the columns that every table of items has (such as
        "_key"), but an existing table lacks; such a table was not made by a crawl."""
        found = {column.name for column in self._found()}
        return [name for name in OWN if name not in found]

    def create(self, columns: dict[str, Kind]) -> None:
        """Create the table if it does not exist, with a column for each field in
        `columns`."""
        self._connection.execute(_CREATE.format(quoted(self.name)))
        self.forget()
        if not self.missing_columns():
            for field, kind in columns.items():
                self._column(field, kind)

    def forget(self) -> None:
        """Forget which columns the table has, because a transaction that may have added
        some was rolled back."""
        self._columns.clear()
        self._existing.clear()

    def drop(self) -> None:
        self._connection.execute(f"DROP TABLE IF EXISTS {quoted(self.name)}")

    def rename(self, name: str) -> None:
        statement = f"ALTER TABLE {quoted(self.name)} RENAME TO {quoted(name)}"
        self._connection.execute(statement)
        self.name = name

    def next_run(self, job: str) -> int:
        """Return the first run number that is higher than those of the job's rows in
        this table."""
        query = f"SELECT max(_run) FROM {quoted(self.name)} WHERE _job = ?"
        (last,) = self._connection.execute(query, (job,)).fetchone()
        return int(last or 0) + 1

    def cut(self, owner: RowOwner, sequence: int) -> None:
        """Remove the run's rows of all items after item number `sequence`."""
        self._connection.execute(
            f"DELETE FROM {quoted(self.name)} "
            "WHERE _job = ? AND _run = ? AND _sequence > ?",
            (owner.job, owner.run, sequence),
        )

    def insert(self, owner: RowOwner, key: str, row: ItemRow) -> None:
        """Write a row, which replaces the row with the same key."""
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
        """Return the column of a field; add the column to the table if it is
        missing."""
        known = self._columns.get(field)
        if known is not None:
            return known
        if not self._existing:
            self._existing = {each.name.lower(): each for each in self._found()}
        column = self._existing.get(field.lower())
        if column is None or column.name != field or field in OWN:
            name = field
            if column is not None or "\0" in field:
                # SQLite treats `Title` and `title` as the same name, so the second name
                # gets a suffix.
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
    """Decides which table a run fills, and renames the table when the run publishes.

    A run that replaces the rows of earlier runs fills a second table. When the run
    publishes, the second table replaces the first. After a bad run (exit code 3, or no
    items) the second table stays beside the first.
    """

    def __init__(self, name: str, *, is_replacing: bool) -> None:
        self.name = name
        self.second = f"_new_{name}"
        self._is_replacing = is_replacing

    def aside(self, label: str) -> str:
        """Return the name of the table with the items of a bad run (exit code 3, or no
        items). It ends in `label`, and stays beside the output's own table."""
        return f"{self.name}_{label.replace('-', '_')}"

    def table_to_fill(
        self, connection: sqlite3.Connection, *, is_first: bool, aside: str
    ) -> Table:
        """Return the table that this run fills: a new table if this process is the
        first of the run (`is_first`), else the table that an earlier process has begun.

        If the earlier process has published the run as a bad run (exit code 3, or no
        items), `aside` is the label in the name of its table.
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
        """If the run has filled the second table, give this table its final name: that
        of the first table, or for a bad run (exit code 3, or no items) a name with
        `label`."""
        if table.name != self.second:
            return
        final = Table(connection, self.name)
        if label and final.exists():
            final = Table(connection, self.aside(label))
        final.drop()
        table.rename(final.name)


def quoted(name: str) -> str:
    """Return the name of a table or column, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _guess(value: Any) -> Kind:
    """Return the kind of a new column whose type is not known, by its first value."""
    return Kind("text") if isinstance(value, (str, list, dict)) else ANY


def _cell(value: Any, declared: str) -> Any:
    """Return the value that SQLite stores for a value of the item's JSON.

    Nested values, integers of more than 64 bits, and numbers in a text column are
    stored as JSON.
    """
    if value is None or isinstance(value, str):
        return value
    is_huge = isinstance(value, int) and value not in _INTEGERS
    if is_huge or declared == "TEXT" or isinstance(value, (list, dict)):
        text = msgspec.json.encode(value)
        # SQLite would round the digits of a huge integer in a numeric column if they
        # were text, but not if they are bytes.
        return text if is_huge and declared not in ("", "TEXT") else text.decode()
    return value
