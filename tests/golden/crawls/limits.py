"""Limits of pages, items, depth, links, bodies, heads; filters; exit codes."""

from __future__ import annotations

import gzip
from pathlib import Path

from crawler import Arg, Request, Response, Results, Spider
from tests.golden.recording import Recording
from tests.golden.records import Record
from tests.golden.site import Answer, Page, Site, links, serving


class Chain(Spider):
    """A page leads to the next one only, so that its order is known."""

    name = "chain"
    site: str = Arg(help="the base URL")
    settings = {"crawl": {"workers": 1}, "retry": {"attempts": 1}}

    @property
    def start_urls(self) -> list[str]:
        return [f"{self.site}/chain/1"]

    async def parse(self, response: Response) -> Results:
        for letter in "ab":
            yield {"id": response.url + letter}
        yield response.follow_all("a")


class Filtered(Spider):
    """Follows links that filters judge."""

    name = "filtered"
    site: str = Arg(help="the base URL")
    settings = Chain.settings

    @property
    def start_urls(self) -> list[str]:
        return [f"{self.site}/links"]

    async def parse(self, response: Response) -> Results:
        yield {"id": response.url}
        yield response.follow_all("a", allow=["*/ok/*", "*/more/*"], deny=["*/denied"])
        yield response.follow("/by-hand")
        yield response.follow("http://10.1.2.3/a-link")
        # Requests that a spider builds itself are not judged by filters.
        yield Request(f"{self.site}/ok/asked", depth=7)
        yield Request("http://10.1.2.3/private")
        yield Request("http://127.0.0.1:25/mail")


class Bodies(Spider):
    """Asks for what no crawler should swallow."""

    name = "bodies"
    site: str = Arg(help="the base URL")
    settings = {
        **Chain.settings,
        "http": {
            "max_body": 100_000,
            "max_decoded": 1_500_000,
            "max_ratio": 50,
            "max_headers": 8_192,
            "max_header_count": 60,
        },
    }

    async def start(self) -> Results:
        for path in BODIES:
            yield Request(self.site + path)

    async def parse(self, response: Response) -> Results:
        yield {"id": response.url, "size": len(response.content)}


def zipped(data: bytes, times: int = 1, level: int = 9) -> Answer:
    """A compressed page; by level 0 it has the same size with any zlib."""
    for _ in range(times):
        data = gzip.compress(data, level, mtime=0)
    return Answer(data, headers={"Content-Encoding": ", ".join(["gzip"] * times)})


BODIES: dict[str, Page] = {
    "/body/plain": "<p>plain",
    "/body/announced": Answer(bytes(100_001)),
    "/body/bomb": zipped(bytes(1_400_000)),
    "/body/large-inside": zipped(bytes(range(256)) * 6_000),
    "/body/twice": zipped(b"<p>twice", 2, level=0),
    "/body/thrice": zipped(b"<p>thrice", 3),
    "/body/cut": Answer(
        gzip.compress(b"<p>cut", mtime=0)[:-9], headers={"Content-Encoding": "gzip"}
    ),
    "/body/not-zipped": Answer("<p>plain", headers={"Content-Encoding": "gzip"}),
    "/body/unknown": Answer("<p>plain", headers={"Content-Encoding": "rot13"}),
    "/head/long": Answer("<p>", headers={"X-Long": "x" * 9_000}),
    "/head/many": Answer("<p>", headers={f"X-{n}": "x" for n in range(70)}),
    "/head/type": Answer("<p>", kind="application/zip"),
    "/head/none": Answer("<p>", kind=""),
}


def table() -> dict[str, Page]:
    found: dict[str, Page] = dict(BODIES)
    for number in range(1, 12):
        onward = [f"/chain/{number + 1}"] if number < 11 else []
        found[f"/chain/{number}"] = links(*onward)
    found["/links"] = links(
        *(f"/ok/{number}" for number in range(4)),
        "/ok/denied",
        "/other",
        "/ok/" + "long" * 60,
        "{second}/ok/away",
        "mailto:ok@ok.example",
        "/ok/0#again",
    )
    found["/ok/1"] = links("/more/1", "/ok/2")
    found["/more/1"] = links("/more/2")
    for path in ("/ok/0", "/ok/2", "/more/2", "/ok/asked"):
        found[path] = "<p>page</p>"
    return found


def crawl(folder: Path) -> Record:
    site, second = Site("site", table()), Site("second", {})
    recording = Recording(folder, [site, second], ordered=True)
    with serving(site, second):
        given = ("-a", f"site={site.url}")

        def run(spider: str, job: str, *options: str) -> None:
            more = ("--job", job, "-o", f"{job}.jsonl", *options)
            recording.run(f"limits.py:{spider}", *given, *more)

        run("Chain", "items", "--items", "5")
        run("Chain", "pages", "--pages", "4")
        run("Chain", "depth", "-s", "crawl.depth=2", "--min-items", "7")
        filters = ("-s", "http.max_url=200", "-s", "http.max_links=8")
        run("Filtered", "filters", *filters, "-s", "crawl.depth=1")
        run("Bodies", "bodies")
        (folder / "foreign.jsonl").write_text('{"id": "of others"}\n')
        run("Chain", "foreign")
    return recording.record()
