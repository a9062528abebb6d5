"""Items as rows of one table of PostgreSQL: its columns and its SQL statements.

Rule: a row has a key, so writing it twice has the same effect as writing it once. The
caller begins and ends the transaction.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from psycopg.sql import SQL, Composed, Identifier, Placeholder

from crawler.sinks.columns import Kind
from crawler.sinks.postgres_server import Connection
from crawler.sinks.row_keys import RowOwner
from crawler.store.base import ItemRow

#: Columns that every table of items has, before the columns for the items' fields.
OWN = {
    "_key": "text PRIMARY KEY",
    "_job": "text NOT NULL",
    "_run": "bigint NOT NULL",
    "_sequence": "bigint NOT NULL",
}
#: The name of the one column for whole items, if their fields are unknown.
ITEM = "item"
_INTEGERS = range(-(2**63), 2**63)
#: PostgreSQL's type `text` cannot hold the character NUL, so it is replaced.
_NUL, _REPLACEMENT = "\0", "\N{REPLACEMENT CHARACTER}"


def _json(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    # `\u0000` in the JSON can be an escaped NUL, or a part of `\\u0000` (an escaped
    # backslash, then "u0000"). So NUL is replaced in the value, not in the JSON.
    if "\\u0000" in text:
        return msgspec.json.encode(_without_nul(value)).decode()
    return text


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_NUL, _REPLACEMENT)
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(each) for key, each in value.items()}
    return value


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text.replace(_NUL, _REPLACEMENT)


def _number(value: Any) -> Any:
    is_huge = isinstance(value, int) and value not in _INTEGERS
    return str(value) if is_huge else value


_Convert: TypeAlias = Callable[[Any], Any]
#: By the kind of a column's values, such as "integer": the column's PostgreSQL type,
#: and a function that converts a value of an item's JSON to a value of this type.
_TYPES: Mapping[str, tuple[str, _Convert]] = {
    "boolean": ("boolean", lambda value: value),
    "integer": ("bigint", _number),
    "float": ("double precision", float),
    "text": ("text", _text),
    "bytes": ("bytea", base64.b64decode),
    "timestamp": ("timestamptz", _text),
    "date": ("date", _text),
    "time": ("time", _text),
    "decimal": ("numeric", _text),
    "uuid": ("uuid", _text),
}
_JSONB: tuple[str, _Convert] = ("jsonb", _json)


class PostgresTable:
    """One table of items. If `kinds` is None, whole items are in one column of JSON.

    This class has over 15 methods, because there is one for each SQL statement that an
    output sends to its table.
    """

    def __init__(self, name: Sequence[str], kinds: Mapping[str, Kind] | None) -> None:
        self._name = tuple(name)
        self._kinds = kinds
        #: The columns for the items' fields, each with the function that converts a
        #: value of the item's JSON for the column.
        self._columns: dict[str, _Convert] = {}
        self.forget()

    def forget(self) -> None:
        """Forget the columns that `insert` has added, because the transaction was
        rolled back."""
        if self._kinds is None:
            self._columns = {ITEM: _json}
        else:
            self._columns = {name: _of(kind)[1] for name, kind in self._kinds.items()}

    @property
    def name(self) -> str:
        return ".".join(self._name)

    @property
    def identifier(self) -> Identifier:
        return Identifier(*self._name)

    def sibling(self, name: str) -> PostgresTable:
        """Return a PostgresTable with the same columns and another name."""
        return PostgresTable((*self._name[:-1], name), self._kinds)

    async def columns(self, connection: Connection) -> dict[str, str]:
        """Return the type of each column of the table in the database, by name; empty
        if the table does not exist."""
        cursor = await connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            (self.identifier.as_string(connection),),
        )
        return dict(await cursor.fetchall())

    async def create(self, connection: Connection) -> str:
        """Create the table, or add missing columns to an existing table.

        Return why the existing table cannot be used; "" if it can be used.
        """
        wanted = {name: kind.removesuffix(" PRIMARY KEY") for name, kind in OWN.items()}
        wanted.update(self._wanted())
        found = await self.columns(connection)
        if not found:
            await self._make(connection)
            return ""
        for name in OWN:
            if name not in found:
                return f"the table has no column {name}, so no crawl has made it"
        if wrong := await self._constraints(connection, wanted):
            return wrong
        for name, kind in wanted.items():
            kind = kind.removesuffix(" NOT NULL")
            if name not in found:
                await self._add(connection, name, kind)
            elif found[name].replace("time without time zone", "time") != _full(kind):
                return f"the column {name} has the type {found[name]}, not {kind}"
        return ""

    async def _constraints(
        self, connection: Connection, wanted: Mapping[str, str]
    ) -> str:
        """Return why the constraints of an existing table would refuse every row; "" if
        they would not."""
        table = (self.identifier.as_string(connection),)
        cursor = await connection.execute(
            "SELECT 1 FROM pg_index JOIN pg_attribute ON attrelid = indrelid "
            "AND attnum = indkey[0] WHERE indrelid = to_regclass(%s) AND indisunique "
            "AND indisvalid AND indnkeyatts = 1 AND indpred IS NULL "
            "AND attname = '_key'",
            table,
        )
        if await cursor.fetchone() is None:
            return "the column _key has no unique index, so no row can be replaced"
        cursor = await connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) "
            "AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef "
            "AND attidentity = '' ORDER BY attnum",
            table,
        )
        for (name,) in await cursor.fetchall():
            if name not in wanted:
                return f"the column {name} is NOT NULL, and no item has that field"
        return ""

    def _wanted(self) -> dict[str, str]:
        if self._kinds is None:
            return {ITEM: "jsonb"}
        return {name: _of(kind)[0] for name, kind in self._kinds.items()}

    async def _make(self, connection: Connection) -> None:
        columns = SQL(", ").join(
            SQL("{} {}").format(Identifier(name), SQL(kind))
            for name, kind in {**OWN, **self._wanted()}.items()
        )
        await connection.execute(
            SQL("CREATE TABLE {} ({})").format(self.identifier, columns)
        )

    async def _add(self, connection: Connection, name: str, kind: str) -> None:
        await connection.execute(
            SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
                self.identifier,
                Identifier(name),
                SQL(kind),
            )
        )

    async def insert(
        self,
        connection: Connection,
        owner: RowOwner,
        rows: Sequence[tuple[str, ItemRow]],
    ) -> None:
        """Write rows, given as pairs of key and row; each replaces the row with the
        same key."""
        values = []
        for key, row in rows:
            item = {ITEM: row.item} if self._kinds is None else row.item
            for name in item.keys() - self._columns.keys():
                await self._add(connection, name, "jsonb")
                self._columns[name] = _json
            cells = [
                None if (value := item.get(name)) is None else convert(value)
                for name, convert in self._columns.items()
            ]
            values.append([_text(key), owner.job, owner.run, row.sequence, *cells])
        width = len(OWN) + len(self._columns)
        # A column that was added for a later row is null in the earlier rows.
        padded = [[*row, *[None] * (width - len(row))] for row in values]
        async with connection.cursor() as cursor:
            await cursor.executemany(self._upsert(), padded)

    async def remove(
        self, connection: Connection, owner: RowOwner, after: int, last: int
    ) -> None:
        """Remove the rows of the run's items after number `after` up to number `last`.

        Call this method only without `item_key`: then a row's key contains the item's
        number.
        """
        keys = [owner.number(sequence) for sequence in range(after + 1, last + 1)]
        await connection.execute(
            SQL("DELETE FROM {} WHERE _key = ANY(%s)").format(self.identifier),
            ([_text(key) for key in keys],),
        )

    def _upsert(self) -> Composed:
        names = [*OWN, *self._columns]
        return SQL(
            "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT (_key) DO UPDATE SET {}"
        ).format(
            self.identifier,
            SQL(", ").join(map(Identifier, names)),
            SQL(", ").join([Placeholder()] * len(names)),
            SQL(", ").join(
                SQL("{0} = excluded.{0}").format(Identifier(name)) for name in names[1:]
            ),
        )

    async def drop(self, connection: Connection) -> None:
        await connection.execute(SQL("DROP TABLE IF EXISTS {}").format(self.identifier))

    async def rename(self, connection: Connection, name: str) -> None:
        await connection.execute(
            SQL("ALTER TABLE {} RENAME TO {}").format(self.identifier, Identifier(name))
        )


class PostgresSwap:
    """Decides which table a run fills, and renames the table when the run publishes.

    A run that replaces the rows of earlier runs fills a second table. When the run
    publishes, the second table replaces the first. After a bad run (exit code 3, or no
    items) the second table stays beside the first.
    """

    def __init__(self, main: PostgresTable, *, is_replacing: bool) -> None:
        self.main = main
        self._second = main.sibling(_fitting("_new_", main.name))
        self._is_replacing = is_replacing

    async def begin(self, connection: Connection) -> PostgresTable:
        """Return the table that a new run fills."""
        if not self._is_replacing:
            return self.main
        await self._second.drop(connection)
        return self._second

    async def resume(self, connection: Connection, place: str) -> PostgresTable:
        """Return the table that an earlier process of this run has begun to fill; its
        name was recorded as `place`."""
        if place == self.main.name:
            return self.main
        if place != self._second.name:
            # the run was bad (exit code 3, or no items), so its table has its own name
            aside = self.main.sibling(_last(place))
            await aside.rename(connection, _last(self._second.name))
        return self._second

    async def put_in_place(
        self, connection: Connection, place: str, label: str
    ) -> PostgresTable:
        """If the run has filled a second table, give it its final name. Return the
        table that now holds the run's rows."""
        if place != self._second.name:
            # the table already has its final name, perhaps by an earlier try
            return self.main.sibling(_last(place))
        final = self.main
        if label and await self.main.columns(connection):
            after = "_" + label.replace("-", "_")
            final = self.main.sibling(_fitting("", self.main.name, after))
        await final.drop(connection)
        await self._second.rename(connection, _last(final.name))
        return final


#: Maximum length in bytes of a table's name; PostgreSQL cuts longer names.
LONGEST = 63


def _fitting(before: str, name: str, after: str = "") -> str:
    """Return a name that contains that of a table. A long one is shortened in the
    middle; a digest keeps it different from that of every other table."""
    table = _last(name).encode()
    room = LONGEST - len(before) - len(after)
    if len(table) > room:
        digest = hashlib.blake2b(table, digest_size=4).hexdigest()
        table = table[: room - len(digest) - 1] + b"_" + digest.encode()
    return before + table.decode(errors="ignore") + after


def _last(name: str) -> str:
    """Return a table's name without the name of its schema."""
    return name.rpartition(".")[2]


def _of(kind: Kind) -> tuple[str, _Convert]:
    return _TYPES.get(kind.name, _JSONB)


def _full(kind: str) -> str:
    """Return the name under which PostgreSQL reports a column's type."""
    return {"timestamptz": "timestamp with time zone"}.get(kind, kind)
