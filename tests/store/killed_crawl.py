"""A crawl without a network, to be killed, and to go on where it was.

`python -m tests.store.killed_crawl crawl FOLDER`; `open` in place of `crawl` makes
databases and little else. A line on stdout says that the store is open.

A page N of the site links to 2N and 2N + 1, up to PAGES, and to page 1; it gives two
items. Every fifth is tried twice, every seventh fails, every third is staged.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from crawler.request import Entry, Request
from crawler.store.base import Item, Outcome, Portion, RunStart, State
from crawler.store.sqlite.store import SqliteStore
from crawler.web import urls

PAGES = 3_000
HOSTS = 7
START = RunStart("tree", "tree", started=1.0)


def page(number: int) -> Entry:
    url = f"https://host{number % HOSTS}.example/{number}"
    depth = number.bit_length() - 1
    request = Request(url, depth=depth)
    return Entry(request.fingerprint(), request, urls.host_of(url), depth=depth)


def visit(entry: Entry) -> Outcome:
    number = int(entry.url.rpartition("/")[2])
    if number % 5 == 0 and not entry.attempt:
        entry.attempt = 1
        return Outcome(entry, State.PENDING, "reset")
    links = [page(link) for link in (2 * number, 2 * number + 1, 1) if link <= PAGES]
    key = ("duplicate:number", b"%d" % (number // 2))
    texts = [Item(b"%d a" % number), Item(b"%d b" % (number // 2), (key,))]
    if number % 7 == 0:
        return Outcome(entry, State.FAILED, "http_status", requests=links)
    return Outcome(entry, State.DONE, items=texts, requests=links)


async def staged(store: SqliteStore, outcome: Outcome) -> Outcome:
    """The same outcome, with what it holds staged in two portions before."""
    entry = outcome.entry
    assert entry is not None
    if int(entry.url.rpartition("/")[2]) % 3 or outcome.state is State.PENDING:
        return outcome
    first, rest = outcome.items[:1], outcome.items[1:]
    await store.stage(entry, Portion(first, outcome.requests[:1]), 0)
    await store.stage(entry, Portion(rest, outcome.requests[1:]), 1)
    outcome.items, outcome.requests, outcome.portions = (), (), 2
    return outcome


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def crawl(folder: Path) -> None:
    """Visit all that is pending, in groups of any size, until nothing is."""
    dice = random.Random()
    store = SqliteStore(folder, index_every=500)
    opening = await store.open(START)
    tell("open")
    if not opening.counters.found:
        await store.commit([Outcome(None, requests=[page(1)])])
    while True:
        ready = []
        for number in range(HOSTS):
            name = f"host{number}.example"
            ready += await store.take(name, dice.randrange(1, 20), (), 0.0)
        if not ready:
            break
        await store.commit([await staged(store, visit(entry)) for entry in ready])
    await store.close(1.0)


async def open_again_and_again(folder: Path) -> None:
    """Make databases, and little else."""
    while True:
        store = SqliteStore(folder, keep_runs=2)
        await store.open(RunStart("tree", "tree", fresh=True))
        tell("open")
        await store.commit([Outcome(None, requests=[page(1)])])
        await store.close(1.0)


if __name__ == "__main__":
    does = {"crawl": crawl, "open": open_again_and_again}[sys.argv[1]]
    asyncio.run(does(Path(sys.argv[2])))
