"""Redirects: each status, chains, loops, targets that are refused, forms."""

from __future__ import annotations

from pathlib import Path

from crawler import Arg, Request, Response, Results, Spider
from tests.golden.recording import Recording
from tests.golden.records import Record
from tests.golden.site import Page, Site, links, redirect, serving

STATUSES = (301, 302, 303, 307, 308)


class Redirects(Spider):
    name = "redirects"
    site: str = Arg(help="the base URL")
    moved: str = Arg(help="the base URL of a site that has moved")
    settings = {"crawl": {"workers": 1}, "retry": {"wait": 0.3}}

    async def start(self) -> Results:
        yield Request(f"{self.site}/")
        yield Request(f"{self.moved}/old", meta={"from": "start"}, priority=3)

    async def parse(self, response: Response) -> Results:
        yield {
            "url": response.url,
            "title": response.css("title")[0].text(),
            "meta": response.meta,
        }
        if response.url == f"{self.site}/":
            for status in (302, 303, 307, 308):
                yield Request(f"{self.site}/form/{status}", "posted", data={"q": "a b"})
            yield Request(f"{self.site}/form/away", "posted", data={"q": "secret"})
            yield Request(
                f"{self.site}/headers",
                "posted",
                method="HEAD",
                headers={"X-Golden": "kept"},
            )
        yield response.follow_all("a", meta={"from": response.url})

    async def posted(self, response: Response) -> Results:
        yield {"url": response.url, "method": response.request.method}


def page(title: str) -> str:
    return f"<title>{title}</title>"


FIRST: dict[str, Page] = {
    "/": links(
        *(f"/moved/{status}" for status in STATUSES),
        "/chain/1",
        "/long/1",
        "/loop/1",
        "/self",
        "/known",
        "/nowhere",
        "/ftp",
        "/script",
        "/broken",
        "/away",
        "/private",
        "/fragment",
        "/folder/relative",
        "/query",
    ),
    **{f"/moved/{code}": redirect(f"/at/{code}", code) for code in STATUSES},
    **{f"/at/{code}": page(f"at {code}") for code in STATUSES},
    **{f"/chain/{n}": redirect(f"/chain/{n + 1}", 301) for n in (1, 2, 3)},
    "/chain/4": page("the end of the chain"),
    **{f"/long/{n}": redirect(f"/long/{n + 1}") for n in range(1, 14)},
    "/loop/1": redirect("/loop/2"),
    "/loop/2": redirect("/loop/3"),
    "/loop/3": redirect("/loop/1"),
    "/self": redirect("/self"),
    "/known": redirect("/"),
    "/nowhere": redirect(""),
    "/ftp": redirect("ftp://files.example/a"),
    "/script": redirect("javascript:alert(1)"),
    "/broken": redirect("http://[1"),
    "/away": redirect("{second}/at/away"),
    "/private": redirect("http://10.0.0.1/secret"),
    "/fragment": redirect("/at/fragment#part"),
    "/at/fragment": page("behind a fragment"),
    "/folder/relative": redirect("../at/./relative"),
    "/at/relative": page("relative"),
    "/query": redirect("?a=1&b=%20"),
    "/query?a=1&b=%20": page("query"),
    **{f"/form/{code}": redirect(f"/answer/{code}", code) for code in STATUSES},
    **{f"/answer/{code}": page("answer") for code in STATUSES},
    "/form/away": redirect("{second}/answer", 307),
    "/headers": redirect("/headers/new"),
    "/headers/new": page("headers"),
}
SECOND: dict[str, Page] = {"/at/away": page("never"), "/answer": page("never")}
MOVED: dict[str, Page] = {"/old": redirect("{third}/new", 301)}
THIRD: dict[str, Page] = {"/new": links("/inside", "{first}/at/301")}


def crawl(folder: Path) -> Record:
    first, moved = Site("first", FIRST), Site("moved", MOVED)
    sites = (first, moved, Site("second", SECOND), Site("third", THIRD))
    recording = Recording(folder, sites)
    with serving(*sites):
        recording.run(
            "redirects.py:Redirects",
            *("-a", f"site={first.url}", "-a", f"moved={moved.url}"),
            *("-o", "items.jsonl"),
        )
    return recording.record()
