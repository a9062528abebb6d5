"""Removes old runs of a job, with their schemas.

Rule: an unfinished run stays.
"""

from __future__ import annotations

from psycopg import errors

from crawler.store.postgres import statements as sql
from crawler.store.postgres.reader import runs_of
from crawler.store.postgres.server import BlockingConnection, PostgresServer
from crawler.store.sharing import Lease

#: How often the removal is tried; each try waits `Lease.silence` seconds for a lock.
ATTEMPTS = 12


def clean(url: str, job: str, keep: int, *, lease: float) -> list[int]:
    """Remove the finished runs except the latest `keep`; return the numbers of the
    removed runs.

    `lease` is that of the job's processes. A database session that holds locks of the
    job but sends nothing is ended, as a crawl ends it.
    """
    server = PostgresServer(url)
    silence = Lease(lease).silence
    with server.reading() as connection:
        timeout = str(round(silence * 1000))
        connection.execute(sql.SET_LOCK_TIMEOUT, (timeout,))
        for _ in range(ATTEMPTS - 1):
            try:
                return _clean(connection, server, job, keep)
            except errors.LockNotAvailable:
                rows = connection.execute(sql.SCHEMAS, (job,)).fetchall()
                schemas = [schema for (schema,) in rows]
                connection.execute(sql.END_SILENT, (silence, schemas))
        return _clean(connection, server, job, keep)


def _clean(
    connection: BlockingConnection, server: PostgresServer, job: str, keep: int
) -> list[int]:
    with connection.transaction():
        runs_of(connection, server, job)  # raises StateError for an unknown job
        connection.execute(sql.LOCK_RUNS)
        runs = runs_of(connection, server, job)
        finished = [run for run in runs if run.record.finished is not None]
        for run in finished[keep:]:
            connection.execute(sql.DROP_SCHEMA.format(schema=run.schema))
            connection.execute(sql.FORGET_RUN, (run.id,))
        return [run.record.number for run in finished[keep:]]
