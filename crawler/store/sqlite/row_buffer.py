"""Rows of one transaction that gather, to be written many at a time."""

from __future__ import annotations

import sqlite3
from typing import Any

# "" and 0 stand for NULL: Python's sqlite3 looks for an adapter of each None, and of
# bytes, which takes longer than the row.
_INSERT_URL = """INSERT INTO urls
    VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), NULLIF(?, ''))"""
_INSERT_VISIT = """INSERT INTO visits
    VALUES(?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?, ?, ?, NULLIF(?, 0))"""
_INSERT_ITEM = "INSERT INTO items VALUES(?, ?, ?, ?, ?)"
_REJECT = "INSERT INTO rejected VALUES(NULL, ?, ?, ?, ?, ?, ?)"

Row = tuple[Any, ...]


class RowBuffer:
    """Rows for the log, by table; skipped links by fingerprint."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.urls: list[Row] = []
        self.visits: list[Row] = []
        self.items: list[Row] = []
        self.rejected: dict[int, Row] = {}

    def write(self) -> None:
        """Write the rows that have gathered, and forget them."""
        write = self._connection.executemany
        if self.urls:
            write(_INSERT_URL, self.urls)
            self.urls.clear()
        if self.visits:
            write(_INSERT_VISIT, self.visits)
            self.visits.clear()
        if self.items:
            write(_INSERT_ITEM, self.items)
            self.items.clear()
        if self.rejected:
            write(_REJECT, list(self.rejected.values()))
            self.rejected.clear()
