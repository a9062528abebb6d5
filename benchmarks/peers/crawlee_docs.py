"""Crawlee: its ParselCrawler (the faster of the two parsers), memory storage.

    python crawlee_docs.py START OUT [--http2 UNUSED] [--ca-file UNUSED]

Its default client, impit, is a browser's in Rust and picks HTTP/2 by itself. A fixed
concurrency spares it the ten-second steps of the autoscaler.
"""

import argparse
import asyncio
import json
import re
from pathlib import Path
from urllib.parse import urldefrag

from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.http_clients import ImpitHttpClient
from crawlee.storage_clients import MemoryStorageClient

WORKERS = 16


async def crawl(start: str, out: str) -> None:
    below = re.compile(re.escape(start.rpartition("/")[0] + "/"))
    crawler = ParselCrawler(
        storage_client=MemoryStorageClient(),
        http_client=ImpitHttpClient(verify=False),
        concurrency_settings=ConcurrencySettings(
            min_concurrency=WORKERS,
            max_concurrency=WORKERS,
            desired_concurrency=WORKERS,
        ),
    )

    @crawler.router.default_handler
    async def parse(context: ParselCrawlingContext) -> None:
        kind = context.http_response.headers.get("content-type", "")
        if not kind.startswith("text/html"):
            return
        title = context.selector.css("title::text").get()
        await context.push_data(
            {
                # It keeps the fragment of the first link to a page.
                "url": urldefrag(context.request.url).url,
                "status": context.http_response.status_code,
                "title": title,
            }
        )
        await context.enqueue_links(include=[below])

    await crawler.run([start])
    data = await crawler.get_data(limit=None)
    with Path(out).open("w", encoding="utf-8") as file:  # noqa: ASYNC230 - all done
        file.writelines(json.dumps(item) + "\n" for item in data.items)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("start")
    parser.add_argument("out")
    parser.add_argument("--http2", action="store_true")
    parser.add_argument("--ca-file")
    options = parser.parse_args()
    asyncio.run(crawl(options.start, options.out))


if __name__ == "__main__":
    main()
