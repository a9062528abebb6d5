"""A nightly job whose targets go away, one after the other, with and without a kill -9:
each row exactly once, as pyarrow, duckdb and psql read it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("psycopg", reason="needs the extra postgres")
pytest.importorskip("pyarrow", reason="needs the extra parquet")
pytest.importorskip("obstore", reason="needs the extra objects")

from tests import postgres
from tests.sinks import s3
from tests.sinks.killed_nightly import PAGES

ROWS = 2 * PAGES
#: The sum of all prices: two books of each page, a quarter of its number each.
PRICES = sum(range(1, PAGES + 1)) / 2
#: Pages between two outages: they fill a file of the output in several files.
EVERY = 200


class Outage(NamedTuple):
    """How a target goes away and comes back; its name in the crawl's messages."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]


class Nightly:
    """The job in a process of its own."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        command = [sys.executable, "-m", "tests.sinks.killed_nightly", str(folder)]
        self.process = subprocess.Popen(
            [*command, json.dumps({**options, "gate": EVERY})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self._said: list[str] = []
        self._is_at_gate = False

    def reach(self, *words: str) -> None:
        """Read until a line has these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.append(line)
            self._is_at_gate |= line == "gate\n"
            if all(word in line for word in words):
                return
        pytest.fail(f"no line says {words}:\n" + "".join(self._said))

    def go_on(self) -> None:
        """Let the pages up to the next gate pass."""
        assert self.process.stdin is not None
        self._is_at_gate = False
        self.process.stdin.write("\n")

    def suffer(self, outage: Outage) -> None:
        """Let pages pass while a target is away, until the crawl waits for it."""
        if not self._is_at_gate:
            self.reach("gate")
        outage.begin()
        self.go_on()
        self.reach("the crawl waits and tries to write again", outage.name)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def finish(self) -> None:
        """Let all other pages pass: behind the last line no gate waits."""
        said, _ = self.process.communicate()
        assert self.process.returncode == 0, "".join(self._said) + said


@contextmanager
def small_disk(folder: Path) -> Iterator[list[Outage]]:
    """A disk of one megabyte in `folder`, and how it is full; [] where the person who
    runs the tests may not mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    is_allowed = os.name == "posix" and shutil.which("mount") is not None
    if not is_allowed or subprocess.run(command, capture_output=True).returncode:
        yield []
        return
    ballast = folder / "ballast"

    def fill() -> None:
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    try:
        yield [Outage("disk/out.csv", fill, ballast.unlink)]
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_nightly_job_survives_outages_of_its_targets(tmp_path: Path) -> None:
    with (
        postgres.serving() as database,
        s3.serving() as storage,
        small_disk(tmp_path / "disk") as full,
    ):
        s3.bucket(storage.options, "killed")
        options = {
            "postgres": database.uri,
            "s3": storage.options,
            "disk": str(tmp_path / "disk"),
        }
        outages = [
            Outage("postgres?table=killed", database.stop, database.start),
            Outage("s3://killed/", storage.stop, storage.start),
            *full,
        ]
        for outage in outages:
            nightly = Nightly(tmp_path, options)
            nightly.suffer(outage)
            nightly.kill()
            outage.end()
        nightly = Nightly(tmp_path, options)
        for outage in outages:
            nightly.suffer(outage)
            outage.end()
            nightly.reach("The output works again", outage.name)
        nightly.finish()

        _check_csv(tmp_path / "disk" / "out.csv")
        _check_postgres(database.uri)
        _check_parquet(s3.existing(storage.options, "killed"), tmp_path / "read")


def _check_csv(path: Path) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({(row["number"], row["half"]) for row in rows}) == ROWS
    assert sum(float(row["price"]) for row in rows) == PRICES


_QUERY = "SELECT count(*), count(DISTINCT (number, half)), sum(price) FROM {}"


def _check_postgres(uri: str) -> None:
    psql = shutil.which("psql")
    if psql is None:
        pytest.skip("needs psql")
    command = [psql, uri, "-AtX", "-c", _QUERY.format("killed")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows, distinct, prices = said.strip().split("|")
    assert (int(rows), int(distinct), float(prices)) == (ROWS, ROWS, PRICES)


def _check_parquet(bucket: s3.Bucket, folder: Path) -> None:
    """The object and the files of the manifest, which are all that is in the bucket."""
    from pyarrow import parquet  # type: ignore[import-untyped]

    folder.mkdir()
    keys = bucket.keys()
    for key in keys:
        (folder / key).write_bytes(bucket.get(key))
    manifest = json.loads((folder / "part-1.manifest.json").read_bytes())
    parts = [part["name"] for part in manifest["files"]]
    assert keys == sorted(["out.parquet", "part-1.manifest.json", *parts])
    for names in (["out.parquet"], parts):
        files = [folder / name for name in names]
        rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
        assert len({(row["number"], row["half"]) for row in rows}) == len(rows) == ROWS
        assert sum(row["price"] for row in rows) == PRICES

    duckdb = pytest.importorskip("duckdb", reason="needs duckdb")
    for pattern in ("out.parquet", "part-*.parquet"):
        table = f"read_parquet('{folder / pattern}')"
        (found,) = duckdb.sql(_QUERY.format(table)).fetchall()
        assert (found[0], found[1], float(found[2])) == (ROWS, ROWS, PRICES)
