"""Three processes crawl one run over PostgreSQL while they and it are killed, paused or
cut off; judged by the server's log and by the output.

    python -m benchmarks.team_kills [--pages 200] [--events 60] [--seed 1]

The site, the spider and the database are those of `tests/cli/test_work.py`; here they
run long. At random moments a process is killed or stopped for half a second to four
seconds (the lease is two), all connections to PostgreSQL are cut, or PostgreSQL is
stopped at once and started again. The figures go to results/team_kills.json.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.cli.sites import starting
from tests.cli.team_site import TeamSite, serving_team, write_team_spider
from tests.postgres import Server
from tests.postgres import serving as serving_postgres

RESULTS = Path(__file__).parent / "results" / "team_kills.json"
HOSTS, RATE, LEASE = 12, 4.0, 2.0
#: How often each event comes.
EVENTS = {"kill": 5, "pause": 8, "cut": 3, "stop PostgreSQL": 1}
#: A gap below this part of the interval is a request that came too early.
LEAST = 0.4


class Team:
    """The processes; the first one leads."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._at = ("-q", "-s", f"storage.url={url}", "-s", f"storage.lease={LEASE}s")
        self._stack = ExitStack()
        self.starts = 0
        self.processes = [self._start("run"), self._start("work"), self._start("work")]

    def _start(self, command: str) -> subprocess.Popen[str]:
        self.starts += 1
        process = starting(self._folder, command, "team", *self._at)
        return self._stack.enter_context(process)

    @property
    def leader(self) -> subprocess.Popen[str]:
        return self.processes[0]

    def renew(self) -> None:
        """Start again what has ended, as a supervisor does."""
        for place, process in enumerate(self.processes):
            if process.poll() not in (None, 0):
                self.processes[place] = self._start("work" if place else "run")

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
        self._stack.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200, help="pages of each host")
    parser.add_argument("--events", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving_postgres() as postgres,
        serving_team(HOSTS, options.pages) as site,
    ):
        write_team_spider(Path(folder), site, RATE)
        found = crawl(Path(folder), site, postgres, options.events, options.seed)
    text = json.dumps(found, indent=2)
    print(text)
    RESULTS.write_text(text + "\n")
    return 0 if all(found["holds"].values()) else 1


def crawl(
    folder: Path, site: TeamSite, postgres: Server, events: int, seed: int
) -> dict[str, Any]:
    """Crawl to the end among so many events; what it came to."""
    dice, begun = random.Random(seed), time.monotonic()
    team, happened = Team(folder, postgres.uri), Counter[str]()
    try:
        while site.log == []:
            time.sleep(0.05)
        while happened.total() < events and team.leader.poll() != 0:
            time.sleep(dice.random() * 1.5)
            (event,) = dice.choices(list(EVENTS), list(EVENTS.values()))
            happened[event] += 1
            befall(event, team.processes[dice.randrange(3)], postgres, dice)
            team.renew()
        while team.leader.poll() != 0:
            team.renew()
            time.sleep(0.2)
        return judged(folder, site, team, happened, seed, time.monotonic() - begun)
    finally:
        team.close()


def befall(
    event: str, victim: subprocess.Popen[str], postgres: Server, dice: random.Random
) -> None:
    if event == "kill":
        victim.kill()
        victim.wait()
    elif event == "pause":
        victim.send_signal(signal.SIGSTOP)
        time.sleep(dice.choice([0.5, 4.0, 4.0]))
        victim.send_signal(signal.SIGCONT)
    elif event == "cut":
        postgres.cut()
    else:
        postgres.stop()
        time.sleep(dice.random() * 2)
        postgres.start()


def judged(
    folder: Path,
    site: TeamSite,
    team: Team,
    happened: Counter[str],
    seed: int,
    seconds: float,
) -> dict[str, Any]:
    """What was found, and which of the promises held."""
    lines = (folder / "out" / "team-1.jsonl").read_text(encoding="utf-8").splitlines()
    titles = sorted(json.loads(line)["title"] for line in lines)
    asked = Counter((host, path) for _, host, path in site.log)
    pages = {key: count for key, count in asked.items() if key[1] != "/robots.txt"}
    early = [gap for gap in site.gaps() if gap < LEAST / RATE]
    return {
        "hosts": site.hosts,
        "pages of a host": site.pages,
        "seed": seed,
        "events": dict(happened),
        "processes started": team.starts,
        "seconds": round(seconds, 1),
        "pages": len(pages),
        "requests": sum(pages.values()),
        "most for one page": max(pages.values()),
        "robots.txt of a host at most": max(Counter(site.asked_robots()).values()),
        "requests too early": len(early),
        "holds": {
            "every item once": titles == site.all_titles,
            "every page was asked for": len(pages) == site.hosts * site.pages,
            # A request that had passed the last check when its process was paused.
            "too early: at most one in five pauses": len(early) * 5
            <= happened["pause"],
        },
    }


if __name__ == "__main__":
    sys.exit(main())
