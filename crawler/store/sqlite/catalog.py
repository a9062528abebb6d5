"""The runs of a job: the database JOB.db, and the paths of a job's files.

Rule: a run's file is complete before the catalog lists it, and only the catalog says
whether a run has ended.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from crawler.errors import StateError
from crawler.stats import Counters
from crawler.store.base import RunStart
from crawler.store.job_name import check_job_name
from crawler.store.reading import RunRecord
from crawler.store.sqlite import schema
from crawler.store.sqlite.counters import read_counters

#: The end reason of a run that `--fresh` replaced.
FORGOTTEN = "forgotten"

_COLUMNS = "number, spider, arguments, started, finished, reason, seconds, counters"


class JobFiles(msgspec.Struct, frozen=True):
    """The paths of a job's files."""

    folder: Path
    job: str

    def __post_init__(self) -> None:
        check_job_name(self.job)

    @property
    def database(self) -> Path:
        return self.folder / f"{self.job}.db"

    @property
    def lock(self) -> Path:
        return self.folder / f"{self.job}.lock"

    @property
    def marks(self) -> Path:
        """The file that records which pages are being parsed, in case a page ends the
        process: see run/crash_marks.py."""
        return self.folder / f"{self.job}.pages"

    @property
    def files(self) -> Path:
        """The database of files that items named, in all runs: see file_table.py."""
        return self.folder / f"{self.job}.files"

    @property
    def runs(self) -> Path:
        return self.folder / f"{self.job}.runs"

    def run(self, number: int) -> Path:
        return self.runs / f"{number}.db"


class Catalog:
    """Reads and changes the list of a job's runs. The caller closes the connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def runs(self) -> list[RunRecord]:
        """Return all listed runs, the latest first."""
        query = f"SELECT {_COLUMNS} FROM runs ORDER BY number DESC"
        return [_record(row) for row in self.connection.execute(query)]

    def latest(self) -> RunRecord | None:
        runs = self.runs()
        return runs[0] if runs else None

    def add(self, number: int, start: RunStart) -> RunRecord:
        """Add a new run to the catalog, after its file was created."""
        values = (number, start.spider, start.arguments, start.started)
        self.connection.execute(
            "INSERT INTO runs(number, spider, arguments, started) VALUES(?, ?, ?, ?)",
            values,
        )
        return RunRecord(*values, None, "", 0.0, Counters())

    def finish(
        self,
        number: int,
        finished: float,
        reason: str,
        counters: Counters | None = None,
        report: bytes | None = None,
    ) -> None:
        """Record the end of the run; it will not be resumed."""
        self.connection.execute(
            """UPDATE runs SET finished = ?, reason = ?, report = ?,
            counters = coalesce(?, counters) WHERE number = ?""",
            (finished, reason, report, _json(counters), number),
        )

    def reopen(self, number: int) -> None:
        """Mark the run as unfinished, so that the next `crawl run` resumes it."""
        self.connection.execute(
            "UPDATE runs SET finished = NULL, reason = '', report = NULL "
            "WHERE number = ?",
            (number,),
        )

    def note(self, number: int, seconds: float, counters: Counters) -> None:
        """Record the run's duration and counters when a process leaves the run
        unfinished."""
        self.connection.execute(
            "UPDATE runs SET seconds = ?, counters = ? WHERE number = ?",
            (seconds, _json(counters), number),
        )

    def report(self, number: int) -> bytes | None:
        """Return the run's report as JSON; None if the run is unfinished. Raise
        StateError if the job has no such run."""
        row = self.connection.execute(
            "SELECT report FROM runs WHERE number = ?", (number,)
        ).fetchone()
        if row is None:
            raise StateError(
                f"the job has no run {number}; `crawl runs` lists the job's runs"
            )
        return None if row[0] is None else bytes(row[0])

    def prune(self, files: JobFiles, keep_runs: int, keep_items: int) -> None:
        """Remove finished runs beyond `keep_runs`, and the data of those beyond
        `keep_items`.

        The latest run always keeps its data.
        """
        for place, record in enumerate(self.runs(), 1):
            if record.finished is None or place == 1:
                continue
            if place > min(keep_items, keep_runs):
                schema.remove(files.run(record.number))
            if place > keep_runs:
                self.forget(record.number)

    def forget(self, number: int) -> None:
        """Remove the run from the catalog."""
        self.connection.execute("DELETE FROM runs WHERE number = ?", (number,))


def _record(row: tuple[Any, ...]) -> RunRecord:
    number, spider, arguments, started, finished, reason, seconds, counters = row
    return RunRecord(
        number,
        spider,
        arguments,
        started,
        finished,
        reason,
        seconds,
        read_counters(counters),
    )


def _json(counters: Counters | None) -> str | None:
    return None if counters is None else msgspec.json.encode(counters).decode()
