"""A nightly job without a network, to be killed: every kind of output at once.

`python -m tests.sinks.killed_nightly FOLDER OPTIONS`: OPTIONS is JSON with `postgres`
and `s3`, what the outputs there need. A line on stdout says that pages arrive.

A page N links to 2N and 2N + 1, up to PAGES, and yields two books.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crawler import Response, Results, Spider, crawl
from crawler.sinks import OutputSpec
from crawler.testing import FakeSite

PAGES = 2_000
SITE = "https://tree.example/"


@dataclass
class Book:
    number: int
    half: int
    title: str


class Tree(Spider):
    name = "tree"
    start_urls = [SITE + "1"]
    item_types = [Book]
    has_begun = False

    async def parse(self, response: Response) -> Results:
        number = int(response.url.rpartition("/")[2])
        if number > 50 and not self.has_begun:
            Tree.has_begun = True
            sys.stdout.write("pages arrive\n")
            sys.stdout.flush()
        for half in (0, 1):
            yield Book(number, half, f"Book {number}/{half}")
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
    return found


if __name__ == "__main__":
    root, given = Path(sys.argv[1]), json.loads(sys.argv[2])
    report = crawl(
        Tree,
        {"storage": {"dir": str(root / "state")}},
        job="nightly",
        outputs=outputs(root, given),
        transport=FakeSite(pages()),
    )
    sys.exit(report.exit_code)
