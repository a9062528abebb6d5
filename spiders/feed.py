"""A feed too long to be held in memory: JSON lines, an item as soon as its line is."""

import json

from crawler import Arg, Request, Response, Results, Spider


class Feed(Spider):
    name = "feed"
    url: str = Arg(help="the address of the feed, one JSON object a line")

    async def start(self) -> Results:
        yield Request(self.url, stream=True)

    async def parse(self, response: Response) -> Results:
        async for line in response.aiter_lines():
            if line.strip():
                yield json.loads(line)
