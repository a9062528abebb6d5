"""Reads the stored runs of the jobs in a folder, also while a crawl writes them.

Rule: readers take no lock and write nothing. Each method opens the file that it needs,
and closes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from crawler.errors import StateError
from crawler.store.lock import until_free
from crawler.store.reading import RunRecord
from crawler.store.sqlite import schema
from crawler.store.sqlite.catalog import Catalog, JobFiles
from crawler.store.sqlite.run_reader import SqliteRunReader
from crawler.store.sqlite.run_state import read_totals


class SqliteReader:
    """Reads the jobs that have their databases in `folder`."""

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)

    @property
    def place(self) -> str:
        """Where the runs are stored, as shown to a person."""
        return str(self._folder)

    def jobs(self) -> list[str]:
        """Return the names of the jobs that have run here, in alphabetical order."""
        return known_jobs(self._folder)

    def runs(self, job: str) -> list[RunRecord]:
        """Return the job's listed runs, the latest first.

        The counters of an unfinished run are its current ones.
        """
        files = JobFiles(self._folder, job)
        with _catalog(files) as catalog:
            found = catalog.runs()
        return [
            _as_it_is_now(files, record) if record.finished is None else record
            for record in found
        ]

    def report(self, job: str, number: int | None = None) -> bytes | None:
        """Return the report of the run with that number (None: the latest run) as JSON;
        None if the run is unfinished."""
        with _catalog(JobFiles(self._folder, job)) as catalog:
            return catalog.report(number or latest_number(catalog, job))

    def run(self, job: str, number: int | None = None) -> SqliteRunReader:
        """Return a reader of the run with that number (None: the latest run)."""
        files = JobFiles(self._folder, job)
        with _catalog(files) as catalog:
            number = number or latest_number(catalog, job)
        return SqliteRunReader(kept(files, number), number)

    async def until_free(self, job: str) -> None:
        """Wait until no process works on the job."""
        await until_free(JobFiles(self._folder, job).lock)


def known_jobs(folder: Path) -> list[str]:
    """Return the names of the jobs with a catalog in `folder`."""
    return sorted(path.name.removesuffix(".db") for path in folder.glob("*.db"))


def latest_number(catalog: Catalog, job: str) -> int:
    """Return the number of the job's latest run. Raise StateError if there is none."""
    latest = catalog.latest()
    if latest is None:
        raise StateError(f"job {job!r} has no runs yet; `crawl run {job}` starts one")
    return latest.number


def kept(files: JobFiles, number: int) -> Path:
    """Return the path of a run's file. Raise StateError if the file is no longer
    kept."""
    path = files.run(number)
    if not path.exists():
        raise StateError(
            f"the data of run {number} of job {files.job!r} is no longer kept; "
            "to keep the data of more runs, raise storage.keep_items"
        )
    return path


def check_known(files: JobFiles) -> None:
    """Raise StateError unless the job has run here."""
    if files.database.exists():
        return
    known = ", ".join(known_jobs(files.folder))
    hint = f"the known jobs are {known}" if known else "no job has run there yet"
    raise StateError(f"there is no job {files.job!r} in {files.folder}; {hint}")


@contextmanager
def _catalog(files: JobFiles) -> Iterator[Catalog]:
    check_known(files)
    with (
        closing(schema.connect_reader(files.database, "job")) as connection,
        schema.translated(files.database),
    ):
        yield Catalog(connection)


def _as_it_is_now(files: JobFiles, record: RunRecord) -> RunRecord:
    """Return an unfinished run's record with the current counters of its database."""
    path = files.run(record.number)
    try:
        with closing(schema.connect_reader(path, "run")) as connection:
            encoded = connection.execute("SELECT totals FROM state").fetchone()[0]
    except StateError:
        return record  # the file is damaged; the next `crawl run` reports it
    totals = read_totals(encoded)
    return msgspec.structs.replace(
        record, seconds=totals.seconds, counters=totals.counters
    )
