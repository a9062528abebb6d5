"""Opens the store, or the reader, that the settings choose.

Rule: this is the one module outside of a store's own that knows its class.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path

from crawler.settings import StorageSettings
from crawler.store.base import Store
from crawler.store.memory import MemoryStore
from crawler.store.reading import Reader
from crawler.store.sqlite.catalog import JobFiles
from crawler.store.sqlite.put_back import put_back
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore


def open_store(
    storage: StorageSettings,
    job: str | None,
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Store:
    """The store of a job, to be opened for one run; `job` None: kept in memory. `clock`
    is the wall clock."""
    if job is None or storage.mode == "memory":
        return MemoryStore(clock=clock)
    return SqliteStore(
        storage.dir,
        synchronous=storage.synchronous,
        keep_runs=storage.keep_runs,
        keep_items=storage.keep_items,
        clock=clock,
        monotonic=monotonic,
    )


def open_reader(storage: StorageSettings, root: Path = Path()) -> Reader:
    """What the jobs of the project in `root` left."""
    return SqliteReader(root / storage.dir)


def crash_marks(storage: StorageSettings, job: str) -> Path:
    """The file that names the pages which a process of the job is parsing."""
    return JobFiles(Path(storage.dir), job).marks


def retry_failed(
    storage: StorageSettings,
    job: str,
    *,
    statuses: Collection[int] = (),
    reasons: Collection[str] = (),
) -> int:
    """Put failed pages of the job's latest run back, those of these statuses or reasons
    (of none: all), and return how many. The next `crawl run` resumes that run."""
    return put_back(storage.dir, job, statuses=statuses, reasons=reasons)
