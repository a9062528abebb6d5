"""A crawl whose items name files, to be killed, and to go on where it was.

`python -m tests.pipelines.files.killed_crawl FOLDER PAGES`: each page names ten files;
every seventh is large and comes in pieces, and every eleventh is not there.
Stdout has the number of each file that the site was asked for.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from crawler import Files, Response, Results, Spider, crawl
from crawler.settings import Layer, build
from crawler.testing import Answer, FakeSite

HOME = "https://files.example/"
PER_PAGE = 10


def content(number: int) -> bytes:
    """The file of a number; files 3 and 4 of each page are equal."""
    number -= number % PER_PAGE == 4
    size = 2_500_000 if number % 7 == 0 else 1_000 + number
    return b"%%PDF-%09d" % number + bytes(size)


def is_there(number: int) -> bool:
    return number % 11 != 0


class Killed(Spider):
    name = "killed"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        for link in response.css("i"):
            yield {"number": int(link.text()), "file": f"/file/{link.text()}.pdf"}
        yield response.follow_all("a")


class Site(FakeSite):
    """Says on stdout which file it is asked for."""

    def __init__(self, pages: int) -> None:
        made = {f"{HOME}{page}": self._page(page) for page in range(pages)}
        links = "".join(f"<a href=/{page}>" for page in range(pages))
        super().__init__({HOME: links, **made})
        for number in range(pages * PER_PAGE):
            if is_there(number):
                self.pages[f"{HOME}file/{number}.pdf"] = self._file

    def _page(self, page: int) -> str:
        first = page * PER_PAGE
        return "".join(f"<i>{first + at}</i>" for at in range(PER_PAGE))

    async def _file(self, request: httpx.Request) -> Answer:
        number = int(request.url.path.removeprefix("/file/").removesuffix(".pdf"))
        body, span = content(number), request.headers.get("range", "")
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        etag = {"ETag": f'"{number}"'}
        if not span:
            return 200, etag, _pieces(body)
        start = int(span.removeprefix("bytes=").rstrip("-"))
        headers = {**etag, "Content-Range": f"bytes {start}-{len(body) - 1}/*"}
        return 206, headers, _pieces(body[start:])


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 300_000):
        await asyncio.sleep(0.001)
        yield body[start : start + 300_000]


def main(folder: Path, pages: int) -> None:
    state: dict[str, dict[str, Any]] = {
        "storage": {"dir": str(folder / "state")},
        "retry": {"attempts": 1},
    }
    spider = type(
        "KilledInFolder", (Killed,), {"pipelines": [Files("file", folder=folder / "f")]}
    )
    crawl(
        spider,
        job="killed",
        settings=build([Layer("test", state)]),
        transport=Site(pages),
        outputs=[str(folder / "out.jsonl")],
        overwrite=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
