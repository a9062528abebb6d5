"""A nightly job without a network, to be killed: every kind of output at once.

`python -m tests.sinks.killed_nightly FOLDER OPTIONS`: OPTIONS is JSON with `postgres`
and `s3`, what the outputs there need, and `disk`, a folder for one more csv file. A
line on stdout says that pages arrive. With `gate` in OPTIONS the crawl stops before
every so many pages, says "gate" on stdout, and waits for a line on stdin.

A page N links to 2N and 2N + 1, up to PAGES, and yields two books.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio

from crawler import Response, Results, Spider, crawl
from crawler.sinks import OutputSpec
from crawler.testing import FakeSite

PAGES = 2_000
SITE = "https://tree.example/"
FIRST_DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@dataclass
class Book:
    number: int
    half: int
    title: str
    price: Decimal
    seen: datetime.datetime


class Gate:
    """Stops all pages before every `size`th of them, until a line comes; 0: never."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._passed = 0
        self._lock = anyio.Lock()

    async def passed(self) -> None:
        async with self._lock:
            self._passed += 1
            if self._size and self._passed % self._size == 0:
                sys.stdout.write("gate\n")
                sys.stdout.flush()
                await anyio.to_thread.run_sync(sys.stdin.readline)


class Tree(Spider):
    name = "tree"
    start_urls = [SITE + "1"]
    item_types = [Book]
    has_begun = False
    gate = Gate(0)

    async def parse(self, response: Response) -> Results:
        number = int(response.url.rpartition("/")[2])
        if number > 50 and not self.has_begun:
            Tree.has_begun = True
            sys.stdout.write("pages arrive\n")
            sys.stdout.flush()
        await self.gate.passed()
        for half in (0, 1):
            price, day = Decimal(number) / 4, datetime.timedelta(days=number)
            yield Book(number, half, f"Book {number}/{half}", price, FIRST_DAY + day)
        yield response.follow_all("a")


def pages() -> dict[str, str]:
    return {
        f"{SITE}{n}": "".join(
            f"<a href=/{link}>x</a>" for link in (2 * n, 2 * n + 1) if link <= PAGES
        )
        for n in range(1, PAGES + 1)
    }


def outputs(folder: Path, options: Mapping[str, Any]) -> list[str | OutputSpec]:
    found: list[str | OutputSpec] = [
        str(folder / "out.jsonl"),
        str(folder / "out.csv.gz"),
        str(folder / "out.db"),
        OutputSpec(uri=str(folder / "part-{run}.jsonl"), rotate_rows=300),
    ]
    if uri := options.get("postgres"):
        found.append(f"{uri}&table=killed")
    if s3 := options.get("s3"):
        found.append(OutputSpec(uri="s3://killed/out.parquet", options=s3))
        parts = "s3://killed/part-{run}.parquet"
        found.append(OutputSpec(uri=parts, options=s3, rotate_rows=300))
    if disk := options.get("disk"):
        found.append(f"{disk}/out.csv")
    return found


if __name__ == "__main__":
    root, given = Path(sys.argv[1]), json.loads(sys.argv[2])
    Tree.gate = Gate(given.get("gate", 0))
    report = crawl(
        Tree,
        {"storage": {"dir": str(root / "state")}},
        job="nightly",
        outputs=outputs(root, given),
        transport=FakeSite(pages()),
    )
    sys.exit(report.exit_code)
