"""What a whole crawl costs with each store, and how fast two processes are.

    python -m benchmarks.shared_crawl [--hosts 8] [--rounds 3]

Each crawl reads PostgreSQL's documentation from so many hosts of nginx on this machine,
and writes one item a page: with the SQLite store, with PostgreSQL, and with two
processes over PostgreSQL. CPU is that of the crawl, of PostgreSQL, and of nginx;
start-up is counted, too. The figures go to results/shared_crawl.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.environments import OURS, make_ours
from benchmarks.measure import run
from benchmarks.shared_store import server_seconds
from benchmarks.site.server import site
from tests.postgres import Server, serving

RESULTS = Path(__file__).parent / "results" / "shared_crawl.json"
SPIDER = """
from crawler import Response, Results, Spider


class Docs(Spider):
    name = "docs"
    start_urls = {start_urls!r}

    async def parse(self, response: Response) -> Results:
        title = response.css_first("title")
        yield {{"url": response.url, "title": title.text() if title else None}}
        yield response.follow_links()
"""
STORES = {
    "sqlite": ("storage.dir={folder}/state",),
    "postgresql": ("storage.url={url}",),
    "postgresql, 2 processes": ("storage.url={url}",),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds a page; `clock` is of the clock."""

    pages: int
    crawl: float
    postgresql: float
    nginx: float
    clock: float


def crawl(
    name: str, folder: Path, database: Server, start_urls: list[str], workers: int
) -> Cost:
    """One crawl from an empty store."""
    database.empty()
    spider = folder / "docs.py"
    spider.write_text(SPIDER.format(start_urls=start_urls), encoding="utf-8")
    out = folder / "out.jsonl"
    command = [str(OURS / "bin" / "crawl"), "run", str(spider), "-q", "-o", str(out)]
    for setting in (
        "politeness.robots=false",
        "politeness.rate=0",
        f"politeness.per_host={workers}",
        f"crawl.workers={workers}",
        *STORES[name],
    ):
        command += ["-s", setting.format(folder=folder, url=database.uri)]
    if "processes" in name:
        command += ["--processes", "2"]
    before = server_seconds("postgres"), server_seconds("nginx")
    used = run(command, log=folder / "log", folder=folder)
    after = server_seconds("postgres"), server_seconds("nginx")
    if used.exit_code != 0:
        sys.exit((folder / "log").read_text(encoding="utf-8"))
    pages = len(out.read_bytes().splitlines())
    return Cost(
        pages=pages,
        crawl=used.cpu_seconds / pages * 1e6,
        postgresql=(after[0] - before[0]) / pages * 1e6,
        nginx=(after[1] - before[1]) / pages * 1e6,
        clock=used.wall_seconds / pages * 1e6,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=16)
    options = parser.parse_args()
    make_ours(rebuild=True, extras="postgres")
    costs: dict[str, list[Cost]] = {name: [] for name in STORES}
    with site(hosts=options.hosts) as running, serving() as database:
        port = running.h1.rpartition(":")[2]
        start_urls = [
            f"http://127.0.0.{host + 1}:{port}/postgresql/index.html"
            for host in range(options.hosts)
        ]
        for _ in range(options.rounds):
            for name, rounds in costs.items():
                with tempfile.TemporaryDirectory() as folder:
                    cost = crawl(
                        name, Path(folder), database, start_urls, options.workers
                    )
                rounds.append(cost)
                print(f"{name:24} {cost}", flush=True)
    found = {name: median(rounds) for name, rounds in costs.items()}
    two = found["postgresql, 2 processes"]
    total = two.crawl + two.postgresql + two.nginx
    ratios = {
        "crawl's CPU, PostgreSQL to SQLite": (
            found["postgresql"].crawl / found["sqlite"].crawl
        ),
        "two processes, of what two cores could do": total / 2 / two.clock,
    }
    table = {name: asdict(cost) for name, cost in found.items()}
    text = json.dumps({"medians, µs a page": table, "ratios": ratios}, indent=2)
    print(text)
    RESULTS.write_text(text + "\n")


def median(rounds: list[Cost]) -> Cost:
    """The median of each figure."""
    columns = zip(*(asdict(cost).values() for cost in rounds), strict=True)
    pages, *figures = (statistics.median(column) for column in columns)
    return Cost(int(pages), *figures)


if __name__ == "__main__":
    main()
