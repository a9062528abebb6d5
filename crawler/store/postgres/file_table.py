"""The files that the items of a job name: a table of the catalog.

Rule: the table has its own connection, so that calls do not wait for commits of the
crawl.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import astuple

from crawler.store.files import KeptFile, path_key
from crawler.store.postgres import statements as sql
from crawler.store.postgres.link import WorkerLink
from crawler.store.postgres.server import Connection


class PostgresFileTable:
    """The table of the files that a job has fetched, for all processes that work on the
    job."""

    def __init__(self, link: WorkerLink, job: str) -> None:
        self._job = job
        self._link = link

    async def find(self, place: str, url: str) -> KeptFile | None:
        found = await self._rows(sql.FIND_FILE, (self._job, place, url))
        return found[0] if found else None

    async def at(self, place: str, path: str) -> list[KeptFile]:
        return await self._rows(sql.FILES_AT, (self._job, place, path_key(path)))

    async def keep(self, file: KeptFile) -> None:
        values = (*astuple(file), self._job, path_key(file.path))

        async def work(connection: Connection) -> None:
            await connection.execute(sql.KEEP_FILE, values)

        await self._link.steadily(work)

    async def close(self) -> None:
        await self._link.close()

    async def _rows(self, query: str, values: Sequence[Any]) -> list[KeptFile]:
        async def work(connection: Connection) -> list[KeptFile]:
            cursor = await connection.execute(query, values)
            return [KeptFile(*row) for row in await cursor.fetchall()]

        return await self._link.steadily(work)
