"""Collects rows of one transaction, so that many are written together."""

from __future__ import annotations

import sqlite3
from typing import Any

# In these rows "" and 0 stand for NULL. For each None or bytes value Python's sqlite3
# searches for an adapter, which takes longer than writing the row.
_INSERT_URL = """INSERT INTO urls
    VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), NULLIF(?, ''))"""
_INSERT_VISIT = """INSERT INTO visits
    VALUES(?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?, ?, ?, NULLIF(?, 0))"""
_INSERT_ITEM = "INSERT INTO items VALUES(?, ?, ?, ?, ?)"
_REJECT = "INSERT INTO rejected VALUES(NULL, ?, ?, ?, ?, ?, ?)"

Row = tuple[Any, ...]


class RowBuffer:
    """The collected rows: lists for the tables `urls`, `visits` and `items`, and, by
    fingerprint, the skipped links."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.urls: list[Row] = []
        self.visits: list[Row] = []
        self.items: list[Row] = []
        self.rejected: dict[int, Row] = {}

    def write(self) -> None:
        """Write the collected rows and clear the buffer."""
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
