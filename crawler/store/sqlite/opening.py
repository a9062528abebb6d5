"""Opens a run: the job's folder, its lock, its catalog and the run's file.

Rule: a file that cannot be used is never overwritten; with `fresh` it is renamed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec

from crawler.errors import StateError
from crawler.store.base import RunStart
from crawler.store.folder import own_folder
from crawler.store.lock import JobLock
from crawler.store.reading import RunRecord
from crawler.store.same_run import check_same
from crawler.store.sqlite import schema
from crawler.store.sqlite.catalog import (
    FORGOTTEN,
    Catalog,
    JobFiles,
)
from crawler.store.sqlite.facts import take_over_cookies


class Keep(msgspec.Struct, frozen=True):
    """How many finished runs are listed, and how many of them keep their data."""

    runs: int = 10
    items: int = 3


class OpenRun(msgspec.Struct, frozen=True):
    """A run that this process has opened and locked."""

    catalog: Catalog
    record: RunRecord
    is_resumed: bool
    path: Path
    connection: sqlite3.Connection


def open_run(
    folder: Path,
    start: RunStart,
    resources: ExitStack,
    *,
    synchronous: str,
    keep: Keep,
    now: float,
) -> OpenRun:
    """Lock the job and open its unfinished run, or a new one."""
    files = JobFiles(folder, start.job)
    with schema.translated(folder):
        own_folder(folder)
        files.runs.mkdir(mode=0o700, exist_ok=True)
    lock = JobLock(files.lock)
    lock.acquire(start.job, now)
    resources.callback(lock.release)
    catalog = Catalog(_open_catalog(files, start.fresh))
    resources.callback(catalog.connection.close)
    with schema.translated(files.database):
        record, is_resumed = _choose(catalog, files, start, keep, now)
    path = files.run(record.number)
    connection = schema.connect(path, "run", synchronous=synchronous)
    resources.callback(connection.close)
    if start.sessions and not is_resumed and not start.fresh:
        _take_over(files, record.number, connection, start)
    return OpenRun(catalog, record, is_resumed, path, connection)


def _take_over(
    files: JobFiles, number: int, connection: sqlite3.Connection, start: RunStart
) -> None:
    """Copy the cookies of sessions from the last run that still has its data, if there
    is one."""
    paths = (files.run(before) for before in range(number - 1, 0, -1))
    path = next((each for each in paths if each.exists()), None)
    if path is None:
        return
    with (
        contextlib.suppress(StateError),
        closing(schema.connect(path, "run")) as before,
    ):
        take_over_cookies(connection, before, start.sessions)


def _open_catalog(files: JobFiles, fresh: bool) -> sqlite3.Connection:
    path = files.database
    if not path.exists():
        if any(files.runs.glob("*.db")):
            if not fresh:
                raise schema.damaged(
                    path, "the file is missing, but files of the job's runs exist"
                )
            _set_runs_aside(files)
        schema.create(path, "job")
    try:
        return schema.connect(path, "job")
    except StateError:
        if not fresh:
            raise
    schema.set_aside(path)
    _set_runs_aside(files)
    schema.create(path, "job")
    return schema.connect(path, "job")


def _set_runs_aside(files: JobFiles) -> None:
    """Rename the runs of a lost catalog, because the next run has number 1 again."""
    if any(files.runs.iterdir()):
        schema.set_aside(files.runs)
        files.runs.mkdir()


def _choose(
    catalog: Catalog, files: JobFiles, start: RunStart, keep: Keep, now: float
) -> tuple[RunRecord, bool]:
    """Return the unfinished run or a new one, and whether it is resumed."""
    latest = catalog.latest()
    if latest is not None and latest.finished is None:
        if not start.fresh:
            check_same(latest, start)
            return latest, True
        _keep_if_damaged(files.run(latest.number))
        catalog.finish(latest.number, now, FORGOTTEN)
    number = latest.number + 1 if latest else 1
    schema.create(files.run(number), "run")
    record = catalog.add(number, start)
    catalog.prune(files, keep.runs, keep.items)
    return record, False


def _keep_if_damaged(path: Path) -> None:
    """Rename the damaged file of a run that is given up.

    The file may hold the only copy of the data, and the removal of old runs would find
    it by its name.
    """
    try:
        schema.connect(path, "run").close()
    except StateError:
        if path.exists():
            schema.set_aside(path)
