"""HTTP/2 with many streams at a time, HTTP/1.1 over TLS, and a bad certificate."""

from __future__ import annotations

import gzip
from contextlib import ExitStack
from pathlib import Path

from crawler import Arg, Request, Response, Results, Spider
from tests.golden.recording import Recording
from tests.golden.records import Record
from tests.golden.secure import serving_securely
from tests.golden.site import Answer, Page, Site, links, redirect

PAGES = 24


class Secure(Spider):
    name = "secure"
    new: str = Arg(help="the base URL of a site with HTTP/2")
    old: str = Arg(help="the base URL of a site with HTTP/1.1")
    untrusted: str = Arg(help="the base URL of a site with a bad certificate")
    settings = {
        "crawl": {"workers": 8},
        "politeness": {"per_host": 8},
        "retry": {"attempts": 2, "wait": 0.02},
    }

    async def start(self) -> Results:
        yield Request(f"{self.new}/")
        yield Request(f"{self.old}/")
        yield Request(f"{self.untrusted}/")
        yield Request(f"{self.new}/form", method="POST", data={"q": "x" * 40_000})
        yield Request(f"{self.new}/feed", "lines", stream=True)

    async def parse(self, response: Response) -> Results:
        yield {
            "url": response.url,
            "version": response.http_version,
            "size": len(response.content),
        }
        yield response.follow_all("a")

    async def lines(self, response: Response) -> Results:
        async for line in response.aiter_lines():
            yield {"url": response.url, "line": line}


def tree() -> dict[str, Page]:
    pages: dict[str, Page] = {}
    for number in range(1, PAGES + 1):
        below = [n for n in (2 * number, 2 * number + 1) if n <= PAGES]
        text = links(*(f"/page/{n}" for n in below)) + "<p>text</p>" * 300 * number
        pages[f"/page/{number}"] = text
    return pages


def table() -> dict[str, Page]:
    return {
        **tree(),
        "/": links("/page/1", "/moved", "/zipped", "/missing", "/flaky", "/image"),
        "/form": "<p>thank you",
        "/feed": Answer("".join(f"line {n}\n" for n in range(20)), kind="text/plain"),
        "/moved": redirect("/behind", 301, Set_Cookie="moved=1; Path=/behind; Secure"),
        "/behind": "<p>behind</p>",
        "/zipped": Answer(
            gzip.compress(b"<p>zipped</p>" * 500, 0, mtime=0),
            headers={"Content-Encoding": "gzip"},
        ),
        "/missing": Answer("", 404),
        "/flaky": [Answer("", 500), "<p>better</p>"],
        "/image": Answer("", kind="image/png"),
    }


def crawl(folder: Path) -> Record:
    new, old = Site("new", table()), Site("old", {"/": links("/one"), "/one": "one"})
    untrusted = Site("untrusted", {"/": "page"})
    recording = Recording(folder, [new, old, untrusted])
    with ExitStack() as stack:
        serve = stack.enter_context
        trusted = serve(serving_securely(folder, [new]))
        second = serve(serving_securely(folder, [old], protocols=["http/1.1"]))
        serve(serving_securely(folder, [untrusted]))
        both = folder / "authorities.pem"
        both.write_text(trusted.read_text() + second.read_text())
        recording.run(
            "http2.py:Secure",
            *(f"-a{site.name}={site.url}" for site in recording.sites),
            *("-s", f"http.ca_file={both}", "-o", "items.jsonl"),
        )
        recording.run(
            "http2.py:Secure",
            *(f"-a{site.name}={site.url}" for site in recording.sites),
            *("-s", f"http.ca_file={both}", "-s", "http.http2=false"),
            *("--max-error-rate", "50%", "-o", "by-http1.jsonl"),
        )
    return recording.record()
