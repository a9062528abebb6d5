"""The scheduler with a clock and jobs that the test controls."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from crawler.errors import CrawlError
from crawler.jobs import state
from crawler.jobs.definition import Job, jobs_of
from crawler.jobs.process_end import Ended
from crawler.jobs.scheduler import JobScheduler
from crawler.settings import Layer
from crawler.store.lock import JobLock
from crawler.store.sqlite.reader import SqliteReader

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._moved = anyio.Event()

    def now(self) -> datetime:
        return self._now

    async def sleep_until(self, moment: datetime) -> None:
        await checkpoint()
        while self._now < moment:
            await self._moved.wait()

    async def move(self, **by: float) -> None:
        """Let time pass, and all that follows from it happen."""
        self._now += timedelta(**by)
        self._moved.set()
        self._moved = anyio.Event()
        await anyio.wait_all_tasks_blocked()


class Puppet:
    """A process that ends when the test says so, or at a signal."""

    def __init__(self, since: datetime, *, is_deaf: bool = False) -> None:
        self.since = since
        self.pid = 4711
        self.heard: list[int] = []
        self._is_deaf = is_deaf
        self._ended = anyio.Event()
        self._code: int | None = 0

    async def wait(self) -> int | None:
        await self._ended.wait()
        return self._code

    def send(self, number: signal.Signals) -> None:
        self.heard.append(number)
        if number == signal.SIGKILL:
            self.end(-9)
        elif not self._is_deaf:
            self.end(4)

    def end(self, code: int | None) -> None:
        self._code = code
        self._ended.set()


class Stage:
    """Starts puppets."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.started: list[tuple[str, Puppet]] = []
        self.left_at_work: dict[str, Puppet] = {}
        self.is_deaf = False
        self.broken: set[str] = set()

    async def start(self, job: str) -> Puppet:
        if job in self.broken:
            raise CrawlError("no more processes")
        puppet = Puppet(self._clock.now(), is_deaf=self.is_deaf)
        self.started.append((job, puppet))
        return puppet

    def find(self, job: str) -> Puppet | None:
        return self.left_at_work.get(job)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.started]


def jobs(**tables: Any) -> dict[str, Job]:
    return jobs_of(Layer("config.toml", {}, tables), START).scheduled()


class Theatre:
    """A scheduler that runs, and all that it touches."""

    def __init__(self, folder: Path, tables: dict[str, Any], **options: Any) -> None:
        self.clock = options.pop("clock", None) or HandClock()
        self.stage = Stage(self.clock)
        self.folder = folder
        self.alarms: list[Ended] = []
        self._tables, self._options = tables, options

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Theatre]:
        self.keeper = JobScheduler(
            jobs(**self._tables),
            self.folder,
            self.stage,
            reader=SqliteReader(self.folder),
            alarm=self._alarm,
            clock=self.clock,
            **self._options,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.keeper.keep)
            await anyio.wait_all_tasks_blocked()
            yield self
            self.keeper.stop()

    async def _alarm(self, ended: Ended) -> None:
        self.alarms.append(ended)

    def known(self, job: str = "nightly") -> state.JobState:
        return state.read(self.folder)[job]


Open = Callable[..., AbstractAsyncContextManager[Theatre]]


@pytest.fixture
def playing(tmp_path: Path) -> Open:
    def open(clock: HandClock | None = None, **tables: Any) -> Any:
        options = tables.pop("options", {})
        return Theatre(tmp_path, tables, clock=clock, **options).open()

    return open


HOURLY = {"schedule": "0 * * * *"}


async def test_a_job_is_started_at_each_of_its_times(playing: Open) -> None:
    async with playing(nightly=HOURLY) as play:
        for _ in range(3):
            await play.clock.move(hours=1)
            play.stage.started[-1][1].end(0)
            await anyio.wait_all_tasks_blocked()

    assert play.stage.names == ["nightly"] * 3
    assert play.known().exit_code == 0


async def test_a_job_that_becomes_due_while_it_runs_is_skipped(playing: Open) -> None:
    async with playing(nightly=HOURLY) as play:
        await play.clock.move(hours=1)
        await play.clock.move(hours=1)
        note = play.known().note
        play.stage.started[0][1].end(0)
        await anyio.wait_all_tasks_blocked()

    assert play.stage.names == ["nightly"]
    assert "skipped" in note


async def test_a_job_that_becomes_due_while_it_runs_is_queued_once(
    playing: Open,
) -> None:
    async with playing(nightly={**HOURLY, "overlap": "queue"}) as play:
        for _ in range(4):
            await play.clock.move(hours=1)
        before = list(play.stage.names)
        play.stage.started[0][1].end(0)
        await anyio.wait_all_tasks_blocked()
        after = list(play.stage.names)

    assert (before, after) == (["nightly"], ["nightly"] * 2)


async def test_the_number_of_jobs_running_at_once_is_limited(playing: Open) -> None:
    many = {f"job{number}": HOURLY for number in range(20)}
    async with playing(**many, options={"parallel": 3}) as play:
        await play.clock.move(hours=1)
        at_once = len(play.stage.started)
        for place in range(20):
            play.stage.started[place][1].end(0)
            await anyio.wait_all_tasks_blocked()

    assert at_once == 3
    assert sorted(play.stage.names) == sorted(many)


async def test_a_job_that_hangs_is_stopped_at_max_runtime(
    playing: Open,
) -> None:
    hangs = {**HOURLY, "max_runtime": "1ms"}
    async with playing(nightly=hangs) as play:
        await play.clock.move(hours=1)
        puppet = play.stage.started[0][1]
        await puppet.wait()
        await anyio.wait_all_tasks_blocked()

    assert puppet.heard == [signal.SIGTERM]
    assert (play.known().exit_code, play.alarms) == (4, [])


async def test_a_job_that_ignores_the_signal_is_killed_and_its_hook_is_called(
    playing: Open,
) -> None:
    hangs = {**HOURLY, "max_runtime": "1ms"}
    options = {"grace": 0.0, "closing": 0.01}
    async with playing(nightly=hangs, options=options) as play:
        play.stage.is_deaf = True
        await play.clock.move(hours=1)
        puppet = play.stage.started[0][1]
        await puppet.wait()
        await anyio.wait_all_tasks_blocked()

    assert puppet.heard == [signal.SIGTERM, signal.SIGKILL]
    assert "max_runtime was reached" in play.known().note
    assert [ended.job for ended in play.alarms] == ["nightly"]


async def test_a_job_that_is_killed_from_outside_calls_its_hook(playing: Open) -> None:
    async with playing(nightly=HOURLY) as play:
        await play.clock.move(hours=1)
        play.stage.started[0][1].end(-9)
        await anyio.wait_all_tasks_blocked()

    assert [ended.exit_code for ended in play.alarms] == [1]
    assert play.known().failures == 1


async def test_a_killed_job_is_retried_as_often_as_configured(
    playing: Open,
) -> None:
    table = {**HOURLY, "retries": 1, "retry_wait": "1m"}
    async with playing(nightly=table) as play:
        await play.clock.move(hours=1)
        play.stage.started[0][1].end(-9)
        await anyio.wait_all_tasks_blocked()
        at_once = len(play.stage.started)
        await play.clock.move(minutes=1)
        play.stage.started[1][1].end(-9)
        await play.clock.move(minutes=10)

    assert (at_once, len(play.stage.started)) == (1, 2)


async def test_a_job_that_waits_for_a_retry_occupies_no_place(
    playing: Open,
) -> None:
    table = {**HOURLY, "retries": 1, "retry_wait": "1m"}
    other = {"schedule": "0 * * * *"}
    async with playing(nightly=table, other=other, options={"parallel": 1}) as play:
        await play.clock.move(hours=1)
        play.stage.started[0][1].end(-9)
        await anyio.wait_all_tasks_blocked()
        names = list(play.stage.names)
        play.keeper.stop()
        await anyio.wait_all_tasks_blocked()

    assert sorted(names) == ["nightly", "other"]


async def test_a_job_that_cannot_be_started_delays_no_other(playing: Open) -> None:
    async with playing(nightly=HOURLY, other=HOURLY) as play:
        play.stage.broken = {"nightly"}
        await play.clock.move(hours=1)

    assert play.stage.names == ["other"]
    assert "no more processes" in play.known().note


async def test_missed_times_are_caught_up_once_after_a_downtime(
    playing: Open,
) -> None:
    clock = HandClock()
    async with playing(clock, nightly=HOURLY):
        await clock.move(minutes=10)
    await clock.move(hours=5)

    async with playing(clock, nightly=HOURLY) as play:
        play.stage.started[0][1].end(0)
        await clock.move(minutes=1)

    assert play.stage.names == ["nightly"]


async def test_missed_times_are_skipped_if_the_job_says_so(
    playing: Open,
) -> None:
    clock = HandClock()
    table = {**HOURLY, "catch_up": "skip"}
    async with playing(clock, nightly=table):
        await clock.move(minutes=10)
    await clock.move(hours=5)

    async with playing(clock, nightly=table) as play:
        await clock.move(minutes=1)

    assert play.stage.names == []
    assert "5 missed, skipped" in play.known().note


async def test_a_job_with_a_changed_schedule_is_not_due_for_the_past(
    playing: Open,
) -> None:
    clock = HandClock()
    async with playing(clock, nightly={"schedule": "0 2 * * *"}):
        pass
    await clock.move(days=1)

    async with playing(clock, nightly={"schedule": "0 11 * * *"}) as play:
        await clock.move(minutes=1)

    assert play.stage.names == []


async def test_a_job_left_running_is_found_and_not_started_again(
    playing: Open, tmp_path: Path
) -> None:
    theatre = Theatre(tmp_path, {"nightly": HOURLY})
    left = Puppet(START - timedelta(minutes=5))
    theatre.stage.left_at_work["nightly"] = left
    async with theatre.open() as play:
        await play.clock.move(hours=1)
        while_at_work = list(play.stage.names)
        left.end(None)
        await anyio.wait_all_tasks_blocked()
        await play.clock.move(hours=1)

    assert while_at_work == []
    assert play.stage.names == ["nightly"]


async def test_stopping_signals_every_job_and_waits_for_it(playing: Open) -> None:
    async with playing(nightly=HOURLY, other=HOURLY) as play:
        await play.clock.move(hours=1)
        play.keeper.stop()
        await anyio.wait_all_tasks_blocked()
        heard = [puppet.heard for _, puppet in play.stage.started]

    assert heard == [[signal.SIGTERM]] * 2
    assert (play.known().exit_code, play.known().failures) == (4, 0)


async def test_a_job_that_a_person_runs_is_awaited(
    playing: Open, tmp_path: Path
) -> None:
    lock = JobLock(tmp_path / "nightly.lock")
    lock.acquire("nightly", 0.0)
    async with playing(nightly={**HOURLY, "overlap": "queue"}) as play:
        await play.clock.move(hours=1)
        play.stage.started[0][1].end(5)
        await anyio.wait_all_tasks_blocked()
        before = len(play.stage.started)
        lock.release()
        while len(play.stage.started) == before:
            await checkpoint()
        play.stage.started[1][1].end(0)

    assert before == 1


async def test_a_state_that_cannot_be_written_stops_no_job(
    playing: Open, tmp_path: Path
) -> None:
    async with playing(nightly=HOURLY) as play:
        (tmp_path / ".schedule.json").unlink()
        (tmp_path / ".schedule.json.part").mkdir()
        await play.clock.move(hours=1)

    assert play.stage.names == ["nightly"]
