"""429 and 503: a paused host, Retry-After, and a single page that is refused."""

from __future__ import annotations

from pathlib import Path

from crawler import Arg, Request, Response, Results, Spider
from tests.golden.recording import Recording
from tests.golden.records import Record
from tests.golden.site import Answer, Page, Site, links, serving


class Throttled(Spider):
    name = "throttled"
    sites: list[str] = Arg(help="base URLs")
    settings = {
        "crawl": {"workers": 1},
        "politeness": {"robots": False},
        "retry": {"attempts": 2, "wait": 0.05, "retry_after_max": 1},
    }

    async def start(self) -> Results:
        for site in self.sites:
            yield Request(f"{site}/")

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_all("a")


def refusal(status: int, after: str = "") -> Answer:
    return Answer("slow down", status, {"Retry-After": after} if after else {})


def tables() -> dict[str, dict[str, Page]]:
    return {
        # The whole host refuses: more refusals than attempts use up none.
        "resting": {
            "/": [*[refusal(429)] * 3, links("/a", "/b")],
            "/a": "a",
            "/b": "b",
        },
        "seconds": {"/": [refusal(429, "1"), links("/a")], "/a": "a"},
        "capped": {"/": [refusal(503, "7200"), "page"]},
        "dated": {"/": [refusal(503, "Wed, 21 Oct 2015 07:28:00 GMT"), "page"]},
        "nonsense": {"/": [refusal(503, "soon"), "page"]},
        # The host answers; what one page refuses uses up its attempts.
        "one-page": {
            "/": links("/good/1", "/refuses", "/good/2"),
            "/good/1": "good",
            "/good/2": "good",
            "/refuses": refusal(429),
        },
    }


def crawl(folder: Path) -> Record:
    sites = [Site(name, pages) for name, pages in tables().items()]
    recording = Recording(folder, sites)
    with serving(*sites):
        recording.run(
            "throttling.py:Throttled",
            *("-a", "sites=" + ",".join(site.url for site in sites)),
            *("-o", "items.jsonl"),
        )
    return recording.record()
