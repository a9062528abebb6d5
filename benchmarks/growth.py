"""How the durable store grows: CPU of a URL added, taken and committed, memory, disk
and the time to resume, with up to five million known URLs over up to 100,000 hosts.

    python -m benchmarks.growth                        # everything, about 20 minutes
    python -m benchmarks.growth --urls 1000000 --hosts 1000

Each row of hosts is one process. New URLs are spread over the hosts at random, which is
the worst case for the indexes; they come in groups of 30 pages with 6 new URLs each, as
the committer makes them, and every page of a group ends. CPU is of the whole process,
the store's thread included, the making of the entries left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import svg
from crawler.request import DEFAULT_OPTIONS, Entry, Request
from crawler.store.base import Answer, Item, Outcome, RunStart, State
from crawler.store.sqlite.store import SqliteStore
from crawler.web import urls

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
HOSTS = (1, 1_000, 100_000)
PAGES_A_GROUP, URLS_A_PAGE = 30, 6
#: A new URL's cost is measured over the last ones before a size, at most this many.
MEASURED = 200_000
RESULTS = Path(__file__).parent / "results"
BODY = b'{"title": "A title of some length", "price": "12.50", "text": "%s"}' % (
    b"x" * 300
)

COLUMNS = (
    "known URLs", "hosts", "add, µs", "take, µs", "commit, µs", "RSS a URL, B",
    "RSS, MB", "disk a URL, B", "resume, s", "longest commit, s",
)  # fmt: skip


@dataclass
class Row:
    """What was measured at one size."""

    urls: int
    hosts: int
    #: Microseconds of CPU: a new URL, over the last 200,000; an entry taken; a page
    #: committed with one item and no new URL.
    add: float
    take: float
    commit: float
    #: Bytes: growth of RSS since the empty store; all files on disk.
    rss_per_url: float
    rss_mb: float
    disk_per_url: float
    resume_seconds: float
    #: The longest time that one commit took, the indexes included.
    longest_commit: float


def make_entries(count: int, hosts: int, dice: random.Random) -> Iterator[Entry]:
    """New URLs, each of a random host, without end."""
    while True:
        host = f"host{dice.randrange(hosts)}.example"
        url = f"https://{host}/catalogue/section-{count % 997}/page-{count}.html"
        request = Request.build(
            url, "parse", priority=0, depth=3, meta=b"", options=DEFAULT_OPTIONS
        )
        fingerprint = urls.fingerprint("GET", url)
        yield Entry(
            fingerprint, request, host, depth=3, parent=fingerprint, found_as="link"
        )
        count += 1


class Growth:
    """One store that grows from size to size."""

    def __init__(self, folder: Path, hosts: int, synchronous: str) -> None:
        self.folder = folder
        self.hosts = hosts
        self.dice = random.Random(hosts)
        self.entries = make_entries(0, hosts, self.dice)
        self.synchronous = synchronous
        self.known = 0
        self.ready: list[Entry] = []
        self.longest = 0.0

    async def open(self) -> float:
        """Open or resume the store; the seconds that it took."""
        begun = time.perf_counter()
        self.store = SqliteStore(self.folder, synchronous=self.synchronous)
        await self.store.open(RunStart("growth", "growth"))
        return time.perf_counter() - begun

    async def run(self, sizes: list[int]) -> None:
        await self.open()
        await self.grow(200)
        empty = _rss()
        for size in sizes:
            await self.grow(size - min(size // 2, MEASURED))
            self.longest = 0.0
            add = await self.grow(size)
            rss, disk = _rss(), _size(self.folder)
            take = await self.take()
            commit = await self.commit()
            await self.store.close(1.0)
            row = Row(
                urls=size,
                hosts=self.hosts,
                add=add,
                take=take,
                commit=commit,
                rss_per_url=(rss - empty) / size,
                rss_mb=rss / 1e6,
                disk_per_url=disk / size,
                resume_seconds=await self.open(),
                longest_commit=self.longest,
            )
            print(json.dumps(asdict(row)), flush=True)
        await self.store.close(1.0)

    async def grow(self, size: int) -> float:
        """Add URLs up to `size`; microseconds of CPU for each."""
        spent, before = 0.0, self.known
        while self.known < size:
            group, self.ready = self.ready, []
            if not group:
                group = [next(self.entries) for _ in range(PAGES_A_GROUP)]
                await self.store.commit([Outcome(None, requests=group)])
                self.known += len(group)
            outcomes = [
                Outcome(
                    page,
                    State.DONE,
                    answers=[Answer(200, "HTTP/1.1", 20_000)],
                    requests=[next(self.entries) for _ in range(URLS_A_PAGE)],
                    elapsed=0.04,
                )
                for page in group
            ]
            begun, wall = time.process_time(), time.perf_counter()
            committed = await self.store.commit(outcomes)
            spent += time.process_time() - begun
            self.longest = max(self.longest, time.perf_counter() - wall)
            self.known += len(committed.added)
            self.ready = committed.added[:PAGES_A_GROUP]
        return spent / (self.known - before) * 1e6

    async def take(self, hosts: int = 200, limit: int = 64) -> float:
        """Take windows of random hosts; microseconds of CPU for each entry."""
        names = [f"host{self.dice.randrange(self.hosts)}.example" for _ in range(hosts)]
        begun, taken = time.process_time(), 0
        for name in names:
            taken += len(await self.store.take(name, limit, (), 0.0))
        return (time.process_time() - begun) / max(taken, 1) * 1e6

    async def commit(self, groups: int = 100) -> float:
        """Commit pages that were taken, with an item each; microseconds for a page.

        It is the median of the groups: what ended pages cost in the next batch of the
        indexes is in the cost of a new URL, whose page ends too.
        """
        spent: list[float] = []
        for _ in range(groups):
            group: list[Entry] = []
            while len(group) < PAGES_A_GROUP:
                name = f"host{self.dice.randrange(self.hosts)}.example"
                wanted = PAGES_A_GROUP - len(group)
                held = {entry.fingerprint for entry in group}
                group += await self.store.take(name, wanted, held, 0.0)
            outcomes = [
                Outcome(
                    page,
                    State.DONE,
                    answers=[Answer(200, "HTTP/1.1")],
                    items=[Item(BODY)],
                )
                for page in group
            ]
            begun = time.process_time()
            await self.store.commit(outcomes)
            spent.append(time.process_time() - begun)
        self.ready = []
        return statistics.median(spent) / PAGES_A_GROUP * 1e6


def _rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--urls", type=int, help="stop at this many")
    parser.add_argument("--hosts", type=int, action="append", help="only this many")
    parser.add_argument("--synchronous", default="full", choices=("full", "normal"))
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    parser.add_argument("--no-save", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = [size for size in SIZES if size <= (options.urls or SIZES[-1])]
    if options.child:
        growth = Growth(options.folder, options.hosts[0], options.synchronous)
        asyncio.run(growth.run(sizes))
        return
    found: list[Row] = []
    for hosts in options.hosts or HOSTS:
        folder = Path(tempfile.mkdtemp(prefix="growth-", dir=options.folder))
        try:
            found += measure(folder, hosts, sizes[-1], options.synchronous)
        finally:
            shutil.rmtree(folder)
    if not options.no_save:
        save(found, options.synchronous)


def measure(folder: Path, hosts: int, size: int, synchronous: str) -> list[Row]:
    """One process that grows one store; its rows as they come."""
    command = [sys.executable, "-m", "benchmarks.growth", "--child"]
    command += ["--folder", str(folder), "--hosts", str(hosts), "--urls", str(size)]
    command += ["--synchronous", synchronous]
    found = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            row = Row(**json.loads(line))
            print(line.strip(), flush=True)
            found.append(row)
    if process.returncode:
        raise SystemExit(process.returncode)
    return found


def save(found: list[Row], synchronous: str) -> None:
    """Write what was found, and under which conditions, to the results."""
    conditions = {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "cores": os.cpu_count(),
        "load at the end": round(os.getloadavg()[1], 1),
        "synchronous": synchronous,
        "machine": platform.machine(),
    }
    values = {"conditions": conditions, "rows": [asdict(row) for row in found]}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "growth.json").write_text(json.dumps(values, indent=1) + "\n")
    (RESULTS / "growth.md").write_text(table(found, conditions))
    panels = [
        _panel("CPU of a new URL, µs", found, lambda row: row.add),
        _panel("growth of RSS, bytes a known URL", found, lambda row: row.rss_per_url),
        _panel("resume, seconds", found, lambda row: row.resume_seconds),
    ]
    (RESULTS / "growth.svg").write_text(svg.chart(panels, "known URLs"))


def table(found: list[Row], conditions: dict[str, object]) -> str:
    """The rows as Markdown."""
    lines = [
        "# Growth of the durable store",
        "",
        "By `python -m benchmarks.growth`; its first lines say what is measured.",
        "; ".join(f"{name} {value}" for name, value in conditions.items()) + ".",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|--:" * len(COLUMNS) + "|",
    ]
    lines += [
        f"| {row.urls:,} | {row.hosts:,} | {row.add:.1f} | {row.take:.1f} "
        f"| {row.commit:.1f} | {row.rss_per_url:.0f} | {row.rss_mb:.0f} "
        f"| {row.disk_per_url:.0f} | {row.resume_seconds:.2f} "
        f"| {row.longest_commit:.2f} |"
        for row in found
    ]
    return "\n".join(lines) + "\n"


def _panel(title: str, found: list[Row], value: Callable[[Row], float]) -> svg.Panel:
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in found:
        name = f"{row.hosts:,} host" + "s" * (row.hosts > 1)
        lines.setdefault(name, []).append((row.urls, value(row)))
    return svg.Panel(title, lines)


if __name__ == "__main__":
    main()
