"""Opens the store, or the reader, that the settings choose.

Rule: outside of the store packages only this module knows their classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from crawler.errors import ConfigError
from crawler.settings import StorageSettings
from crawler.store.base import Store
from crawler.store.folder import own_folder
from crawler.store.memory import MemoryStore
from crawler.store.reading import Reader
from crawler.store.sqlite.catalog import JobFiles
from crawler.store.sqlite.store import SqliteStore


def open_store(
    storage: StorageSettings,
    job: str | None,
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Store:
    """Return the store of a job, to be opened for one run; in memory if `job` is None.

    `clock` is the wall clock.
    """
    if job is None or storage.mode == "memory":
        return MemoryStore(clock=clock)
    if storage.url:
        store: Store = _shared("store").PostgresStore(
            storage.url,
            keep_runs=storage.keep_runs,
            keep_items=storage.keep_items,
            lease=storage.lease,
            clock=clock,
            monotonic=monotonic,
        )
        return store
    return SqliteStore(
        storage.dir,
        synchronous=storage.synchronous,
        keep_runs=storage.keep_runs,
        keep_items=storage.keep_items,
        clock=clock,
        monotonic=monotonic,
    )


def open_reader(storage: StorageSettings, root: Path = Path()) -> Reader:
    """Return a reader of what the jobs of the project in `root` have stored."""
    if storage.url:
        reader: Reader = _shared("reader").PostgresReader(storage.url)
        return reader
    # imported only here, because a run needs no reader
    from crawler.store.sqlite.reader import SqliteReader

    return SqliteReader(root / storage.dir)


def crash_marks(storage: StorageSettings, job: str) -> Path:
    """Return the path of the file that marks each large page while it is parsed.

    A resumed run reads the file to find the page that has killed the process.
    """
    folder = Path(storage.dir)
    # A shared store (storage.url) does not create the folder, so create it here.
    if storage.url:
        own_folder(folder)
    return JobFiles(folder, job).marks


def retry_failed(
    storage: StorageSettings,
    job: str,
    *,
    statuses: Collection[int] = (),
    reasons: Collection[str] = (),
) -> int:
    """Put failed pages of the job's latest run back into its queue; return how many.

    `statuses` and `reasons` choose the failed pages; if both are empty, all are put
    back. The next `crawl run` resumes that run.
    """
    if storage.url:
        work = _shared("put_back").put_back
        return int(work(storage.url, job, statuses=statuses, reasons=reasons))
    from crawler.store.sqlite.put_back import put_back

    return put_back(storage.dir, job, statuses=statuses, reasons=reasons)


def clean_runs(storage: StorageSettings, job: str, keep: int) -> list[int]:
    """Remove the job's finished runs, with all their data, except the latest `keep`.

    Return the numbers of the removed runs. An unfinished run stays.
    """
    if storage.url:
        removed: list[int] = _shared("cleaning").clean(
            storage.url, job, keep, lease=storage.lease
        )
        return removed
    from crawler.store.sqlite.cleaning import clean

    return clean(storage.dir, job, keep)


def _shared(module: str) -> Any:
    """Import a module of the shared store. Raise ConfigError if the extra `postgres`
    is not installed."""
    if not _has_psycopg():
        raise ConfigError(
            "storage.url needs the package psycopg, which is not installed; run "
            "`pip install 'exact-crawler[postgres]'`"
        )
    return importlib.import_module(f"crawler.store.postgres.{module}")


def _has_psycopg() -> bool:
    try:
        return importlib.util.find_spec("psycopg") is not None
    except ValueError:  # find_spec() raises it if sys.modules["psycopg"] is None
        return False
