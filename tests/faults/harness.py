"""A site and a job for tests of faults; the job runs as a process.

Rule: judged from outside only, by the site's log, the files, and the exit code.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SPIDERS = Path(__file__).parent / "spiders.py"
ROOT = Path(__file__).parents[2]
FORMATS = ("jsonl", "csv", "json", "db")
#: Seconds that no crawl of these tests takes.
PATIENCE = 60.0


@dataclass
class RunningSite:
    """A site in a process of its own."""

    url: str
    log: Path

    def asked(self) -> Counter[str]:
        """How often each path was asked for so far."""
        return Counter(line.split()[1] for line in self.lines())

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def requests(self) -> int:
        """How many requests have come in so far."""
        return self.log.read_bytes().count(b"\n")

    def wait_for(self, requests: int) -> None:
        """Return when so many requests have come in."""
        end = time.monotonic() + PATIENCE
        while self.requests() < requests:
            assert time.monotonic() < end, f"there were never {requests} requests"
            time.sleep(0.001)


@contextmanager
def serving(folder: Path, *, seconds: float = 0.0) -> Iterator[RunningSite]:
    """The site, for as long as the block lasts."""
    log = folder / "site.log"
    log.touch()
    command = [sys.executable, "-m", "tests.faults.site", str(log), str(seconds)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield RunningSite(process.stdout.readline().strip(), log)
        process.communicate()  # closes its input, and so it ends


@dataclass
class Ended:
    """How a process ended."""

    code: int
    out: str
    error: str


@dataclass
class Job:
    """A job in a folder of its own, run by `crawl run`."""

    folder: Path
    site: RunningSite
    spider: str = "Tree"
    size: int = 400
    options: Sequence[str] = ()
    outputs: Sequence[str] = tuple(f"out.{each}" for each in FORMATS)
    kills: int = field(default=0, init=False)
    #: Processes that were started so far.
    starts: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)

    @property
    def name(self) -> str:
        return self.spider.lower()

    @property
    def state(self) -> Path:
        return self.folder / ".crawl"

    def arguments(self, *more: str) -> list[str]:
        arguments = ["run", f"{SPIDERS}:{self.spider}"]
        arguments += ["-a", f"site={self.site.url}", "-a", f"size={self.size}"]
        for output in self.outputs:
            arguments += ["-o", output]
        return [*arguments, "--summary", "summary.json", *self.options, *more]

    def start(
        self, *more: str, module: Sequence[str] = ("crawler.cli",)
    ) -> subprocess.Popen[str]:
        """Begin to crawl, in another process."""
        self.starts += 1
        return subprocess.Popen(
            [sys.executable, "-m", *module, *self.arguments(*more)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *more: str, module: Sequence[str] = ("crawler.cli",)) -> Ended:
        """Crawl to the end."""
        return ended(self.start(*more, module=module))

    def killed_after(self, requests: int, seconds: float = 0.0) -> Ended | None:
        """Crawl until the site has been asked so often in this process, and for some
        `seconds` more, and die; how it ended if it ended before."""
        before = self.site.requests()
        process = self.start()
        while self.site.requests() < before + requests and process.poll() is None:
            time.sleep(0.001)
        try:
            out, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.kills += 1
            return None
        return Ended(process.returncode, out, error)

    def seen_off(self, process: subprocess.Popen[str], requests: int) -> Ended | None:
        """Wait until it dies by itself, or kill it after so many requests; how it
        ended if it ended before."""
        before = self.site.requests()
        while self.site.requests() < before + requests and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        out, error = process.communicate()
        if process.returncode != -signal.SIGKILL:
            return Ended(process.returncode, out, error)
        self.kills += 1
        return None

    def killed_at(self, event: str, count: int) -> Ended | None:
        """Crawl, and die at an event of `tests.faults.killed_at`."""
        found = self.run(module=("tests.faults.killed_at", event, str(count)))
        if found.code != -signal.SIGKILL:
            return found
        self.kills += 1
        return None

    def report(self, run: int = 1) -> dict[str, Any] | None:
        """The report of a finished run, as the state has it; None: it is not."""
        path = self.state / f"{self.name}.db"
        if not path.exists():
            return None
        with closing(sqlite3.connect(path)) as connection:
            query = "SELECT report FROM runs WHERE number = ? AND finished NOT NULL"
            found = connection.execute(query, (run,)).fetchone()
        return json.loads(found[0]) if found else None

    def counts(self, run: int = 1) -> dict[str, int]:
        """The figures of a finished run that must add up."""
        report = self.report(run)
        assert report is not None, "the run is not finished"
        names = ("found", "pages", "failed", "redirected", "items", "pending")
        counts = {name: report[name] for name in names}
        counts["skipped"] = sum(report["skipped"].values())
        return counts

    def written(self) -> dict[str, list[str]]:
        """The ids of the items in every output."""
        found = {}
        for output in self.outputs:
            path = self.folder / output
            found[output] = READERS[path.suffix](path)
        return found

    def stored(self, run: int = 1) -> list[str]:
        """The ids of the items in the job's state."""
        path = self.state / f"{self.name}.runs" / f"{run}.db"
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT body FROM items ORDER BY sequence")
            return [json.loads(body)["id"] for (body,) in rows]


def ended(process: subprocess.Popen[str]) -> Ended:
    """How a process ends; it is killed if it does not."""
    try:
        out, error = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, error = process.communicate()
        raise AssertionError(f"it hung: {out}{error}") from None
    return Ended(process.returncode, out, error)


def _jsonl(path: Path) -> list[str]:
    data = path.read_bytes()
    assert data.endswith(b"\n"), "the last line is torn"
    return [json.loads(line)["id"] for line in data.splitlines()]


def _csv(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert all(None not in row and None not in row.values() for row in rows)
    return [row["id"] for row in rows]


def _json(path: Path) -> list[str]:
    return [item["id"] for item in json.loads(path.read_text())]


def _db(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT id FROM items ORDER BY _sequence")
        return [row[0] for row in rows]


READERS = {".jsonl": _jsonl, ".csv": _csv, ".json": _json, ".db": _db}
