"""Removes old runs of a job, with all their data.

Rule: the removal needs the job's lock, and an unfinished run stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from crawler.store.lock import JobLock
from crawler.store.sqlite import schema
from crawler.store.sqlite.catalog import Catalog, JobFiles
from crawler.store.sqlite.reader import check_known


def clean(
    folder: Path | str, job: str, keep: int, clock: Callable[[], float] = time.time
) -> list[int]:
    """Remove the finished runs except the latest `keep`; return the numbers of the
    removed runs."""
    files = JobFiles(Path(folder), job)
    with ExitStack() as stack:
        check_known(files)
        lock = JobLock(files.lock)
        lock.acquire(job, clock())
        stack.callback(lock.release)
        catalog = Catalog(
            stack.enter_context(closing(schema.connect(files.database, "job")))
        )
        with schema.translated(files.database):
            finished = [it.number for it in catalog.runs() if it.finished is not None]
            for number in finished[keep:]:
                schema.remove(files.run(number))
                catalog.forget(number)
    return finished[keep:]
