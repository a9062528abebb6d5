"""What one endless page costs: a callback with `stream=True` that yields 200,000 links.

    python -m benchmarks.streams                       # links to one host, durable
    python -m benchmarks.streams --hosts 1000 --links 1000000
    python -m benchmarks.streams --items               # items in place of links

Shown are the growth of RSS from the start of the callback to its highest point, and the
longest time for which the event loop ran nothing else, while the page was read and
while its outcome was committed. That time is CPU of the loop's thread, so that a busy
machine does not count. The page is the only one that is asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from crawler import Crawl, Request, Response, Results, Spider
from crawler.testing import FakeSite

FEED = "https://feed.example/links.txt"
#: Seconds between two looks at RSS, and between two beats of the loop.
LOOK, BEAT = 0.005, 0.002


class Feed(Spider):
    """Yields a request, or an item, for each line of the feed."""

    name = "feed"
    start_urls = (FEED,)
    yields_items = False
    begun = ended = 0.0
    #: RSS when the callback began.
    before = 0

    async def start(self) -> AsyncIterator[Request]:
        yield Request(FEED, stream=True)

    async def parse(self, response: Response) -> Results:
        type(self).begun, type(self).before = time.perf_counter(), _rss()
        async for line in response.aiter_lines():
            yield {"url": line} if self.yields_items else Request(line)
        type(self).ended = time.perf_counter()


async def lines(count: int, hosts: int) -> AsyncIterator[bytes]:
    """The feed's body, made as it is read."""
    for first in range(0, count, 1_000):
        last = min(count, first + 1_000)
        yield b"".join(
            b"https://host%d.example/catalogue/page-%d.html\n" % (n % hosts, n)
            for n in range(first, last)
        )


class Watch:
    """RSS at its highest, looked at from a thread; the loop's longest silences."""

    def __init__(self) -> None:
        self.highest = _rss()
        self.silences: list[tuple[float, float]] = []
        self._is_over = threading.Event()

    def look(self) -> None:
        while not self._is_over.wait(LOOK):
            self.highest = max(self.highest, _rss())

    async def beat(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(BEAT)
            now = time.thread_time()
            self.silences.append((time.perf_counter(), now - last))
            last = now

    def end(self) -> None:
        self._is_over.set()

    def longest(self, since: float, until: float) -> float:
        """The longest silence that ended between these times."""
        return max((s for at, s in self.silences if since <= at <= until), default=0.0)


async def run(options: argparse.Namespace) -> dict[str, object]:
    """Crawl the feed in a job of its own; what it cost."""
    Feed.yields_items = options.items
    settings = {"storage": {"dir": options.folder}, "http": {"total": 600}}
    site = FakeSite({FEED: _page(options)})
    job = None if options.memory else "feed"
    out = str(Path(options.folder) / "out.jsonl")
    crawl = Crawl(Feed(), settings, transport=site, job=job, pages=1, outputs=(out,))
    watch = Watch()
    looking = threading.Thread(target=watch.look)
    looking.start()
    beating = asyncio.create_task(watch.beat())
    async with crawl as running:
        report = await running.wait()
    over = time.perf_counter()
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating
    watch.end()
    looking.join()
    return {
        "links": options.links,
        "hosts": options.hosts,
        "items": options.items,
        "pending": report.pending,
        "item_count": report.item_count,
        "growth_mb": round((watch.highest - Feed.before) / 1e6, 1),
        "seconds": round(over - Feed.begun, 2),
        "commit_seconds": round(over - Feed.ended, 2),
        "loop_held_reading": round(watch.longest(Feed.begun, Feed.ended), 4),
        "loop_held_committing": round(watch.longest(Feed.ended, over), 4),
    }


def _page(options: argparse.Namespace) -> object:
    return lambda request: (
        200,
        {"content-type": "text/plain"},
        lines(options.links, options.hosts),
    )


def _rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--links", type=int, default=200_000)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--items", action="store_true", help="items, not links")
    parser.add_argument("--memory", action="store_true", help="the store in memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="streams-") as options.folder:
        print(json.dumps(asyncio.run(run(options))))


if __name__ == "__main__":
    main()
