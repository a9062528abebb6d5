"""The positions that the outputs of a job's runs recorded, over all kept runs.

Rule: it reads only, beside a crawl that may write.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from crawler.errors import StateError, StoreError
from crawler.store.sqlite import schema
from crawler.store.sqlite.catalog import JobFiles


def sink_positions(folder: Path, job: str) -> list[str]:
    """The last position of every output, in each of the job's runs that is kept."""
    found: list[str] = []
    for path in JobFiles(folder, job).runs.glob("*.db"):
        # A damaged old run must not keep a new one from beginning.
        with suppress(StateError, StoreError):
            found += _positions(path)
    return found


def _positions(path: Path) -> list[str]:
    with (
        closing(schema.connect_reader(path, "run")) as connection,
        schema.translated(path),
    ):
        rows = connection.execute("SELECT position FROM sinks")
        return [str(position) for (position,) in rows]
