"""A crawl that comes to know a million URLs: how much memory it takes in all.

    python -m benchmarks.million [--pages 10000] [--links 100] [--hosts 1 20000]
        [--postgresql]

Every page has `--links` links that nobody has seen, spread over the hosts; they come
from memory, so that the whole of it, engine, frontier, store and sink, is ours. The
store is durable: SQLite's, or with `--postgresql` that of a server that is started for
the benchmark, whose CPU is shown, too. Each number of hosts is a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext

import httpx

from benchmarks.shared_store import server_seconds
from crawler import Response, Results, Spider, crawl
from crawler.settings import Layer, build
from tests.postgres import serving


class Pages(httpx.AsyncBaseTransport):
    """Page number n links to the pages n * links + 1 and on."""

    def __init__(self, links: int, hosts: int) -> None:
        self._links = links
        self._hosts = hosts

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        first = int(request.url.path[1:] or 0) * self._links + 1
        numbers = range(first, first + self._links)
        hosts = self._hosts
        links = [f"<a href='http://h{n % hosts}.example/{n}'>x</a>" for n in numbers]
        return httpx.Response(
            200,
            headers={"content-type": "text/html"},
            stream=Body("".join(links).encode()),
        )


class Body(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


class Wide(Spider):
    name = "wide"
    scope = "none"
    start_urls = ["http://h0.example/0"]

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_links()


def measure(pages: int, links: int, hosts: int, url: str | None) -> None:
    """Crawl, and print a row of the table."""
    server = server_seconds()
    with tempfile.TemporaryDirectory() as folder:
        settings = build(
            [
                Layer(
                    "benchmark",
                    {
                        "politeness": {"rate": 0, "robots": False},
                        "storage": {"url": url} if url else {"dir": folder},
                    },
                )
            ]
        )
        before, begun = time.process_time(), time.monotonic()
        report = crawl(
            Wide,
            settings,
            transport=Pages(links, hosts),
            job="wide",
            pages=pages,
            outputs=(f"{folder}/out.jsonl",),
        )
    cpu = (time.process_time() - before) / report.found * 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.monotonic() - begun
    server = (server_seconds() - server) / report.found * 1e6
    print(
        f"| {report.found:,} | {hosts:,} | {report.pages:,} | {peak:.0f} | {cpu:.0f} "
        f"| {server:.0f} | {seconds:.0f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--links", type=int, default=100)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 1_000, 20_000])
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        hosts = arguments.hosts[0]
        measure(arguments.pages, arguments.links, hosts, arguments.url)
        return
    print(
        "| URLs known | hosts | pages | peak RSS, MB | CPU a URL, µs "
        "| PostgreSQL's CPU a URL, µs | seconds |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|", flush=True)
    command = [sys.executable, "-m", "benchmarks.million", "--inside"]
    command += ["--pages", str(arguments.pages), "--links", str(arguments.links)]
    with serving() if arguments.postgresql else nullcontext() as database:
        if database is not None:
            command += ["--url", database.uri]
        for hosts in arguments.hosts:
            subprocess.run([*command, "--hosts", str(hosts)], check=True)


if __name__ == "__main__":
    main()
