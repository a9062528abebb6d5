"""States that earlier versions wrote, as SQL: `states/version_N/`.

They are dumps of a crawl that was killed at work, before it had landed all its pages.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

STATES = Path(__file__).parent / "states"
VERSIONS = sorted(path.name for path in STATES.iterdir())


def restore(version: str, folder: Path) -> None:
    """Make the databases of job `books` in `folder`; its run 1 is unfinished."""
    (folder / "books.runs").mkdir()
    for dump, name in (("books", "books.db"), ("run-1", "books.runs/1.db")):
        with closing(sqlite3.connect(folder / name)) as connection:
            connection.executescript((STATES / version / f"{dump}.db.sql").read_text())
