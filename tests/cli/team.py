"""Processes that crawl one site with one database."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from tests.cli.sites import crawl, starting
from tests.cli.team_site import TeamSite


class Team:
    """The spider `team` in a folder, its site, and processes that crawl it with one
    database."""

    def __init__(self, folder: Path, site: TeamSite, database: str) -> None:
        self.folder = folder
        self.site = site
        self._at = ("-s", f"storage.url={database}")
        self._processes = ExitStack()

    def start(self, command: str, *options: str) -> subprocess.Popen[str]:
        words = (command, "team", *options, *self._at)
        return self._processes.enter_context(starting(self.folder, *words))

    def crawl(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        return crawl(self.folder, command, "team", *options, *self._at)

    def titles(self, name: str = "out/team-1.jsonl") -> list[str]:
        lines = (self.folder / name).read_text(encoding="utf-8").splitlines()
        return sorted(json.loads(line)["title"] for line in lines)

    def until(self, count: int) -> None:
        """Return when so many requests were made."""
        end = time.monotonic() + 30
        while len(self.site.log) < count:
            assert time.monotonic() < end, "the crawl stands still"
            time.sleep(0.02)

    def close(self) -> None:
        self._processes.close()


def ended(process: subprocess.Popen[str]) -> str:
    _, told = process.communicate(timeout=60)
    return told
