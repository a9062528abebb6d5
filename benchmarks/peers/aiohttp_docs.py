"""A loop by hand: aiohttp, selectolax's lexbor and urllib, sixteen workers.

    python aiohttp_docs.py START OUT [--ca-file CA] [--http2 UNUSED]

No retries, no robots.txt, no pacing, no limits, no store: what a person who knows
these libraries writes in an evening for one site.
"""

import argparse
import asyncio
import json
import ssl
from pathlib import Path
from typing import TextIO
from urllib.parse import urljoin

import aiohttp
from selectolax.lexbor import LexborHTMLParser

WORKERS = 16


class Crawl:
    def __init__(self, start: str, session: aiohttp.ClientSession, out: TextIO) -> None:
        self.below = start.rpartition("/")[0] + "/"
        self.session = session
        self.out = out
        self.known = {start}
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        self.queue.put_nowait(start)

    async def run(self) -> None:
        workers = [asyncio.create_task(self.work()) for _ in range(WORKERS)]
        await self.queue.join()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def work(self) -> None:
        while True:
            url = await self.queue.get()
            try:
                await self.visit(url)
            except (aiohttp.ClientError, TimeoutError) as error:
                print(f"{url}: {error!r}")
            finally:
                self.queue.task_done()

    async def visit(self, url: str) -> None:
        async with self.session.get(url) as response:
            if response.status != 200 or response.content_type != "text/html":
                return
            body = await response.read()
        page = LexborHTMLParser(body)
        title = page.css_first("title")
        item = {
            "url": url,
            "status": response.status,
            "title": title.text() if title else None,
        }
        self.out.write(json.dumps(item, ensure_ascii=False) + "\n")
        hrefs = {
            (node.attrs.get("href") or "").partition("#")[0]
            for node in page.css("a[href], area[href]")
        }
        for href in hrefs:
            target = urljoin(url, href)
            if target not in self.known and target.startswith(self.below):
                self.known.add(target)
                self.queue.put_nowait(target)


async def crawl(start: str, out: Path, ca_file: str | None) -> None:
    tls = ssl.create_default_context(cafile=ca_file)
    connector = aiohttp.TCPConnector(limit=WORKERS, ssl=tls)
    with out.open("w", encoding="utf-8") as file:
        async with aiohttp.ClientSession(connector=connector) as session:
            await Crawl(start, session, file).run()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("start")
    parser.add_argument("out", type=Path)
    parser.add_argument("--http2", action="store_true")
    parser.add_argument("--ca-file")
    options = parser.parse_args()
    asyncio.run(crawl(options.start, options.out, options.ca_file))


if __name__ == "__main__":
    main()
