"""Retried requests: statuses, broken bodies, resets, silence, dead hosts."""

from __future__ import annotations

import socket
from pathlib import Path

from crawler import Arg, Request, Response, Results, Spider
from tests.golden.recording import Recording
from tests.golden.records import Record
from tests.golden.site import Answer, Page, Site, serving


class Retries(Spider):
    name = "retries"
    asked: list[str] = Arg(help="what is asked")
    settings = {
        "crawl": {"workers": 1},
        "http": {"read": 1.5},
        "retry": {"attempts": 3, "wait": 0.02},
    }

    async def start(self) -> Results:
        for url in self.asked:
            yield Request(url)

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url, "text": response.text}


#: Statuses that are tried again, and some that are not.
STATUSES = (408, 425, 500, 502, 504, 400, 403, 501)


def tables() -> dict[str, dict[str, Page]]:
    torn = Answer("a long body that ends early", torn=True)
    return {
        "flaky": {
            **{f"/{code}": [Answer("no", code), "yes"] for code in STATUSES},
            "/thrice": [Answer("no", 500), Answer("no", 502), Answer("no", 500), "yes"],
            "/twice": [Answer("no", 500), Answer("no", 502), "yes"],
            "/torn": [torn, "whole"],
            "/always-torn": torn,
            "/mixed": [Answer("no", 500), torn, "whole"],
            "/after": [Answer("later", 500, {"Retry-After": "0"}), "yes"],
        },
        "reset": {"/once": [Answer(reset=True), "yes"]},
        "resetting": {"/always": Answer(reset=True)},
        "silent": {"/once": [Answer(silent=True), "yes"]},
    }


def crawl(folder: Path) -> Record:
    sites = [Site(name, pages) for name, pages in tables().items()]
    with serving(*sites), socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # a port at which nobody listens
        host = f"127.0.0.1:{dead.getsockname()[1]}"
        recording = Recording(folder, sites, names={host: "dead"})
        urls = [f"{site.url}{path}" for site in sites for path in site.pages]
        recording.run(
            "retries.py:Retries",
            *("-a", "asked=" + ",".join([*urls, f"http://{host}/"])),
            *("-o", "items.jsonl"),
        )
    return recording.record()
