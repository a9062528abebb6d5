"""Removes old runs of a job, with their schemas.

Rule: an unfinished run stays.
"""

from __future__ import annotations

from crawler.store.postgres import statements as sql
from crawler.store.postgres.reader import runs_of
from crawler.store.postgres.server import PostgresServer


def clean(url: str, job: str, keep: int) -> list[int]:
    """Remove the finished runs except the latest `keep`; return the numbers of the
    removed runs."""
    server = PostgresServer(url)
    with server.reading() as connection, connection.transaction():
        runs_of(connection, server, job)  # raises StateError for an unknown job
        connection.execute(sql.LOCK_RUNS)
        runs = runs_of(connection, server, job)
        finished = [run for run in runs if run.record.finished is not None]
        for run in finished[keep:]:
            connection.execute(sql.DROP_SCHEMA.format(schema=run.schema))
            connection.execute(sql.FORGET_RUN, (run.id,))
        return [run.record.number for run in finished[keep:]]
