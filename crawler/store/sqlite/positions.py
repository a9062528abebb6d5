"""The positions that the outputs of a job's runs recorded, over all kept runs.

Rule: it reads only, beside a crawl that may write. A state that cannot be resumed is an
error here already: without it every output would seem to be another program's.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from crawler.errors import StateError, StoreError
from crawler.store.sqlite import schema
from crawler.store.sqlite.catalog import Catalog, JobFiles


def sink_positions(folder: Path, job: str) -> list[str]:
    """The last position of every output, in each of the job's runs that is kept."""
    files = JobFiles(folder, job)
    _check(files)
    found: list[str] = []
    for path in files.runs.glob("*.db"):
        # A damaged old run must not keep a new one from beginning.
        with suppress(StateError, StoreError):
            found += _positions(path)
    return found


def _check(files: JobFiles) -> None:
    """StateError if the job's catalog, or the run that would be resumed, is damaged."""
    if not files.database.exists() and not any(files.runs.glob("*.db")):
        return
    with (
        closing(schema.connect_reader(files.database, "job")) as connection,
        schema.translated(files.database),
    ):
        latest = Catalog(connection).latest()
    if latest is not None and latest.finished is None:
        _positions(files.run(latest.number))


def _positions(path: Path) -> list[str]:
    with (
        closing(schema.connect_reader(path, "run")) as connection,
        schema.translated(path),
    ):
        rows = connection.execute("SELECT position FROM sinks")
        return [str(position) for (position,) in rows]
