from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.errors import JobLocked, StateError
from crawler.store.lock import JobLock
from crawler.store.sqlite.store import SqliteStore
from tests.store.values import START

HOLDS = """
import sys
from pathlib import Path
from crawler.store.lock import JobLock
JobLock(Path(sys.argv[1])).acquire("books", 0.0)
print("held", flush=True)
sys.stdin.read()
"""


def test_the_process_that_has_the_lock_is_named(tmp_path: Path) -> None:
    path = tmp_path / "books.lock"
    holder = JobLock(path)
    holder.acquire("books", 0.0)

    with pytest.raises(JobLocked, match=rf"'books'.*{os.getpid()}.*1970-01-01T00:00"):
        JobLock(path).acquire("books", 1.0)

    holder.release()


def test_a_released_lock_can_be_taken(tmp_path: Path) -> None:
    first, second = JobLock(tmp_path / "books.lock"), JobLock(tmp_path / "books.lock")
    first.acquire("books", 0.0)
    first.release()

    second.acquire("books", 1.0)

    second.release()


def test_a_killed_process_has_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "books.lock"
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(JobLocked, match=str(process.pid)):
            JobLock(path).acquire("books", 1.0)
        process.kill()

    lock = JobLock(path)
    lock.acquire("books", 2.0)

    lock.release()


def test_the_text_in_the_lock_file_does_not_lock(tmp_path: Path) -> None:
    path = tmp_path / "books.lock"
    path.write_text('{"pid": 1, "host": "here", "since": "now"}')

    lock = JobLock(path)
    lock.acquire("books", 0.0)

    lock.release()


def test_a_lock_that_cannot_be_created_names_its_path(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="missing"):
        JobLock(tmp_path / "missing" / "books.lock").acquire("books", 0.0)


async def test_two_stores_do_not_share_a_job(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path)
    await first.open(START)

    with pytest.raises(JobLocked):
        await SqliteStore(tmp_path).open(START)

    await first.close(0.0)
    second = SqliteStore(tmp_path)
    await second.open(START)
    await second.close(0.0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named() -> None:
    with pytest.raises(StateError, match="/dev/full cannot be written"):
        JobLock(Path("/dev/full")).acquire("books", 0.0)
