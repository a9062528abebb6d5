"""What one process costs, and whether what it wrote is what it should have."""

import json
import os
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children took, as the kernel counts it."""

    exit_code: int
    #: user and system time
    cpu_seconds: float
    wall_seconds: float
    peak_rss_mb: float


def run(
    command: list[str], *, log: Path, folder: Path, core: int | None = None
) -> Usage:
    """Run a command to its end, on one core if `core` is given."""
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return Usage(
        exit_code=process.returncode,
        cpu_seconds=used.ru_utime + used.ru_stime,
        wall_seconds=wall,
        peak_rss_mb=used.ru_maxrss / 1024,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the items of a run differ from the tree that was served."""

    items: int
    pages: int
    missing: int
    surplus: int
    repeated: int
    wrong_titles: int

    def __str__(self) -> str:
        faults = [
            f"{count} {what}"
            for what in ("missing", "surplus", "repeated", "wrong_titles")
            if (count := getattr(self, what))
        ]
        return ", ".join(faults) if faults else "exact"


def judge(out: Path, base: str, expected: dict[str, str]) -> Verdict:
    """Compare a file of JSON lines with the expected titles by URL path."""
    rows = []
    if out.exists():
        rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    times = Counter(row["url"].removeprefix(base) for row in rows)
    titles = {row["url"].removeprefix(base): row["title"] for row in rows}
    found = times.keys() & expected.keys()
    return Verdict(
        items=len(rows),
        pages=len(found),
        missing=len(expected.keys() - times.keys()),
        surplus=len(times.keys() - expected.keys()),
        repeated=sum(times.values()) - len(times),
        wrong_titles=sum(
            _plain(titles[path]) != _plain(expected[path]) for path in found
        ),
    )


def _plain(title: str | None) -> str:
    # Peers give titles raw; how white space is folded is not what is compared.
    return " ".join((title or "").split())
