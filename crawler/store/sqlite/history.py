"""What a job's state tells beside a running crawl, and putting failed pages back.

Rule: readers take no lock and write nothing; each function opens what it needs, and
closes it. `retry` alone writes, under the job's lock.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from crawler.errors import StateError
from crawler.stats import add
from crawler.store.base import Explanation, Facts, ItemRow
from crawler.store.sqlite import rows, schema
from crawler.store.sqlite.apply_outcomes import reopening
from crawler.store.sqlite.catalog import Catalog, JobFiles, RunRecord
from crawler.store.sqlite.facts import read_facts
from crawler.store.sqlite.lock import JobLock
from crawler.store.sqlite.run_state import RunState, Totals, read_totals
from crawler.store.sqlite.string_table import spelled_words

#: Items read at a time, so that a long export holds up no writer.
_ITEMS_AT_ONCE = 1_000

#: The last visit of each page that has one, where that visit failed.
_FAILED = """SELECT page, reason, detail, status, fingerprint, url, depth, parent
    FROM (SELECT page, state, reason, detail, status, max(number)
          FROM visits GROUP BY page)
    JOIN urls ON sequence = page WHERE state = 2 ORDER BY page"""
_SET_TRIES = "INSERT OR REPLACE INTO tries VALUES(?, 0, 0, 0, 0, 0, '', ?)"
_PUT_BACK = """INSERT OR IGNORE INTO pending
    SELECT host, rank, depth, sequence FROM urls WHERE sequence = ?"""


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A page that failed for good."""

    sequence: int
    fingerprint: int
    url: str
    reason: str
    detail: str
    status: int
    #: Whether it is a start URL.
    is_start: bool


def jobs(folder: Path) -> list[str]:
    """The names of the jobs that have a state in `folder`."""
    return sorted(path.name.removesuffix(".db") for path in folder.glob("*.db"))


def runs(folder: Path, job: str) -> list[RunRecord]:
    """The job's runs that are remembered, the latest first; those that are unfinished
    as they are now."""
    files = JobFiles(folder, job)
    with _catalog(files) as catalog:
        found = catalog.runs()
    return [
        _as_it_is_now(files, record) if record.finished is None else record
        for record in found
    ]


def report(folder: Path, job: str, run: int | None = None) -> bytes | None:
    """The report of a run (None: the latest) as JSON; None: it has not ended."""
    with _catalog(JobFiles(folder, job)) as catalog:
        return catalog.report(_number(catalog, job, run))


def explain(
    folder: Path, job: str, fingerprint: int, run: int | None = None
) -> Explanation | None:
    """All that a run knows of one URL; None: never heard of."""
    with _reader(folder, job, run) as connection:
        return rows.explain(connection, fingerprint, spelled_words(connection))


def page_items(
    folder: Path,
    job: str,
    fingerprint: int,
    *,
    run: int | None = None,
    limit: int = 100,
) -> list[ItemRow]:
    """The first items that one page gave."""
    with _reader(folder, job, run) as connection:
        return rows.page_items(connection, fingerprint, limit)


def items(
    folder: Path, job: str, run: int | None = None, *, after: int = 0
) -> Iterator[ItemRow]:
    """The items of a run in order, from the one behind `after`; those that a running
    crawl adds included."""
    with _reader(folder, job, run) as connection:
        sequence = after
        while found := rows.items_after(connection, sequence, _ITEMS_AT_ONCE):
            yield from found
            sequence = found[-1].sequence


def last_item(folder: Path, job: str, run: int | None = None) -> int:
    """The sequence number of a run's last item so far."""
    with _reader(folder, job, run) as connection:
        found = connection.execute("SELECT max(sequence) FROM items").fetchone()
    return int(found[0] or 0)


def facts(folder: Path, job: str, run: int | None = None) -> Facts:
    """The facts that a run must know again when it is resumed, such as its scope."""
    with _reader(folder, job, run) as connection:
        return read_facts(connection)


def failed(
    folder: Path,
    job: str,
    *,
    statuses: Collection[int] = (),
    reasons: Collection[str] = (),
    run: int | None = None,
) -> list[FailedPage]:
    """Pages that failed for good, of these statuses or reasons; of none: all."""
    with _reader(folder, job, run) as connection:
        return _failed(connection, statuses, reasons)


def retry(
    folder: Path,
    job: str,
    *,
    statuses: Collection[int] = (),
    reasons: Collection[str] = (),
    clock: Callable[[], float] = time.time,
) -> int:
    """Put failed pages of the latest run back to be tried again, and return how many;
    the run is then unfinished, and the next `crawl run` goes on with it."""
    files = JobFiles(folder, job)
    with ExitStack() as stack:
        if not files.database.exists():
            raise _unknown(folder, job)
        lock = JobLock(files.lock)
        lock.acquire(job, clock())
        stack.callback(lock.release)
        catalog = Catalog(
            stack.enter_context(closing(schema.connect(files.database, "job")))
        )
        number = _number(catalog, job, None)
        path = _kept(files, number)
        connection = stack.enter_context(closing(schema.connect(path, "run")))
        pages = _failed(connection, statuses, reasons)
        if not pages:
            return 0
        with schema.translated(path):
            _put_back(connection, pages, clock())
        with schema.translated(files.database):
            catalog.reopen(number)
        return len(pages)


def _put_back(
    connection: sqlite3.Connection, pages: list[FailedPage], now: float
) -> None:
    """One transaction: each page is pending again and no longer counted as failed."""
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
    totals = Totals(counters, run.totals.seconds, run.totals.start_items)
    connection.execute("UPDATE state SET totals = ?", (msgspec.json.encode(totals),))
    connection.execute("COMMIT")


def _failed(
    connection: sqlite3.Connection,
    statuses: Collection[int],
    reasons: Collection[str],
) -> list[FailedPage]:
    spell = spelled_words(connection)
    found = []
    for (
        page,
        reason,
        detail,
        status,
        fingerprint,
        url,
        depth,
        parent,
    ) in connection.execute(_FAILED):
        why = spell(reason)
        if (statuses or reasons) and status not in statuses and why not in reasons:
            continue
        is_start = depth == 0 and parent == 0
        found.append(
            FailedPage(page, fingerprint, url, why, detail or "", status, is_start)
        )
    return found


def _as_it_is_now(files: JobFiles, record: RunRecord) -> RunRecord:
    """An unfinished run's record with what its own database says."""
    path = files.run(record.number)
    try:
        with closing(schema.connect_reader(path, "run")) as connection:
            encoded = connection.execute("SELECT totals FROM state").fetchone()[0]
    except StateError:
        return record  # damaged: whoever opens the run is told
    totals = read_totals(encoded)
    return replace(record, seconds=totals.seconds, counters=totals.counters)


@contextmanager
def _catalog(files: JobFiles) -> Iterator[Catalog]:
    if not files.database.exists():
        raise _unknown(files.folder, files.job)
    with (
        closing(schema.connect_reader(files.database, "job")) as connection,
        schema.translated(files.database),
    ):
        yield Catalog(connection)


@contextmanager
def _reader(folder: Path, job: str, run: int | None) -> Iterator[sqlite3.Connection]:
    files = JobFiles(folder, job)
    with _catalog(files) as catalog:
        path = _kept(files, _number(catalog, job, run))
    with (
        closing(schema.connect_reader(path, "run")) as connection,
        schema.translated(path),
    ):
        yield connection


def _number(catalog: Catalog, job: str, run: int | None) -> int:
    latest = catalog.latest()
    if latest is None:
        raise StateError(f"job {job!r} has no runs yet")
    return latest.number if run is None else run


def _kept(files: JobFiles, number: int) -> Path:
    path = files.run(number)
    if not path.exists():
        raise StateError(
            f"run {number} of job {files.job!r} is not kept; "
            "[storage] keep_items says how many are"
        )
    return path


def _unknown(folder: Path, job: str) -> StateError:
    known = ", ".join(jobs(folder))
    hint = f"known are {known}" if known else "no job has run here yet"
    return StateError(f"no job {job!r} in {folder}; {hint}")
