"""A site of many hosts on loopback; its log records which client sent each request, and
when.

Pages `/N` of host H link to two further pages there, to the same page of the next host,
and to page 0 of a host that is linked nowhere else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path


@dataclass
class TeamSite:
    hosts: int
    pages: int
    #: How many of the hosts have pages that link to each other.
    linked: int
    port: int = 0
    #: (monotonic time, host, path), robots.txt among them.
    log: list[tuple[float, str, str]] = field(default_factory=list)
    #: The port of the client, by time and host.
    clients: dict[tuple[float, str], int] = field(default_factory=dict)

    def name(self, host: int) -> str:
        """Each host has an address of its own, and is a site of its own."""
        return f"127.0.0.{host + 1}:{self.port}"

    def page(self, host: int, number: int) -> str:
        links = [2 * number + 1, 2 * number + 2]
        inside = [link for link in links if link < self.pages]
        here = "".join(f"<a href=/{link}>{link}</a>" for link in inside)
        there = f"http://{self.name((host + 1) % self.linked)}/{number}"
        return f"<h1>h{host}/{number}</h1>{here}<a href={there}>next</a>"

    @property
    def all_titles(self) -> list[str]:
        return sorted(
            f"h{host}/{number}"
            for host in range(self.linked)
            for number in range(self.pages)
        )

    def gaps(self, around: float | None = None) -> list[float]:
        """The times between two requests to each host, or those of half a second."""
        found = []
        for host in range(self.hosts):
            name = self.name(host)
            times = sorted(at for at, where, _ in self.log if where == name)
            found += [
                later - before
                for before, later in pairwise(times)
                if around is None or around <= later <= around + 0.5
            ]
        return found

    def gaps_between_clients(self) -> list[float]:
        """The times between two requests to each host on different connections: how
        one process follows another, even if the machine is busy with others."""
        found = []
        for host in range(self.hosts):
            name = self.name(host)
            times = sorted(at for at, where, _ in self.log if where == name)
            found += [
                later - before
                for before, later in pairwise(times)
                if self.clients[before, name] != self.clients[later, name]
            ]
        return found

    def asked_robots(self) -> list[str]:
        return [host for _, host, path in self.log if path == "/robots.txt"]


@contextmanager
def serving_team(
    hosts: int, pages: int, robots: str = "", *, linked: int | None = None
) -> Iterator[TeamSite]:
    site = TeamSite(hosts, pages, linked or hosts)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = self.headers["Host"]
            now = time.monotonic()
            site.clients[now, name] = self.client_address[1]
            site.log.append((now, name, self.path))
            status, body = 200, robots
            if self.path == "/robots.txt":
                status = 200 if robots else 404
            else:
                host = int(name.partition(":")[0].rpartition(".")[2]) - 1
                number = int(self.path[1:].partition("?")[0])
                body = site.page(host, number)
            data = body.encode()
            self.send_response(status)
            kind = "text/plain" if self.path == "/robots.txt" else "text/html"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            """A crawl that was killed hangs up: that is no error."""

    first = Server(("127.0.0.1", 0), Handler)
    site.port = first.server_port
    others = [(f"127.0.0.{host + 1}", site.port) for host in range(1, hosts)]
    servers = [first, *(Server(address, Handler) for address in others)]
    threads = [
        threading.Thread(target=it.serve_forever, args=(0.02,)) for it in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield site
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


SPIDER = """\
from crawler import Response, Results, Spider


class Team(Spider):
    name = "team"
    start_urls = ["http://127.0.0.1:{port}/0"]
    scope = "none"
    settings = {{
        "politeness": {{"rate": {rate}, "per_host": 1}},
        "http": {{"private_networks": True}},
    }}

    async def parse(self, response: Response) -> Results:
        yield {{"title": response.css("h1")[0].text()}}
        yield response.follow_all("a")
"""


#: Every fifth page fetches one more: of the last host, or of the next one.
FETCHES = """
        number = int(response.url.rpartition("/")[2])
        if number % 5 == 0:
            other = await self.fetch(f"{{self.other(response)}}?of={{response.url}}")
            yield {{"title": "fetched " + other.css("h1")[0].text()}}

    def other(self, response):
        if {is_mutual}:
            return response.css("a")[-1].attr("href")
        return "http://127.0.0.{last}:{port}/0"
"""


def write_team_spider(
    folder: Path, site: TeamSite, rate: float, *, fetches: str = ""
) -> None:
    """`fetches`: "shared" or "mutual"."""
    text = SPIDER.format(port=site.port, rate=rate)
    if fetches:
        text += FETCHES.format(
            port=site.port, last=site.hosts, is_mutual=fetches == "mutual"
        )
    path = folder / "spiders" / "team.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
