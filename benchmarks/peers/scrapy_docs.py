"""Scrapy: its defaults, without pace limits and without a log line for each page.

    python scrapy_docs.py START OUT [--tuned] [--http2] [--ca-file UNUSED]

Links are followed as Scrapy's documentation does it, by its LinkExtractor; with
--tuned by a callback that spares it most of its work.
"""

import argparse
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any
from urllib.parse import urldefrag

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors import LinkExtractor


class Docs(scrapy.Spider):
    name = "docs"

    def __init__(self, start: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first = start
        self.below = start.rpartition("/")[0] + "/"
        self.extractor = LinkExtractor(allow="^" + re.escape(self.below))

    async def start(self) -> AsyncIterator[Any]:
        # start_urls would pass the duplicate filter by: the page would come twice.
        yield scrapy.Request(self.first)

    def parse(self, response: Response) -> Iterator[Any]:
        if not isinstance(response, HtmlResponse):
            return
        yield {
            # The HTTP/2 handler leaves the fragment of the first link to a page in.
            "url": urldefrag(response.url).url,
            "status": response.status,
            "title": response.css("title::text").get(),
        }
        for url in self.links(response):
            yield scrapy.Request(url)

    def links(self, response: HtmlResponse) -> Iterable[str]:
        return (link.url for link in self.extractor.extract_links(response))


class TunedDocs(Docs):
    def links(self, response: HtmlResponse) -> Iterable[str]:
        hrefs = response.css("a::attr(href), area::attr(href)").getall()
        for href in {href.partition("#")[0] for href in hrefs}:
            url = response.urljoin(href)
            if href and url.startswith(self.below):
                yield url


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("start")
    parser.add_argument("out")
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--http2", action="store_true")
    parser.add_argument("--ca-file")
    options = parser.parse_args()
    settings: dict[str, Any] = {
        "CONCURRENT_REQUESTS_PER_DOMAIN": 16,  # as CONCURRENT_REQUESTS
        "LOG_LEVEL": "INFO",
        "ROBOTSTXT_OBEY": False,
        "FEEDS": {options.out: {"format": "jsonlines", "overwrite": True}},
    }
    if options.http2:
        settings["DOWNLOAD_HANDLERS"] = {
            "https": "scrapy.core.downloader.handlers.http2.H2DownloadHandler"
        }
    process = CrawlerProcess(settings)
    process.crawl(TunedDocs if options.tuned else Docs, start=options.start)
    process.start()


if __name__ == "__main__":
    main()
