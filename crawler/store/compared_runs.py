"""Compares the items of two runs, in a temporary SQLite database."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from crawler.store.reading import Changes, RunReader

#: Maximum number of items that are compared one by one.
MAX_COMPARED = 200_000
#: Two items match if the same page yielded them at the same position (`ordinal`).
_KEYS = "fingerprint INTEGER, ordinal INTEGER, body BLOB"
_SIDES = (
    f"CREATE TEMP TABLE before({_KEYS}, PRIMARY KEY(fingerprint, ordinal))",
    f"CREATE TEMP TABLE now({_KEYS}, PRIMARY KEY(fingerprint, ordinal))",
)
_JOINED = "FROM now JOIN before USING(fingerprint, ordinal)"
#: Selects the first 1000 changed items, which show well enough which fields differ.
_PAIRS = (
    f"SELECT before.body, now.body {_JOINED} WHERE now.body != before.body LIMIT 1000"
)


def compared(before: RunReader, run: RunReader) -> Changes | None:
    """Return how the items of `run` differ from those of run `before`; None if a run
    has too many items to compare."""
    if max(run.last_item(), before.last_item()) > MAX_COMPARED:
        return None
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        for statement in _SIDES:
            connection.execute(statement)
        for side, read in (("before", before), ("now", run)):
            connection.executemany(
                f"INSERT OR REPLACE INTO {side} VALUES(?, ?, ?)",
                ((row.fingerprint, row.ordinal, row.body) for row in read.items()),
            )
        return _compared(connection)


def _compared(connection: sqlite3.Connection) -> Changes:
    same, found = connection.execute(
        f"SELECT coalesce(sum(now.body = before.body), 0), count(*) {_JOINED}"
    ).fetchone()
    now = connection.execute("SELECT count(*) FROM now").fetchone()[0]
    then = connection.execute("SELECT count(*) FROM before").fetchone()[0]
    pairs = tuple(connection.execute(_PAIRS).fetchall())
    return Changes(now - found, then - found, found - same, same, pairs)
