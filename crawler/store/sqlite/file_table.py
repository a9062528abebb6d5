"""The table of the files that a job has fetched: the database JOB.files, with one row
for each output folder and URL.

Rule: the database is separate from the runs, because a file outlives the run that
fetched it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_thread
from msgspec.structs import astuple

from crawler.store.files import KeptFile, path_key
from crawler.store.folder import own_folder
from crawler.store.sqlite import schema

T = TypeVar("T")

_COLUMNS = ", ".join(KeptFile.__struct_fields__)


class SqliteFileTable:
    """The table of the files that a job has fetched, in the database at `path`, which
    is created at first use."""

    def __init__(self, path: Path, synchronous: str = "full") -> None:
        self._path = path
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None
        self._busy = anyio.Lock()

    async def find(self, place: str, url: str) -> KeptFile | None:
        query = f"SELECT {_COLUMNS} FROM files WHERE place = ? AND url = ?"
        rows = await self._run(lambda it: it.execute(query, (place, url)).fetchall())
        return KeptFile(*rows[0]) if rows else None

    async def at(self, place: str, path: str) -> list[KeptFile]:
        query = f"SELECT {_COLUMNS} FROM files WHERE place = ? AND key = ?"
        values = (place, path_key(path))
        rows = await self._run(lambda it: it.execute(query, values).fetchall())
        return [KeptFile(*row) for row in rows]

    async def keep(self, file: KeptFile) -> None:
        add = f"INSERT OR REPLACE INTO files({_COLUMNS}, key) VALUES(?{', ?' * 9})"
        values = (*astuple(file), path_key(file.path))
        await self._run(lambda it: it.execute(add, values))

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await to_thread.run_sync(connection.close)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        async with self._busy:
            return await to_thread.run_sync(self._do, work)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with schema.translated(self._path):
            if self._connection is None:
                self._connection = self._open()
            return work(self._connection)

    def _open(self) -> sqlite3.Connection:
        own_folder(self._path.parent)
        if not self._path.exists():
            schema.create(self._path, "files")
        return schema.connect(self._path, "files", synchronous=self._synchronous)
