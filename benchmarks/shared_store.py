"""What a page costs in each store: CPU of this process, and of PostgreSQL.

    python -m benchmarks.shared_store postgresql://host/database [--pages N] [--links N]
        [--known N]

Groups of 100 pages, each with one item and so many new links. The server must be on
this machine: its CPU is read from /proc. Nothing is fetched or parsed. With `--known`
PostgreSQL alone is measured, where so many URLs are known before.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from crawler.request import Entry, Request
from crawler.settings import StorageSettings
from crawler.store.base import Item, Outcome, RunStart, State, Store
from crawler.store.open import open_store
from crawler.web import urls

GROUP = 100
HOSTS = 50
TICKS = os.sysconf("SC_CLK_TCK")


def page(number: int) -> Entry:
    url = f"https://host{number % HOSTS}.example/shelf/of/books/{number}.html"
    request = Request(url, depth=1)
    return Entry(request.fingerprint(), request, urls.host_of(url), depth=1)


def server_seconds(program: str = "postgres") -> float:
    """CPU seconds that all processes of this program on this machine have used."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue
        name, _, rest = text.partition("(")[2].rpartition(")")
        fields = rest.split()
        if name.startswith(program):
            total += sum(map(int, fields[11:15]))  # its own, and of ended children
    return total / TICKS


def make_known(url: str, count: int) -> None:
    """Let the latest run know so many URLs, whose fingerprints lie anywhere."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        ((run,),) = connection.execute("SELECT max(id) FROM crawler.runs").fetchall()
        connection.execute(
            f"INSERT INTO crawler_run_{run}.urls "
            "SELECT hashint8extended(n, 7), n, 1, 0, 1, 3, 0, "
            "'https://known.example/shelf/of/books/' || n || '.html', 'parse', 'link' "
            f"FROM generate_series(1, {count}) AS n"
        )
        connection.execute(f"VACUUM ANALYZE crawler_run_{run}.urls")
        connection.execute("CHECKPOINT")


async def measure(
    store: Store, pages: int, links: int, known: Callable[[], None] | None = None
) -> tuple[float, float, float]:
    """Microseconds a page: CPU here, CPU of the server, and of the clock."""
    await store.open(RunStart("cost", "cost", fresh=True))
    if known is not None:
        known()
    await store.commit([Outcome(None, requests=[page(n) for n in range(pages)])])
    made = pages
    cpu, server, began = time.process_time(), server_seconds(), time.perf_counter()
    building = 0.0
    for first in range(0, pages, GROUP):
        begun = time.process_time()
        group = []
        for number in range(first, min(first + GROUP, pages)):
            new = [page(made + each) for each in range(links)]
            made += links
            items = [Item(b'{"title": "%d", "price": 12.5}' % number)]
            group.append(Outcome(page(number), State.DONE, items=items, requests=new))
        building += time.process_time() - begun
        await store.commit(group)
    spent = time.process_time() - cpu - building
    took, used = time.perf_counter() - began, server_seconds() - server
    await store.close(0.0)
    return spent / pages * 1e6, used / pages * 1e6, took / pages * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--links", type=int, default=12)
    parser.add_argument("--known", type=int, default=0)
    options = parser.parse_args()
    if options.known:
        store = open_store(StorageSettings(url=options.url), "cost")
        known = partial(make_known, options.url, options.known)
        print_costs("postgres", measure(store, options.pages, options.links, known))
        return
    with tempfile.TemporaryDirectory() as folder:
        stores = {
            "memory": StorageSettings(mode="memory"),
            "sqlite": StorageSettings(dir=folder),
            "postgres": StorageSettings(url=options.url),
        }
        for name, storage in stores.items():
            work = measure(open_store(storage, "cost"), options.pages, options.links)
            print_costs(name, work)


def print_costs(name: str, work: Coroutine[Any, Any, tuple[float, ...]]) -> None:
    here, server, clock = asyncio.run(work)
    cpu = f"{here:7.1f} µs here {server:7.1f} µs server"
    print(f"{name:10} {cpu} {clock:7.1f} µs")


if __name__ == "__main__":
    main()
