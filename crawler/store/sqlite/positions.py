"""Reads the positions that the outputs of a job have recorded, over all kept runs.

Rule: this module only reads; a crawl may write at the same time. A damaged unfinished
run is an error: without the run's positions, its own output files would look like files
of another program.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from crawler.errors import StateError, StoreError
from crawler.store.sqlite import schema
from crawler.store.sqlite.catalog import Catalog, JobFiles


def sink_positions(folder: Path, job: str) -> list[str]:
    """Return, for each kept run of the job, up to where each output has written the
    run's items. Raise StateError if the catalog or the unfinished run is damaged."""
    files = JobFiles(folder, job)
    _check(files)
    found: list[str] = []
    for path in files.runs.glob("*.db"):
        # A damaged old run must not prevent a new run.
        with suppress(StateError, StoreError):
            found += _positions(path)
    return found


def _check(files: JobFiles) -> None:
    """Raise StateError if the job's catalog, or the run that would be resumed, is
    damaged."""
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
