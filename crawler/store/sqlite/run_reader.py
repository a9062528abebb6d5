"""Reads one run from its database, also while a crawl writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from crawler.request import decode_options
from crawler.store.base import Explanation, Facts, ItemRow, State
from crawler.store.compared_runs import compared
from crawler.store.reading import Changes, RunWorker, Visit
from crawler.store.sqlite import rows, schema
from crawler.store.sqlite.facts import read_facts
from crawler.store.sqlite.string_table import spelled_words
from crawler.store.status import Status

if TYPE_CHECKING:
    from crawler.store.reading import RunReader

#: Number of items read at a time, so that a long export does not block the writer.
_ITEMS_AT_ONCE = 1_000

_VISITS = """SELECT visits.page, visits.time, visits.state, visits.reason,
        visits.detail, visits.status, visits.elapsed, visits.received,
        urls.url, hosts.name, urls.parent
    FROM visits JOIN urls ON urls.sequence = visits.page
    JOIN hosts ON hosts.number = urls.host
    WHERE visits.elapsed IS NOT NULL ORDER BY visits.number"""
_URL = "SELECT url FROM urls WHERE fingerprint = ? LIMIT 1"
_REQUESTS = "SELECT fingerprint, options FROM urls WHERE url = ? ORDER BY sequence"


class SqliteRunReader:
    """Reads the data of the run in the database at `path`."""

    def __init__(self, path: Path, number: int) -> None:
        self._path = path
        self.number = number

    def facts(self) -> Facts:
        """Return the facts that a resumed run needs, such as its scope."""
        with self._open() as connection:
            return read_facts(connection)

    def workers(self) -> list[RunWorker]:
        """Return the process that works on the run, unless it has recorded its end."""
        status = self.status()
        if status is None or status.end:
            return []
        return [RunWorker(status.machine, status.process, status=status)]

    def status(self) -> Status | None:
        """Return the last status that a process of the run wrote; None if there is
        none."""
        with self._open() as connection:
            row = connection.execute("SELECT value FROM status").fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Status)

    def explain(self, fingerprint: int) -> Explanation | None:
        """Return all that the run knows of one URL; None if it does not know the
        URL."""
        with self._open() as connection:
            return rows.explain(connection, fingerprint, spelled_words(connection))

    def requests_of(self, url: str) -> list[tuple[int, str, int]]:
        """Return all requests for a URL, in order: (fingerprint, method, bytes of the
        body)."""
        with self._open() as connection:
            found = connection.execute(_REQUESTS, (url,)).fetchall()
        options = [(each[0], decode_options(each[1])) for each in found]
        return [(name, each.method, len(each.content)) for name, each in options]

    def page_items(self, fingerprint: int, limit: int) -> list[ItemRow]:
        """Return the first items that one page yielded, in order."""
        with self._open() as connection:
            return rows.page_items(connection, fingerprint, limit)

    def items(self, after: int = 0) -> Iterator[ItemRow]:
        """Yield the items in order, from the one after sequence number `after`.

        Items that a running crawl adds meanwhile are included.
        """
        with self._open() as connection:
            sequence = after
            while found := rows.items_after(connection, sequence, _ITEMS_AT_ONCE):
                yield from found
                sequence = found[-1].sequence

    def last_item(self) -> int:
        """Return the sequence number of the last item so far; 0 if there is none."""
        with self._open() as connection:
            found = connection.execute("SELECT max(sequence) FROM items").fetchone()
        return int(found[0] or 0)

    def sample(self, limit: int) -> Iterator[bytes]:
        """Yield at most `limit` items as JSON, spread evenly over the run."""
        with self._open() as connection:
            count = connection.execute("SELECT count(*) FROM items").fetchone()[0]
            step = max(1, -(-count // limit))
            query = "SELECT body FROM items WHERE sequence % ? = 0"
            for (body,) in connection.execute(query, (step,)):
                yield body

    def changes(self, before: RunReader) -> Changes | None:
        """Return how the items differ from those of run `before` in the same store.

        Return None if one of the runs has too many items to compare.
        """
        return compared(before, self)

    def visits(self) -> Iterator[Visit]:
        """Yield the lines of the page log in order: all attempts at all pages."""
        with self._open() as connection:
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

    def url_of(self, fingerprint: int) -> str:
        """Return the URL with that fingerprint; "" if the run does not know it."""
        with self._open() as connection:
            found = connection.execute(_URL, (fingerprint,)).fetchone()
        return str(found[0]) if found else ""

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with (
            closing(schema.connect_reader(self._path, "run")) as connection,
            schema.translated(self._path),
        ):
            yield connection
