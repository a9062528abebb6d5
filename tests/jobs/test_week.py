"""A week of nights: a real site, real processes, and a clock that is moved by hand.

Friday is a good night. On Saturday the job is killed; on Sunday the clocks go forward,
and it goes on. On Monday the scheduler is killed and its job goes on without it. On
Tuesday the site is down, on Wednesday a page hangs, on Thursday the disk is full.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import pytest
from anyio import to_thread

from crawler.cli import records
from crawler.jobs import report, state
from crawler.jobs.process import Processes, RunningJob
from crawler.jobs.process_end import Ended
from crawler.jobs.scheduler import JobScheduler
from crawler.jobs.state import JobState
from crawler.store.sqlite.reader import SqliteReader
from tests.cli.sites import PATIENCE, ROOT, SHOP, Site, serving, write_spider
from tests.jobs.test_scheduler import HandClock, jobs

BERLIN = ZoneInfo("Europe/Berlin")
#: A Friday; the clocks go forward in the night to Sunday.
FRIDAY = datetime(2025, 3, 28, 0, 0, tzinfo=BERLIN)

NIGHTLY = {
    "spider": "books",
    "schedule": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "output": "out/night-{run}.jsonl.gz",
    "max_runtime": "4s",
    "settings": {
        "crawl": {"grace": 0},
        "retry": {"attempts": 1, "wait": 0, "wait_max": 0},
    },
}


class Watched(Processes):
    """Starts the job, and lets the test know of its processes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, root / ".crawl", self._command)
        self.started: list[RunningJob] = []
        #: The largest file that a process may write, in blocks; none: any.
        self.largest = "unlimited"

    def _command(self, job: str) -> list[str]:
        crawl = [sys.executable, "-m", "crawler.cli", "run", job]
        return ["sh", "-c", f'ulimit -f {self.largest}; exec "$@"', "sh", *crawl]

    async def start(self, job: str) -> RunningJob:
        running = await super().start(job)
        self.started.append(running)
        return running


class Week:
    """The project, its site, and whoever keeps its schedule tonight."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".crawl"
        self.folder.mkdir()
        self.clock = HandClock(FRIDAY.astimezone(UTC))
        self.launcher = Watched(root)
        self.reader = SqliteReader(self.folder)
        self.alarms: list[Ended] = []
        self.ends: list[tuple[str, int | None]] = []

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[JobScheduler]:
        """A scheduler, until the block ends: then it is gone, without a word to its
        jobs."""
        keeper = JobScheduler(
            jobs(nightly=NIGHTLY),
            self.folder,
            self.launcher,
            reader=self.reader,
            alarm=self._alarm,
            clock=self.clock,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keeper.keep)
            await anyio.wait_all_tasks_blocked()
            yield keeper
            tasks.cancel_scope.cancel()

    async def _alarm(self, ended: Ended) -> None:
        self.alarms.append(ended)

    async def night(self, keeper: JobScheduler) -> RunningJob:
        """Let time pass until the job is due, and is at work."""
        due = keeper.next()
        assert due is not None
        before = len(self.launcher.started)
        await self.clock.move(seconds=(due - self.clock.now()).total_seconds())
        with anyio.fail_after(PATIENCE):
            while len(self.launcher.started) == before:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        return self.launcher.started[-1]

    async def morning(self) -> JobState:
        """What is remembered of the night, when its job has ended."""
        with anyio.fail_after(PATIENCE):
            while (found := self.known()).ended != self.clock.now():  # noqa: ASYNC110
                await anyio.sleep(0.02)
        return found

    def known(self) -> JobState:
        return state.read(self.folder)["nightly"]

    def report(self) -> str:
        """The page about the latest run."""
        found = records.report_of(self.reader, "nightly", time.time())
        return report.page(report.gather(self.reader, found))

    @property
    def run(self) -> int:
        return self.reader.runs("nightly")[0].number


async def asked(site: Site, path: str) -> None:
    """Return when the site was asked for a page that it holds back."""
    assert path in site.held
    assert await to_thread.run_sync(site.waiting.wait, PATIENCE)
    site.waiting.clear()


def hold(site: Site, path: str) -> None:
    site.held[path].clear()
    site.waiting.clear()


def project(root: Path, url: str) -> None:
    write_spider(root, url)
    lines = [f"{key} = {_toml(value)}" for key, value in NIGHTLY.items()]
    (root / "config.toml").write_text("[jobs.nightly]\n" + "\n".join(lines))


def _toml(value: object) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    return json.dumps(value)


@pytest.mark.timeout(180)
@pytest.mark.slow
async def test_a_week_of_nightly_runs_is_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    week = Week(tmp_path)
    async with AsyncExitStack() as stack:
        site = stack.enter_context(serving(SHOP, hold=("/two",)))
        site.held["/two"].set()
        project(tmp_path, site.url)
        async with week.kept() as keeper:
            await _friday(week, keeper)
            await _saturday(week, keeper, site)
            await _sunday(week, keeper, site)
            await _monday_evening(week, keeper, site)
        await _monday_morning(week, site)
    async with week.kept() as keeper:
        await _tuesday(week, keeper)
    with serving(SHOP, hold=("/two",)) as site:
        project(tmp_path, site.url)
        async with week.kept() as keeper:
            await _wednesday(week, keeper, site)
            await _thursday(week, keeper, site)
            await _friday_again(week, keeper)

    assert keeper.next() == datetime(2025, 4, 5, 0, 30, tzinfo=UTC)
    outputs = sorted(path.name for path in (tmp_path / "out").glob("*.gz"))
    finished = [r.number for r in week.reader.runs("nightly") if r.finished]
    assert outputs == [f"night-{number}.jsonl.gz" for number in sorted(finished)]


async def _friday(week: Week, keeper: JobScheduler) -> None:
    await week.night(keeper)
    known = await week.morning()

    assert known.exit_code == 0
    assert "It worked. Finished." in week.report()


async def _saturday(week: Week, keeper: JobScheduler, site: Site) -> None:
    hold(site, "/two")
    running = await week.night(keeper)
    await asked(site, "/two")
    running.send(signal.SIGKILL)
    known = await week.morning()

    assert known.exit_code == 4
    assert [ended.note for ended in week.alarms] == ["unfinished, killed by signal 9"]
    assert "Its process was killed before its end." in week.report()


async def _sunday(week: Week, keeper: JobScheduler, site: Site) -> None:
    run = week.run
    site.held["/two"].set()
    await week.night(keeper)
    known = await week.morning()

    local = week.clock.now().astimezone(BERLIN)
    assert (local.day, local.hour, local.minute) == (30, 3, 0)
    assert (known.exit_code, week.run) == (0, run)
    assert "resumed" in week.report()


async def _monday_evening(week: Week, keeper: JobScheduler, site: Site) -> None:
    hold(site, "/two")
    await week.night(keeper)
    await asked(site, "/two")


async def _monday_morning(week: Week, site: Site) -> None:
    """The scheduler of the evening is gone; its job is not."""
    assert week.launcher.find("nightly") is not None
    started = len(week.launcher.started)
    async with week.kept():
        await week.clock.move(hours=2)
        site.held["/two"].set()
        known = await week.morning()

    assert len(week.launcher.started) == started
    assert known.exit_code == 0


async def _tuesday(week: Week, keeper: JobScheduler) -> None:
    await week.night(keeper)
    known = await week.morning()

    assert known.exit_code == 3
    assert known.failures == 1
    report = week.report()
    assert "Finished, but badly." in report
    assert "connect_refused" in report


async def _wednesday(week: Week, keeper: JobScheduler, site: Site) -> None:
    await week.night(keeper)
    await asked(site, "/two")
    known = await week.morning()

    assert known.exit_code == 4
    assert "1 page" not in week.report().split("Stopped before its end.")[0]


async def _thursday(week: Week, keeper: JobScheduler, site: Site) -> None:
    site.held["/two"].set()
    week.launcher.largest = "8"
    await week.night(keeper)
    known = await week.morning()

    assert known.exit_code != 0
    assert known.failures == 3


async def _friday_again(week: Week, keeper: JobScheduler) -> None:
    week.launcher.largest = "unlimited"
    await week.night(keeper)
    known = await week.morning()

    assert (known.exit_code, known.failures) == (0, 0)
    assert "It worked. Finished." in week.report()
