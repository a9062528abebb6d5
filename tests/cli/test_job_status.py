"""The state of jobs that a scheduler, cron, systemd or a person has run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from crawler.cli.job_status import JobStatus, Sources, of
from crawler.jobs import state
from crawler.jobs.definition import Job, Jobs, jobs_of
from crawler.jobs.state import JobState
from crawler.settings import Layer
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore
from crawler.store.status import MAX_RUNTIME, Status
from tests.store.values import START, entry, found

#: The job is due each night at 02:30.
NIGHT = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
MORNING = NIGHT + timedelta(hours=6)
SCHEDULE = "30 2 * * *"


def jobs(schedule: str = SCHEDULE) -> Jobs:
    table = {"books": {"spider": "books", "schedule": schedule}}
    return jobs_of(Layer("config.toml", {}, jobs=table), NIGHT)


def ran(
    folder: Path,
    began: datetime,
    *,
    ended: datetime | None = None,
    reason: str = "",
    code: int = 0,
    status: Status | None = None,
) -> None:
    """A run of the job; without a reason it is unfinished."""
    moment = (ended or began + timedelta(minutes=1)).timestamp()

    async def run() -> None:
        store = SqliteStore(folder, clock=lambda: moment)
        await store.open(msgspec.structs.replace(START, started=began.timestamp()))
        if status is not None:
            await store.note(status)
        await store.commit([found(entry("a"))])
        if reason:
            await store.finish(reason, json.dumps({"exit_code": code}).encode())
        await store.close(1.0)

    asyncio.run(run())


def shown(
    folder: Path,
    now: datetime = MORNING,
    *,
    fault: Callable[[Job], str] = lambda job: "",
    described: datetime | None = None,
) -> JobStatus:
    sources = Sources(folder, SqliteReader(folder), now, fault, described)
    (only,) = of(jobs(), sources)
    return only


def test_a_good_run_by_cron_makes_a_job_good(tmp_path: Path) -> None:
    ran(tmp_path, NIGHT, reason="finished")

    job = shown(tmp_path)

    assert (job.is_bad, job.result, job.run, job.error) == (False, "finished", 1, "")


@pytest.mark.parametrize("code", [1, 3])
def test_a_bad_run_by_cron_makes_a_job_bad(tmp_path: Path, code: int) -> None:
    ran(tmp_path, NIGHT, reason="finished", code=code)

    job = shown(tmp_path)

    assert (job.is_bad, job.exit_code) == (True, code)


@pytest.mark.parametrize(
    ("end", "is_bad", "result"),
    [
        pytest.param("", True, "killed", id="killed"),
        pytest.param("crashed", True, "crashed", id="crashed"),
        pytest.param("sink_error", True, "sink_error", id="an output failed"),
        pytest.param(MAX_RUNTIME, True, "unfinished", id="out of time"),
        pytest.param("interrupted", False, "unfinished", id="stopped by a person"),
        pytest.param("finished", False, "unfinished", id="put back"),
    ],
)
def test_an_unfinished_run_makes_a_job_bad_unless_a_person_stopped_it(
    tmp_path: Path, end: str, is_bad: bool, result: str
) -> None:
    status = Status(time=NIGHT.timestamp(), machine="other.example", end=end)
    ran(tmp_path, NIGHT, status=status)

    job = shown(tmp_path)

    assert (job.is_bad, job.result) == (is_bad, result)


def test_a_job_that_runs_elsewhere_is_neither_bad_nor_overdue(
    tmp_path: Path,
) -> None:
    status = Status(time=MORNING.timestamp() - 2, machine="other.example")
    ran(tmp_path, NIGHT - timedelta(days=3), status=status)

    job = shown(tmp_path)

    assert (job.is_bad, job.running_since) == (False, NIGHT - timedelta(days=3))


@pytest.mark.parametrize(
    ("days", "hours", "is_bad"),
    [
        pytest.param(0, 6, False, id="it ran tonight"),
        pytest.param(1, 0.9, False, id="it was due less than an hour ago"),
        pytest.param(1, 1.1, True, id="it was due more than an hour ago"),
        pytest.param(5, 6, True, id="it has not run for days"),
    ],
)
def test_a_job_that_did_not_run_at_its_last_time_is_overdue(
    tmp_path: Path, days: int, hours: float, is_bad: bool
) -> None:
    ran(tmp_path, NIGHT - timedelta(days=days), reason="finished")

    job = shown(tmp_path, NIGHT + timedelta(hours=hours))

    assert job.is_bad is is_bad
    assert ("but did not run" in job.error) is is_bad


def test_a_run_that_took_days_is_not_overdue(tmp_path: Path) -> None:
    began, ended = NIGHT - timedelta(days=3), MORNING - timedelta(minutes=1)
    ran(tmp_path, began, ended=ended, reason="finished")

    assert not shown(tmp_path).is_bad


def test_a_job_that_never_ran_is_overdue_since_it_was_configured(
    tmp_path: Path,
) -> None:
    unknown = shown(tmp_path)
    fresh = shown(tmp_path, described=NIGHT + timedelta(hours=1))
    old = shown(tmp_path, described=NIGHT - timedelta(hours=1))

    assert (unknown.is_bad, fresh.is_bad, old.is_bad) == (False, False, True)


def test_a_job_with_a_missing_spider_is_bad_before_it_is_due(tmp_path: Path) -> None:
    job = shown(tmp_path, fault=lambda job: f"No spider {job.spider!r}")

    assert (job.is_bad, job.error) == (True, "No spider 'books'")


def test_a_good_run_by_cron_ends_a_failure_of_the_scheduler(
    tmp_path: Path,
) -> None:
    before = NIGHT - timedelta(days=1)
    known = JobState(
        schedule=SCHEDULE,
        timezone="UTC",
        seen=before,
        started=before,
        ended=before,
        exit_code=2,
        failures=3,
    )
    state.write(tmp_path, {"books": known})
    broken = shown(tmp_path, before + timedelta(hours=1))
    ran(tmp_path, NIGHT, reason="finished")
    mended = shown(tmp_path)

    assert (broken.is_bad, broken.result) == (True, "could not run")
    assert (mended.is_bad, mended.result) == (False, "finished")
