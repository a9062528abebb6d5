"""The page log of a run, read beside whatever writes it: every attempt, in order.

Rule: readers take no lock and write nothing; a log of millions of rows is gone through,
never held.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from crawler.errors import StateError
from crawler.store.base import State
from crawler.store.sqlite import schema
from crawler.store.sqlite.catalog import JobFiles
from crawler.store.sqlite.string_table import spelled_words

#: Items up to this number are compared one by one.
MAX_COMPARED = 200_000

_VISITS = """SELECT visits.page, visits.time, visits.state, visits.reason,
        visits.detail, visits.status, visits.elapsed, visits.received,
        urls.url, hosts.name, urls.parent
    FROM visits JOIN urls ON urls.sequence = visits.page
    JOIN hosts ON hosts.number = urls.host
    WHERE visits.elapsed IS NOT NULL ORDER BY visits.number"""
_PARENT = """SELECT url FROM urls WHERE fingerprint = ? LIMIT 1"""
#: An item is known again by the page that gave it and its place there.
_KEYS = "fingerprint INTEGER, ordinal INTEGER, body BLOB"
_SIDES = (
    f"CREATE TEMP TABLE before({_KEYS}, PRIMARY KEY(fingerprint, ordinal))",
    f"CREATE TEMP TABLE now({_KEYS}, PRIMARY KEY(fingerprint, ordinal))",
)
_JOINED = "FROM now JOIN before USING(fingerprint, ordinal)"


@dataclass(frozen=True, slots=True)
class Visit:
    """One attempt at one page."""

    page: int
    #: Seconds of the wall clock.
    time: float
    state: State
    reason: str
    detail: str
    status: int
    #: Seconds from the request to the end of the body.
    elapsed: float
    received: int
    url: str
    host: str
    #: The fingerprint of the page that led here; 0: a start URL.
    parent: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the items since another run."""

    new: int
    gone: int
    changed: int
    same: int


def visits(folder: Path, job: str, run: int) -> Iterator[Visit]:
    """All attempts of a run in order."""
    with closing(_open(folder, job, run)) as connection:
        spell = spelled_words(connection)
        for row in connection.execute(_VISITS):
            page, time, state, reason, detail, status, elapsed, received = row[:8]
            yield Visit(
                page,
                time / 1000,
                State(state),
                spell(reason),
                detail or "",
                status,
                elapsed / 1000,
                received,
                *row[8:],
            )


def url_of(folder: Path, job: str, run: int, fingerprint: int) -> str:
    """The URL with that fingerprint; nothing where there is none."""
    with closing(_open(folder, job, run)) as connection:
        found = connection.execute(_PARENT, (fingerprint,)).fetchone()
    return str(found[0]) if found else ""


def bodies(folder: Path, job: str, run: int, limit: int) -> Iterator[bytes]:
    """At most `limit` items of a run, as JSON, spread evenly over it."""
    with closing(_open(folder, job, run)) as connection:
        count = connection.execute("SELECT count(*) FROM items").fetchone()[0]
        step = max(1, -(-count // limit))
        query = "SELECT body FROM items WHERE sequence % ? = 0"
        for (body,) in connection.execute(query, (step,)):
            yield body


def changes(folder: Path, job: str, run: int, before: int) -> Changes | None:
    """What became of the items since run `before`; None where there are too many."""
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        for statement in _SIDES:
            connection.execute(statement)
        for side, number in (("before", before), ("now", run)):
            if not _copy(connection, side, _open(folder, job, number)):
                return None
        same, found = connection.execute(
            f"SELECT coalesce(sum(now.body = before.body), 0), count(*) {_JOINED}"
        ).fetchone()
        now = connection.execute("SELECT count(*) FROM now").fetchone()[0]
        then = connection.execute("SELECT count(*) FROM before").fetchone()[0]
    return Changes(now - found, then - found, found - same, same)


def _copy(target: sqlite3.Connection, side: str, source: sqlite3.Connection) -> bool:
    with closing(source):
        if source.execute("SELECT count(*) FROM items").fetchone()[0] > MAX_COMPARED:
            return False
        rows = source.execute("SELECT fingerprint, ordinal, body FROM items")
        target.executemany(f"INSERT OR REPLACE INTO {side} VALUES(?, ?, ?)", rows)
    return True


def _open(folder: Path, job: str, run: int) -> sqlite3.Connection:
    path = JobFiles(folder, job).run(run)
    if not path.exists():
        raise StateError(
            f"run {run} of job {job!r} is not kept; [storage] keep_items says how many "
            "are"
        )
    return schema.connect_reader(path, "run")
