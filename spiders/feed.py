"""Reads a feed of JSON lines that is too large for memory: each line is one item.

crawl run feed -a url=https://feed.example/all.jsonl
"""

import json

from crawler import Arg, Request, Response, Results, Spider


class Feed(Spider):
    name = "feed"
    url: str = Arg(help="the URL of the feed, with one JSON object on each line")

    async def start(self) -> Results:
        yield Request(self.url, stream=True)

    async def parse(self, response: Response) -> Results:
        async for line in response.aiter_lines():
            if line.strip():
                yield json.loads(line)
