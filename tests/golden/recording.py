"""Runs a crawl as a process in its own folder, and records how it ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawler import Report
from tests.golden import gathering
from tests.golden.plain import Names
from tests.golden.records import Record
from tests.golden.site import PATIENCE, Site
from tests.golden.store import stable

ROOT = Path(__file__).parents[2]
CRAWLS = Path(__file__).parent / "crawls"


@dataclass
class Recording:
    """A folder in which a crawl runs, the sites that it asks, and what came of it."""

    folder: Path
    sites: Sequence[Site] = ()
    #: Whether the order of requests and items follows from the crawl alone.
    ordered: bool = False
    #: Processes were killed: how often something was asked is up to the machine.
    killed: bool = False
    #: Names in place of what differs between runs, such as the URL of a proxy.
    names: dict[str, str] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    told: list[list[str]] = field(default_factory=list)

    def run(self, spider: str, *options: str) -> None:
        """`crawl run` to its end; `spider` is FILE:CLASS in the folder of crawls."""
        process = self.start(spider, *options)
        try:
            out, error = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, error = process.communicate()
            raise AssertionError(f"{spider} hung: {out}{error}") from None
        path = self.folder / "summary.json"
        summary = json.loads(path.read_text()) if path.exists() else {}
        path.unlink(missing_ok=True)
        self._ended(["crawl run", spider, *options], process.returncode, summary)
        self.told.append([*out.splitlines(), *error.splitlines()])

    def start(self, spider: str, *options: str) -> subprocess.Popen[str]:
        """Begin `crawl run` in a process of its own."""
        command = ["run", str(CRAWLS / spider), *options, "--summary", "summary.json"]
        return subprocess.Popen(
            [sys.executable, "-m", "crawler.cli", *command],
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, report: Report, logged: Sequence[str]) -> None:
        """Note how a crawl in this process ended, and what it logged."""
        summary = json.loads(json.dumps(report.summary()))
        self._ended(["Crawl", report.spider], report.exit_code, summary)
        self.told.append([*logged, *(f"! {line}" for line in report.advice)])

    def _ended(self, command: list[str], code: int, summary: dict[str, Any]) -> None:
        found = {"command": " ".join(command), "exit_code": code}
        self.runs.append({**found, "summary": stable(summary)})

    def record(self) -> Record:
        """All that came of it."""
        names = {**self.names, str(self.folder): "FOLDER", str(ROOT): "ROOT"}
        for site in self.sites:
            names[site.url] = f"{site.url.partition('://')[0]}://{site.name}"
            names[site.host] = site.name
        known = Names({real: name for real, name in names.items() if real})
        state = gathering.State(self.folder / ".crawl", known, ordered=self.ordered)
        runs = known.plain(self.runs)
        behaviour = {
            "runs": runs,
            "requests": {
                site.name: gathering.requests(
                    site, known, ordered=self.ordered, killed=self.killed
                )
                for site in self.sites
            },
            "outputs": state.outputs(self.folder),
            "jobs": state.jobs([run["summary"] for run in runs]),
        }
        told = [
            gathering.steady(known.told(lines), killed=self.killed)
            for lines in self.told
        ]
        return Record(behaviour, {"told": told, "details": state.texts()})


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CRAWL_") and not name.lower().endswith("_proxy")
    }
    # Without bytecode each process would compile the package again.
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONDONTWRITEBYTECODE"):
        kept.pop(name, None)
    return {**kept, "PYTHONPATH": str(ROOT)}
