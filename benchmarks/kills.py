"""A crawl of 5,000 pages that is killed fifty times, and judged from outside.

    python -m benchmarks.kills [--pages 5000] [--kills 50] [--seed 1]

The site, the spider and the checks are those of `tests/faults`; here they run long. A
third of the processes die at a random moment, a third at a step that is aimed at (a
file is cut, renamed, opened, a database is opened), a third as they resume. The figures
go to results/kills.json.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.harness import Ended, Job, serving
from tests.faults.site import Expected

RESULTS = Path(__file__).parent / "results" / "kills.json"
ATTEMPTS = 3
#: Events at which a process dies: how often each happens before anything is asked
#: for, and how often in all, at most.
STEPS = {"os.truncate": 12, "os.rename": 3, "sqlite3.connect": 5, "open": 60}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = crawl(Path(folder), options.pages, options.kills, options.seed)
    text = json.dumps(found, indent=2)
    print(text)
    RESULTS.write_text(text + "\n")
    return 0 if all(found["holds"].values()) else 1


def crawl(folder: Path, pages: int, kills: int, seed: int) -> dict[str, Any]:
    """Crawl, die and go on, until the run is finished; what it came to."""
    dice, begun = random.Random(seed), time.monotonic()
    ways: Counter[str] = Counter()
    with serving(folder, seconds=0.005) as site:
        job, last = Job(folder / "job", site, size=pages), None
        while job.kills < kills and last is None and job.report() is None:
            way, last = kill(job, dice, pages // kills)
            ways[way] += last is None
        if last is None and job.report() is None:
            last = job.run()
        return {
            "pages": pages,
            "kills": job.kills,
            "seed": seed,
            "ways": dict(ways),
            "seconds": round(time.monotonic() - begun, 1),
            **judged(job, last),
        }


def kill(job: Job, dice: random.Random, pages: int) -> tuple[str, Ended | None]:
    """Let a process die; how, and how it ended if it ended before."""
    way = dice.choice(["moment", "step", "resume"])
    if way == "moment":
        requests = dice.randrange(2 * pages)
        return way, job.killed_after(requests, dice.random() * 0.05)
    if way == "resume":
        return way, job.killed_after(0, dice.random() * 0.8)
    event = dice.choice(list(STEPS))
    count = dice.randrange(1, STEPS[event])
    process = job.start(module=("tests.faults.killed_at", event, str(count)))
    return event, job.seen_off(process, 2 * pages)


def judged(job: Job, last: Ended | None) -> dict[str, Any]:
    """What was found, and which of the promises held."""
    expected = Expected(job.size)
    asked, least = job.site.asked(), expected.asked(ATTEMPTS)
    robots = asked.pop("/robots.txt")
    del least["/robots.txt"]
    written = {**job.written(), "state": job.stored()}
    counts = job.counts()
    extra = {path: asked[path] - least.get(path, 0) for path in asked}
    holds = {
        "ended well": last is None or last.code in (0, 3),
        "counters add up": counts == expected.counts,
        "every page was asked for": all(asked[path] >= least[path] for path in least),
        "nothing else was asked for": asked.keys() == least.keys(),
        "no page more than once more a kill": max(extra.values()) <= job.kills,
        "robots.txt once a process": robots <= job.starts,
    }
    for name, ids in written.items():
        holds[f"{name}: every item once"] = (
            len(ids) == len(set(ids)) and set(ids) == expected.items
        )
    return {
        "counts": counts,
        "requests": asked.total(),
        "requests without a kill": sum(least.values()),
        "requests more a kill": round(sum(extra.values()) / max(job.kills, 1), 1),
        "most for one page": max(extra.values()),
        "holds": holds,
    }


if __name__ == "__main__":
    sys.exit(main())
