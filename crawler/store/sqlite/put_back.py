"""Puts failed pages back into the queue: the only change that is made outside of a run.

Rule: the change needs the job's lock, so no crawl is running meanwhile.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec

from crawler.stats import add
from crawler.store.lock import JobLock
from crawler.store.sqlite import schema
from crawler.store.sqlite.apply_outcomes import reopening
from crawler.store.sqlite.catalog import Catalog, JobFiles
from crawler.store.sqlite.reader import check_known, kept, latest_number
from crawler.store.sqlite.run_state import RunState
from crawler.store.sqlite.string_table import spelled_words

#: The last attempt at each page, if that attempt failed.
_FAILED = """SELECT page, reason, status, depth, parent
    FROM (SELECT page, state, reason, status, max(number)
          FROM visits GROUP BY page)
    JOIN urls ON sequence = page WHERE state = 2 ORDER BY page"""
_SET_TRIES = "INSERT OR REPLACE INTO tries VALUES(?, 0, 0, 0, 0, 0, '', ?)"
#: Makes the run unfinished again: forgets that its spider has stopped the run, or has
#: yielded its last items.
_REOPEN = "DELETE FROM facts WHERE name IN ('stopped', 'closed')"
_PUT_BACK = """INSERT OR IGNORE INTO pending
    SELECT host, rank, depth, sequence FROM urls WHERE sequence = ?"""


class _FailedPage(msgspec.Struct, frozen=True):
    """A failed page, which is tried again only if it is put back into the queue."""

    sequence: int
    reason: str
    #: Whether the page is a start URL.
    is_start: bool


def put_back(
    folder: Path | str,
    job: str,
    *,
    statuses: Collection[int] = (),
    reasons: Collection[str] = (),
    clock: Callable[[], float] = time.time,
) -> int:
    """Put failed pages of the latest run back into its queue; return how many.

    If `statuses` or `reasons` are given, only pages that failed with one of these are
    put back. The run is then unfinished, and the next `crawl run` resumes it.
    """
    files = JobFiles(Path(folder), job)
    with ExitStack() as stack:
        check_known(files)
        lock = JobLock(files.lock)
        lock.acquire(job, clock())
        stack.callback(lock.release)
        catalog = Catalog(
            stack.enter_context(closing(schema.connect(files.database, "job")))
        )
        number = latest_number(catalog, job)
        path = kept(files, number)
        connection = stack.enter_context(closing(schema.connect(path, "run")))
        pages = _failed(connection, statuses, reasons)
        if not pages:
            return 0
        with schema.translated(path):
            _write(connection, pages, clock())
        with schema.translated(files.database):
            catalog.reopen(number)
        return len(pages)


def _write(
    connection: sqlite3.Connection, pages: list[_FailedPage], now: float
) -> None:
    """In one transaction: make each page pending, and no longer count it as failed."""
    run = RunState(connection)
    counters = run.totals.counters.copy()
    connection.execute("BEGIN IMMEDIATE")
    for visit, page in enumerate(pages, run.visit + 1):
        given = connection.execute(
            "SELECT sum(items) FROM visits WHERE page = ?", (page.sequence,)
        ).fetchone()[0]
        connection.execute(_SET_TRIES, (page.sequence, given))
        connection.execute(
            "INSERT INTO visits VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            reopening(visit, page.sequence, int(now * 1000)),
        )
        if page.sequence <= run.tail.mark:
            connection.execute(_PUT_BACK, (page.sequence,))
        counters.failed -= 1
        counters.start_failed -= page.is_start
        add(counters.errors, page.reason, -1)
    connection.execute(_REOPEN)
    totals = msgspec.structs.replace(run.totals, counters=counters)
    connection.execute("UPDATE state SET totals = ?", (msgspec.json.encode(totals),))
    connection.execute("COMMIT")


def _failed(
    connection: sqlite3.Connection,
    statuses: Collection[int],
    reasons: Collection[str],
) -> list[_FailedPage]:
    spell = spelled_words(connection)
    found = []
    for page, reason, status, depth, parent in connection.execute(_FAILED):
        why = spell(reason)
        if (statuses or reasons) and status not in statuses and why not in reasons:
            continue
        found.append(_FailedPage(page, why, depth == 0 and parent == 0))
    return found
