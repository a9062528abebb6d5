"""Reads the stored runs of the jobs in a database, also while crawls write them.

Rule: readers take no lock and write nothing.
"""

from __future__ import annotations

import anyio
import msgspec
from anyio import to_thread

from crawler.errors import StateError
from crawler.store.postgres import statements as sql
from crawler.store.postgres.catalog import ListedRun, check_version, listed
from crawler.store.postgres.membership import is_alive, machine
from crawler.store.postgres.run_reader import PostgresRunReader
from crawler.store.postgres.run_state import decoded, summed
from crawler.store.postgres.schema import CATALOG_STEPS, RUN_STEPS
from crawler.store.postgres.server import BlockingConnection, PostgresServer
from crawler.store.reading import RunRecord

#: Seconds between two checks of a job that is running.
_PAUSE = 1.0
#: Seconds after the end of a lease in which its worker may still commit pages.
_LONGEST_HOLD = 10.0


class PostgresReader:
    """Reads the jobs that have run in the database at `url`."""

    def __init__(self, url: str) -> None:
        self._server = PostgresServer(url)

    @property
    def place(self) -> str:
        """Where the runs are stored, as shown to a person."""
        return self._server.text

    def jobs(self) -> list[str]:
        """Return the names of the jobs in this database, in alphabetical order."""
        with self._server.reading() as connection:
            return known_jobs(connection)

    def runs(self, job: str) -> list[RunRecord]:
        """Return the job's listed runs, the latest first.

        The counters of an unfinished run are up to date.
        """
        with self._server.reading() as connection:
            runs = runs_of(connection, self._server, job)
            return [_as_it_is_now(connection, run) for run in runs]

    def report(self, job: str, number: int | None = None) -> bytes | None:
        """Return the report of the run with that number (None: the latest run) as JSON;
        None if the run is unfinished."""
        with self._server.reading() as connection:
            run = one_of(runs_of(connection, self._server, job), job, number)
            values = (job, run.record.number)
            row = connection.execute(sql.REPORT, values).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def run(self, job: str, number: int | None = None) -> PostgresRunReader:
        """Return a reader of the run with that number (None: the latest run)."""
        with self._server.reading() as connection:
            run = one_of(runs_of(connection, self._server, job), job, number)
        check_kept(self._server, run, job)
        return PostgresRunReader(self._server, run.schema, run.record.number)

    async def until_free(self, job: str) -> None:
        """Wait until no process works on the job."""
        # Poll, because the server sends no message when a worker ends.
        while not await to_thread.run_sync(self._is_free, job):  # noqa: ASYNC110
            await anyio.sleep(_PAUSE)

    def _is_free(self, job: str) -> bool:
        with self._server.reading() as connection:
            run = runs_of(connection, self._server, job)[0]
            return run.version is None or not is_at_work(connection, run)


def known_jobs(connection: BlockingConnection) -> list[str]:
    """Return the names of the jobs in the catalog."""
    if connection.execute(sql.CATALOG_EXISTS).fetchone() != (True,):
        return []
    return [str(job) for (job,) in connection.execute(sql.JOBS)]


def runs_of(
    connection: BlockingConnection, server: PostgresServer, job: str
) -> list[ListedRun]:
    """Return the job's runs, the latest first. Raise StateError if there are none."""
    runs: list[ListedRun] = []
    if connection.execute(sql.CATALOG_EXISTS).fetchone() == (True,):
        row = connection.execute(sql.CATALOG_VERSION).fetchone()
        version = row[0] if row else 0
        check_version(server, "The catalog", version, len(CATALOG_STEPS))
        runs = [listed(row) for row in connection.execute(sql.RUNS, (job,))]
    if runs:
        return runs
    known = ", ".join(known_jobs(connection))
    hint = f"the known jobs are {known}" if known else "no job has run there yet"
    raise StateError(f"there is no job {job!r} in the database {server.text}; {hint}")


def one_of(runs: list[ListedRun], job: str, number: int | None) -> ListedRun:
    """Return the run with that number (None: the latest), or raise StateError."""
    for run in runs:
        if number in (None, run.record.number):
            return run
    raise StateError(
        f"there is no run {number} of job {job!r}; `crawl runs {job}` lists the runs"
    )


def check_kept(server: PostgresServer, run: ListedRun, job: str) -> None:
    """Raise StateError unless the run's data is stored in a readable version."""
    if run.version is None:
        raise StateError(
            f"the data of run {run.record.number} of job {job!r} is no longer kept; "
            "to keep the data of more runs, raise storage.keep_items"
        )
    check_version(
        server, f"Run {run.record.number} of job {job!r}", run.version, len(RUN_STEPS)
    )


def is_at_work(connection: BlockingConnection, run: ListedRun) -> bool:
    """Return whether any process works on the run, or may still do so."""
    rows = connection.execute(sql.of_run(sql.ALIVE, run.schema)).fetchall()
    here = machine()
    return any(
        seconds > -_LONGEST_HOLD and (name != here or is_alive(pid))
        for _, name, pid, *_, seconds in rows
    )


def _as_it_is_now(connection: BlockingConnection, run: ListedRun) -> RunRecord:
    """Return an unfinished run's record with the current counters of its workers."""
    if run.record.finished is not None or run.version is None:
        return run.record
    rows = connection.execute(sql.of_run(sql.TOTALS, run.schema)).fetchall()
    counters = summed([decoded(counted) for counted, _ in rows])
    seconds = max((spent for _, spent in rows), default=0.0)
    return msgspec.structs.replace(run.record, seconds=seconds, counters=counters)
