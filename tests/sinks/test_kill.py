"""kill -9 at any moment of a job with every kind of output: each row exactly once."""

from __future__ import annotations

import gzip
import io
import json
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.sinks.killed_nightly import PAGES

KILLS = 6
EXPECTED = Counter((n, half) for n in range(1, PAGES + 1) for half in (0, 1))


def run(folder: Path, options: dict[str, Any], seconds: float) -> bool:
    """Run the job, and kill it when this time has passed; whether it ended first."""
    command = [sys.executable, "-m", "tests.sinks.killed_nightly"]
    with subprocess.Popen(
        [*command, str(folder), json.dumps(options)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
        assert process.returncode == 0
        return True


def books(lines: bytes) -> Counter[tuple[int, int]]:
    found = map(json.loads, lines.splitlines())
    return Counter((book["number"], book["half"]) for book in found)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_job_killed_at_random_moments_writes_each_row_once(tmp_path: Path) -> None:
    dice, kills = random.Random(7), 0
    with ExitStack() as stack:
        options = _servers(stack)
        while not run(tmp_path, options, 0.2 * dice.random() if kills < KILLS else 120):
            kills += 1

        assert kills >= KILLS // 2
        assert books((tmp_path / "out.jsonl").read_bytes()) == EXPECTED
        _check_files(tmp_path)
        if "postgres" in options:
            _check_postgres(options["postgres"])
        if "s3" in options:
            _check_objects(options["s3"])


def _servers(stack: ExitStack) -> dict[str, Any]:
    """The servers that can be had here."""
    options: dict[str, Any] = {}
    try:
        from tests import postgres

        options["postgres"] = stack.enter_context(postgres.serving()).uri
    except pytest.skip.Exception:
        pass
    try:
        from tests.sinks import s3

        options["s3"] = stack.enter_context(s3.serving()).options
        s3.bucket(options["s3"], "killed")
    except (ImportError, pytest.skip.Exception):
        pass
    return options


def _check_files(folder: Path) -> None:
    table = gzip.decompress((folder / "out.csv.gz").read_bytes()).decode().splitlines()
    rows = (line.split(",") for line in table[1:])
    assert Counter((int(n), int(half)) for n, half, *_ in rows) == EXPECTED
    with closing(sqlite3.connect(folder / "out.db")) as connection:
        found = connection.execute("SELECT number, half FROM items").fetchall()
    assert Counter(found) == EXPECTED
    manifest = json.loads((folder / "part-1.manifest.json").read_text())
    parts = [(folder / part["name"]).read_bytes() for part in manifest["files"]]
    assert books(b"".join(parts)) == EXPECTED
    assert len(parts) == len(list(folder.glob("part-1.*.jsonl")))


def _check_postgres(uri: str) -> None:
    import psycopg

    with psycopg.connect(uri) as connection:
        found = connection.execute("SELECT number, half FROM killed").fetchall()
    assert Counter((n, half) for n, half in found) == EXPECTED


def _check_objects(options: dict[str, Any]) -> None:
    from tests.sinks import s3

    bucket = s3.existing(options, "killed")
    assert _pairs(bucket.get("out.parquet")) == EXPECTED
    manifest = json.loads(bucket.get("part-1.manifest.json"))
    names = [part["name"] for part in manifest["files"]]
    assert sum((_pairs(bucket.get(name)) for name in names), Counter()) == EXPECTED
    assert bucket.keys() == sorted(["out.parquet", "part-1.manifest.json", *names])


def _pairs(file: bytes) -> Counter[tuple[int, int]]:
    from pyarrow import parquet  # type: ignore[import-untyped]

    rows = parquet.read_table(io.BytesIO(file)).to_pylist()
    return Counter((row["number"], row["half"]) for row in rows)
