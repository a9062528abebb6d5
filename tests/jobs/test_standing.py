"""The state of an unfinished run, from the status that its process has written."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.jobs.standing import HELD_UP, SILENT, Standing, is_at_work, standing
from crawler.stats import FinishReason
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore
from crawler.store.status import MAX_RUNTIME, Status
from tests.store.values import START, entry, found

NOW = 1_000.0
HERE = socket.gethostname()


def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


async def left(folder: Path, status: Status | None) -> Standing:
    """How a run stands whose process has left this status."""
    store = SqliteStore(folder)
    opening = await store.open(START)
    if status is not None:
        await store.note(status)
    await store.commit([found(entry("a"))])
    await store.close(1.0)
    return standing(SqliteReader(folder), "books", opening.run, NOW)


async def test_a_run_without_a_status_was_interrupted(tmp_path: Path) -> None:
    assert await left(tmp_path, None) == Standing(FinishReason.INTERRUPTED)


async def test_a_run_with_a_living_process_is_running(tmp_path: Path) -> None:
    status = Status(time=NOW - 60, process=os.getpid(), machine=HERE)

    shown = await left(tmp_path, status)

    assert shown == Standing(
        FinishReason.RUNNING, status, "no status for 60 s; the process may hang"
    )


async def test_a_run_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    status = Status(time=NOW, process=dead(), machine=HERE)

    shown = await left(tmp_path, status)

    assert shown == Standing(FinishReason.KILLED, status)


@pytest.mark.parametrize(
    ("end", "reason", "note"),
    [
        pytest.param("interrupted", "interrupted", "", id="stopped"),
        pytest.param("sink_error", "sink_error", "", id="an output failed"),
        pytest.param("crashed", "crashed", "", id="crashed"),
        pytest.param(
            MAX_RUNTIME, "interrupted", "max_runtime was reached", id="out of time"
        ),
        pytest.param(
            "finished",
            "interrupted",
            "failed pages were put back into the queue",
            id="put back",
        ),
    ],
)
async def test_a_process_that_has_left_says_why(
    tmp_path: Path, end: str, reason: str, note: str
) -> None:
    status = Status(time=NOW, process=os.getpid(), machine=HERE, end=end)

    shown = await left(tmp_path, status)

    assert shown == Standing(FinishReason(reason), status, note)


@pytest.mark.parametrize(
    ("status", "is_so"),
    [
        pytest.param(
            Status(time=NOW - SILENT, machine="other.example"), True, id="far and fresh"
        ),
        pytest.param(
            Status(time=NOW - SILENT - 1, machine="other.example"),
            False,
            id="far and silent",
        ),
        pytest.param(
            Status(time=NOW - HELD_UP - 1, machine=HERE, process=os.getpid()),
            False,
            id="a number that another process has by now",
        ),
    ],
)
def test_without_the_process_the_age_of_the_status_decides(
    status: Status, is_so: bool
) -> None:
    assert is_at_work(status, NOW) is is_so
