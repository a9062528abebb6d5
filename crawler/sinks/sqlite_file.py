"""One SQLite file that a sink writes: its connection and its transactions."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path


def connect(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """Return a connection to a SQLite file. Its commits survive a power cut; the caller
    begins and ends each transaction."""
    connection = sqlite3.connect(
        path, timeout=busy_timeout, isolation_level=None, check_same_thread=False
    )
    # Deleting the journal is the commit. EXTRA also waits until the deletion is on the
    # disk; with FULL a power cut could restore the journal, which would undo the
    # commit.
    connection.execute("PRAGMA synchronous = EXTRA")
    return connection


class SqliteFile:
    """A SQLite file, and at most one connection to it. Every method may block."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self.path = path
        #: Number of seconds to wait while another program has locked the file.
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that is committed at the end of the block."""
        if self._connection is None:
            self._connection = connect(self.path, self._busy_timeout)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> bool:
        """Close the connection; return whether there was an open connection."""
        if self._connection is None:
            return False
        self._connection.close()
        self._connection = None
        return True
