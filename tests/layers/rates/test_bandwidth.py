"""The bandwidth of a crawl: received bytes are counted, and bodies stay complete."""

import asyncio
import gzip

from crawler import Request, Response, Results, Spider, crawl
from crawler.layers.rates.bandwidth import Bandwidth
from crawler.testing import FakeSite

SITE = "https://site.example/"
PAGE = b"<title>whole</title>" + b"x" * 200_000


class Sizes(Spider):
    name = "sizes"

    async def start(self) -> Results:
        yield Request(f"{SITE}packed")
        yield Request(f"{SITE}plain", self.stream, stream=True)

    def parse(self, response: Response) -> list[dict[str, int]]:
        return [{"size": len(response.content)}]

    async def stream(self, response: Response) -> Results:
        yield {"size": sum([len(piece) async for piece in response.aiter_bytes()])}


def test_a_metered_body_is_complete_when_read_decoded_or_streamed() -> None:
    packed = gzip.compress(PAGE)
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/html"}
    site = FakeSite({f"{SITE}packed": (200, headers, packed), f"{SITE}plain": PAGE})

    report = crawl(Sizes, {"politeness": {"bandwidth": "50 MB"}}, transport=site)

    assert report.items == [{"size": len(PAGE)}] * 2
    assert report.bytes == len(packed) + len(PAGE)


async def test_used_bandwidth_delays_the_next_reader() -> None:
    bandwidth = Bandwidth(1_000)
    loop = asyncio.get_running_loop()
    started = loop.time()

    await bandwidth.spend(100)
    await bandwidth.spend(100)

    # At least, so that no load fails it: the second hundred is a tenth of a second.
    assert loop.time() - started >= 0.09
