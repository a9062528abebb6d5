"""A small site on loopback that can hold its responses back, and `crawl` as a
process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Longer than anything here takes: a test that hangs fails.
PATIENCE = 30.0


@dataclass
class Site:
    """Pages by path; those in `held` are answered only once they are released."""

    pages: Mapping[str, str | tuple[int, str]]
    held: Mapping[str, threading.Event] = field(default_factory=dict)
    url: str = ""
    #: Paths in the order in which they were asked for, robots.txt aside.
    asked: list[str] = field(default_factory=list)
    #: Set when a held page has been asked for.
    waiting: threading.Event = field(default_factory=threading.Event)


def wait_for_request(site: Site, process: subprocess.Popen[str]) -> None:
    """Return when a held page was asked for; fail when the process ends instead."""
    while not site.waiting.wait(0.02):
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1])


@contextmanager
def serving(
    pages: Mapping[str, str | tuple[int, str]], *, hold: tuple[str, ...] = ()
) -> Iterator[Site]:
    """Serve `pages` while the block runs; what is still held then is let go."""
    site = Site(pages, {path: threading.Event() for path in hold})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = _answer(site, self.path)
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A crawl that was stopped hangs up: that is no error."""

    server = Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield site
    finally:
        for event in site.held.values():
            event.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(site: Site, path: str) -> tuple[int, str]:
    if path == "/robots.txt":
        return 404, ""
    site.asked.append(path)
    if path in site.held:
        site.waiting.set()
        site.held[path].wait(PATIENCE)
    found = site.pages.get(path, (404, "nothing here"))
    return (200, found) if isinstance(found, str) else found


SPIDER = """\
from crawler import Arg, Response, Results, Spider


class Books(Spider):
    name = "books"
    start_urls = ["{url}/"]
    shelf: str = Arg("fiction", help="which shelf")

    async def parse(self, response: Response) -> Results:
        yield {{"url": response.url, "title": response.css("h1")[0].text()}}
        yield response.follow_all("a")
"""


def write_spider(folder: Path, url: str, name: str = "books.py") -> Path:
    """A project with one spider for the site at `url`."""
    path = folder / "spiders" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(SPIDER.format(url=url), encoding="utf-8")
    return path


#: Three pages, each with one item.
SHOP = {
    "/": "<h1>Shop</h1><a href=/one>1</a><a href=/two>2</a>",
    "/one": "<h1>One</h1>",
    "/two": "<h1>Two</h1>",
}


def environment(**more: str) -> dict[str, str]:
    """That of the tests, with the package in it."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def crawl(
    folder: Path, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run `crawl` as a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "crawler.cli", *arguments],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def starting(
    folder: Path, *arguments: str, module: str = "crawler.cli"
) -> Iterator[subprocess.Popen[str]]:
    """`crawl` as a process that the block talks to; it does not outlive the block."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
