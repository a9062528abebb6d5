"""kill -9 at any moment: no page is lost, and no item is there twice."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from crawler.store.base import RunStart, State
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore
from tests.store.killed_crawl import PAGES, page

KILLS = 10


def run(does: str, folder: Path, seconds: float) -> bool:
    """Run the crawl, and kill it when this time has passed; whether it ended first."""
    command = [sys.executable, "-m", "tests.store.killed_crawl", does, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
        assert process.returncode == 0
        return True


def test_a_crawl_killed_at_random_moments_is_exact(tmp_path: Path) -> None:
    dice = random.Random(4)
    kills = 0
    while not run("crawl", tmp_path, dice.random() * 0.15 if kills < KILLS else 60):
        kills += 1
        with closing(sqlite3.connect(tmp_path / "tree.runs" / "1.db")) as connection:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()
        assert verdict == ("ok",)

    reader = SqliteReader(tmp_path)
    (record,) = reader.runs("tree")
    failing = [number for number in range(1, PAGES + 1) if number % 7 == 0]
    good = [number for number in range(1, PAGES + 1) if number % 7]
    assert kills >= KILLS // 2
    assert record.counters.found == PAGES
    assert record.counters.pages == len(good)
    assert record.counters.failed == len(failing)
    assert record.counters.retried == PAGES // 5
    bodies = [row.body for row in reader.run("tree").items()]
    expected = {b"%d a" % number for number in good}
    expected |= {b"%d b" % (number // 2) for number in good}
    assert len(bodies) == len(set(bodies)) == record.counters.items
    assert set(bodies) == expected
    for number in (1, 35, PAGES):
        explained = reader.run("tree").explain(page(number).fingerprint)
        assert explained is not None
        state = State.DONE if number % 7 else State.FAILED
        assert explained.state is state
        assert len(explained.attempts) == (2 if number % 5 == 0 else 1)


def test_a_kill_while_the_database_is_created_does_no_harm(tmp_path: Path) -> None:
    dice = random.Random(5)
    for _ in range(5):
        run("open", tmp_path, dice.random() * 0.1)

        asyncio.run(opens(tmp_path))


async def opens(folder: Path) -> None:
    store = SqliteStore(folder)
    opening = await store.open(RunStart("tree", "tree"))
    committed = await store.commit([])
    assert opening.run > 0
    assert committed.landed == 0
    await store.close(1.0)
