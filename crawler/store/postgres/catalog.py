"""The runs of all jobs: the tables of the schema `crawler`, and the schemas of runs.

Rule: a run's schema is created in the same transaction that lists the run, and only the
catalog says whether a run has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crawler.errors import NoRun, StateError
from crawler.stats import Counters
from crawler.store.base import RunStart
from crawler.store.postgres import statements as sql
from crawler.store.postgres.membership import dismiss
from crawler.store.postgres.pipeline import StatementPipeline
from crawler.store.postgres.run_state import decoded
from crawler.store.postgres.schema import CATALOG_STEPS, RUN_STEPS
from crawler.store.postgres.server import Connection, PostgresServer
from crawler.store.reading import RunRecord
from crawler.store.same_run import check_not_over, check_same, check_terms
from crawler.store.sharing import Lease

#: The end reason of a run that `--fresh` replaced.
FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run in the catalog; `version` (of the run's schema) is None if its data was
    dropped."""

    id: int
    version: int | None
    record: RunRecord

    @property
    def schema(self) -> str:
        return schema_of(self.id)


@dataclass(frozen=True, slots=True)
class KeptRuns:
    """How many finished runs are listed, and how many of them keep their data."""

    runs: int = 10
    items: int = 3


def schema_of(run: int) -> str:
    """Return the name of the schema that holds a run's data."""
    return f"crawler_run_{run}"


def listed(row: Sequence[Any]) -> ListedRun:
    """Convert a row with the columns RUN_COLUMNS to a run."""
    number, version, *rest = row
    *figures, counters, code, since, politeness = rest
    record = RunRecord(*(*figures, decoded(counters), code, since, politeness))
    return ListedRun(number, version, record)


def check_version(server: PostgresServer, what: str, version: int, known: int) -> None:
    """Raise StateError if a newer version of the crawler has written the schema."""
    if version > known:
        raise StateError(
            f"{what} in {server.text} was written by a newer version of the crawler "
            f"(its schema is {version}, and this version knows {known}); upgrade the "
            "crawler"
        )


async def prepare(connection: Connection, server: PostgresServer) -> None:
    """Create the catalog, or migrate it to this version."""
    found = await (await connection.execute(sql.CATALOG_EXISTS)).fetchone()
    if found == (True,) and await _version(connection) == len(CATALOG_STEPS):
        return
    async with connection.transaction():
        await connection.execute(sql.LOCK_CATALOG)
        await connection.execute(sql.MAKE_CATALOG)
        version = await _version(connection)
        check_version(server, "The catalog", version, len(CATALOG_STEPS))
        for step in CATALOG_STEPS[version:]:
            await connection.execute(step)
        await connection.execute(sql.SET_CATALOG_VERSION, (len(CATALOG_STEPS),))


async def _version(connection: Connection) -> int:
    row = await (await connection.execute(sql.CATALOG_VERSION)).fetchone()
    return int(row[0]) if row else 0


async def choose(
    connection: Connection,
    server: PostgresServer,
    start: RunStart,
    keep: KeptRuns,
    lease: Lease,
) -> tuple[ListedRun, bool]:
    """Return the job's unfinished run or a new one, and whether it is resumed.

    With `start.fresh` a new run replaces an unfinished one. Raise JobLocked if a
    process leads the unfinished run, and NoRun if the run that `start` resumes is over.
    """
    hold = 0.0
    async with connection.transaction():
        await connection.execute(sql.LOCK_RUNS)
        rows = await (await connection.execute(sql.RUNS, (start.job,))).fetchall()
        runs = [listed(row) for row in rows]
        check_not_over([run.record for run in runs], start)
        latest = runs[0] if runs else None
        if latest is not None and latest.record.finished is None:
            if not start.fresh:
                check_same(latest.record, start)
                if not start.is_leader:
                    check_terms(latest.record, start)
                await _migrate(connection, server, start.job, latest)
                return latest, True
            if latest.version is not None and latest.version <= len(RUN_STEPS):
                await _migrate(connection, server, start.job, latest)
                pipeline = StatementPipeline(connection, latest.schema)
                hold = await dismiss(pipeline, start.job, lease)
            values = (start.started, FORGOTTEN, None, None, latest.id)
            await connection.execute(sql.FINISH_RUN, values)
        if not start.is_leader:
            last = (latest.record.number, latest.record.reason) if latest else None
            raise NoRun(
                f"job {start.job!r} has no unfinished run to join until `crawl run` "
                "starts one",
                last,
            )
        number = latest.record.number + 1 if latest else 1
        made = await _make(connection, number, start)
        if hold:
            await connection.execute(sql.of_run(sql.HOLD_SHARDS, made.schema), (hold,))
        if start.sessions and not start.fresh:
            await _take_over_cookies(connection, runs, made, start)
        await _prune(connection, runs, keep)
        return made, False


async def _take_over_cookies(
    connection: Connection, runs: list[ListedRun], made: ListedRun, start: RunStart
) -> None:
    """Copy the cookies of sessions from the last run that still has its data."""
    before = next((run for run in runs if run.version is not None), None)
    if before is not None:
        statement = sql.of_run(sql.TAKE_OVER_COOKIES, made.schema)
        statement = statement.replace("earlier.", f"{before.schema}.")
        await connection.execute(statement, (list(start.sessions),))


async def _make(connection: Connection, number: int, start: RunStart) -> ListedRun:
    values = (start.job, number, start.spider, start.arguments, start.started)
    row = await (await connection.execute(sql.ADD_RUN, values)).fetchone()
    assert row is not None
    run = ListedRun(
        row[0],
        len(RUN_STEPS),
        RunRecord(
            number, start.spider, start.arguments, start.started, None, "", 0.0,
            Counters(),
        ),
    )  # fmt: skip
    await connection.execute(sql.MAKE_SCHEMA.format(schema=run.schema))
    for step in RUN_STEPS:
        await connection.execute(sql.of_run(step, run.schema))
    await connection.execute(sql.SET_RUN_VERSION, (len(RUN_STEPS), run.id))
    return run


async def _migrate(
    connection: Connection, server: PostgresServer, job: str, run: ListedRun
) -> None:
    what = f"Run {run.record.number} of job {job!r}"
    if run.version is None:
        raise StateError(
            f"{what} in {server.text} cannot be resumed, because its data was removed; "
            "use --fresh to start a new run"
        )
    check_version(server, what, run.version, len(RUN_STEPS))
    for step in RUN_STEPS[run.version :]:
        await connection.execute(sql.of_run(step, run.schema))
    await connection.execute(sql.SET_RUN_VERSION, (len(RUN_STEPS), run.id))


async def _prune(connection: Connection, runs: list[ListedRun], keep: KeptRuns) -> None:
    """Remove finished runs beyond `keep.runs`, and the data of those beyond
    `keep.items`.

    The run that was just created counts as the first.
    """
    for place, run in enumerate(runs, 2):
        if place > min(keep.items, keep.runs) and run.version is not None:
            await connection.execute(sql.DROP_SCHEMA.format(schema=run.schema))
            await connection.execute(sql.SET_RUN_VERSION, (None, run.id))
        if place > keep.runs:
            await connection.execute(sql.FORGET_RUN, (run.id,))
