"""Puts failed pages of a stored run back into its queue.

Rule: the change is refused while any process works on the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from crawler.errors import JobLocked
from crawler.stats import Counters, add
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Bigints, Blobs, Floats, Integers, Texts
from crawler.store.postgres.catalog import ListedRun
from crawler.store.postgres.reader import check_kept, is_at_work, one_of, runs_of
from crawler.store.postgres.run_state import decoded, encoded, summed
from crawler.store.postgres.server import BlockingConnection, PostgresServer


def put_back(
    url: str,
    job: str,
    *,
    statuses: Collection[int] = (),
    reasons: Collection[str] = (),
    clock: Callable[[], float] = time.time,
) -> int:
    """Put failed pages of the latest run back into its queue; return how many.

    `statuses` and `reasons` choose the failed pages; if both are empty, all are put
    back. The run is then unfinished, and the next `crawl run` resumes it.
    """
    server = PostgresServer(url)
    with server.reading() as connection:
        run = one_of(runs_of(connection, server, job), job, None)
        check_kept(server, run, job)
        if is_at_work(connection, run):
            raise JobLocked(
                f"Job {job!r} is being run by another process, so its failed pages "
                "cannot be queued again now; wait until the run ends"
            )
        failed = connection.execute(sql.of_run(sql.FAILED, run.schema)).fetchall()
        pages = [page for page in failed if _is_meant(page, statuses, reasons)]
        if pages:
            with connection.transaction():
                _write(connection, run, pages, clock())
        return len(pages)


def _is_meant(
    page: Sequence[Any], statuses: Collection[int], reasons: Collection[str]
) -> bool:
    _, reason, status, *_ = page
    return not (statuses or reasons) or status in statuses or reason in reasons


def _write(
    connection: BlockingConnection,
    run: ListedRun,
    pages: list[tuple[Any, ...]],
    now: float,
) -> None:
    """Make each page pending, and no longer count it as failed."""

    def execute(statement: str, values: Sequence[Any]) -> Any:
        return connection.execute(sql.of_run(statement, run.schema), values)

    fps, reasons, _, depths, parents, hosts, ranks, numbers = zip(*pages, strict=True)
    columns = (Bigints(fps), Integers(hosts), Bigints(ranks), Integers(depths))
    execute(sql.PUT_BACK, (*columns, Bigints(numbers)))
    _set_tries(execute, fps)
    execute(sql.GO_ON, ())
    values = (int(now * 1000), Bigints(fps), Integers(depths))
    execute(sql.REOPEN_PAGES, values)
    less = Counters(failed=-len(pages))
    for reason, depth, parent in zip(reasons, depths, parents, strict=True):
        less.start_failed -= depth == 0 and parent == 0
        add(less.errors, reason, -1)
    # Subtract these pages from the run's counters: add a row of negative counts to the
    # table `workers`, whose rows are summed.
    execute(sql.ADJUST, (encoded(less),))
    connection.execute(sql.REOPEN_RUN, (run.id,))
    totals = [decoded(counted) for counted, _ in execute(sql.TOTALS, ())]
    seconds = run.record.seconds
    connection.execute(sql.NOTE_RUN, (seconds, encoded(summed(totals)), run.id))


def _set_tries(execute: Callable[..., Any], fps: Sequence[int]) -> None:
    """Store how many items these pages have yielded, so that new items follow the
    earlier ones."""
    given = dict(execute(sql.GIVEN_ITEMS, (Bigints(fps),)).fetchall())
    none, zeros = Floats([0.0] * len(fps)), Integers([0] * len(fps))
    items = Bigints([int(given.get(fp, 0)) for fp in fps])
    chains, options = Texts([""] * len(fps)), Blobs([b""] * len(fps))
    values = (Bigints(fps), none, none, none, zeros, zeros, items, chains, options)
    execute(sql.SET_TRIES, values)
