"""The status of a running crawl, as readers of its store see it."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx
import pytest
from anyio import to_thread

from crawler.errors import StoreError
from crawler.run.observers import Progress
from crawler.run.opening import open_run
from crawler.run.options import RunOptions
from crawler.run.pulse import Pulse, StatusNotes
from crawler.settings import Settings, StorageSettings
from crawler.stats import Counters
from crawler.store.memory import MemoryStore
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.status import MAX_RUNTIME, Status
from crawler.testing import Answer, FakeSite
from tests.run.timed import HOME, HOST, Visits
from tests.virtual_time import WALL_START, run_virtual, virtual_loop


@dataclass
class Running:
    """As much of an engine as is looked at."""

    progress: Progress = field(default_factory=lambda: Progress(Counters()))
    busy_hosts: int = 2


def test_a_status_has_the_rates_of_the_last_seconds() -> None:
    running = Running()
    pulse = Pulse(running, lambda: 50.0, lambda: 7.0, lambda: 3)
    for second in range(41):
        running.progress.counters.pages = min(second, 20) * 10
        running.progress.counters.bytes = second * 1_000
        status = pulse.status(float(second))
        if second == 20:
            assert status.rate == pytest.approx(10)

    assert status.rate == 0
    assert status.byte_rate == pytest.approx(1_000)
    assert (status.time, status.seconds, status.connections) == (50.0, 7.0, 3)
    assert (status.busy_hosts, status.end) == (2, "")
    assert status.machine == socket.gethostname()


def test_a_process_of_a_shared_run_shows_its_own_rate() -> None:
    running, own = Running(), Counters()
    pulse = Pulse(running, lambda: 50.0, lambda: 7.0, own=lambda: own)
    for second in range(3):
        running.progress.counters.pages = second * 30
        own.pages = second * 10
        status = pulse.status(float(second))

    assert status.rate == pytest.approx(10)


def read(folder: Path) -> Status:
    status = SqliteReader(folder).run("visits").status()
    assert status is not None
    return status


async def refusing(folder: Path, **options: float) -> list[Status]:
    """Crawl a site that refuses for a minute; what readers see 30 seconds into it, and
    when the crawl has ended."""
    answers = iter([(503, {"retry-after": "60"}, "")])

    def home(request: httpx.Request) -> Answer:
        return next(answers, "<a href=/b>b</a>")

    settings = Settings(storage=StorageSettings(dir=str(folder)))
    terms = RunOptions(
        job="visits",
        outputs=(),
        transport=FakeSite({HOME: home, f"{HOME}b": "b"}),
        wall_clock=virtual_loop().wall_clock,
        **options,  # type: ignore[arg-type]
    )
    seen = []

    async def look() -> None:
        await anyio.sleep(30)
        seen.append(await to_thread.run_sync(read, folder))

    async with (
        open_run(Visits(), settings, terms) as run,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(look)
        await run.run()
        tasks.cancel_scope.cancel()
    seen.append(await to_thread.run_sync(read, folder))
    return seen


def test_a_reader_sees_what_a_running_crawl_waits_for(tmp_path: Path) -> None:
    (during, _), _ = run_virtual(lambda: refusing(tmp_path))

    assert WALL_START + 28 <= during.time <= WALL_START + 30
    assert (during.end, during.busy_hosts) == ("", 0)
    (rest,) = during.resting
    assert (rest.host, rest.why) == (HOST, "it answers 429 or 503")
    assert rest.until == pytest.approx(WALL_START + 60, abs=1)


def test_a_process_stores_why_it_left(tmp_path: Path) -> None:
    options = {"max_runtime": 40.0}

    (_, after), _ = run_virtual(lambda: refusing(tmp_path, **options))

    assert after.end == MAX_RUNTIME
    assert after.time >= WALL_START + 40


class Full(MemoryStore):
    """A store whose disk is full."""

    is_durable = True

    async def note(self, status: Status) -> None:
        raise StoreError("no room")


async def test_a_status_that_cannot_be_written_does_no_harm() -> None:
    pulse = Pulse(Running(), lambda: 50.0, lambda: 7.0)

    async with StatusNotes(pulse, Full()) as notes:
        await anyio.lowlevel.checkpoint()

    assert notes.end == "interrupted"


async def test_an_error_is_raised_unchanged_and_stored_as_a_crash() -> None:
    notes = StatusNotes(Pulse(Running(), lambda: 50.0, lambda: 7.0), Full())

    with pytest.raises(ValueError, match="mine"):
        async with notes:
            raise ValueError("mine")

    assert notes.end == "crashed"
