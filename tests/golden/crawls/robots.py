"""robots.txt: rules, groups, redirects, and files that cannot be fetched."""

from __future__ import annotations

from pathlib import Path

from crawler import Arg, Request, Response, Results, Spider
from tests.golden.recording import Recording
from tests.golden.records import Record
from tests.golden.site import Answer, Page, Site, links, redirect, serving


class Robots(Spider):
    name = "robots"
    sites: list[str] = Arg(help="base URLs")
    settings = {
        "crawl": {"workers": 1},
        "retry": {"attempts": 2, "wait": 0.05},
    }

    async def start(self) -> Results:
        for site in self.sites:
            yield Request(f"{site}/", errback="failed")

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_all("a")

    async def failed(self, failure: object) -> Results:
        yield {"failed": failure.request.url, "reason": failure.reason}  # type: ignore[attr-defined]


RULES = """\
# For others.
User-agent: another
Disallow: /

User-agent: crawler
Disallow: /private/
Allow: /private/public
Disallow: /*.pdf$
Disallow: /search?
Disallow: /moved-to
Crawl-delay: 0.02

User-agent: *
Disallow: /

Sitemap: {rules}/sitemap.xml
"""
LINKS = (
    "/private/a",
    "/private/public",
    "/file.pdf",
    "/file.pdf?page=1",
    "/search?q=1",
    "/search",
    "/lead",
)


def robots(text: str) -> Answer:
    return Answer(text, kind="text/plain")


def tables() -> dict[str, dict[str, Page]]:
    page = "<title>page</title>"
    return {
        "rules": {
            "/robots.txt": robots(RULES),
            "/": links(*LINKS),
            "/private/public": page,
            "/file.pdf?page=1": page,
            "/search": page,
            "/lead": redirect("/moved-to"),
            "/moved-to": page,
        },
        "none": {"/": links("/private/a"), "/private/a": page},
        "closed": {"/robots.txt": robots("User-agent: *\nDisallow: /\n"), "/": page},
        "refused": {"/robots.txt": Answer("no", 403), "/": page},
        "broken": {"/robots.txt": Answer("oops", 500), "/": page},
        "repaired": {
            "/robots.txt": [
                Answer("oops", 503),
                robots("User-agent: *\nDisallow: /x\n"),
            ],
            "/": links("/x", "/y"),
            "/y": page,
        },
        "elsewhere": {
            "/robots.txt": redirect("{closed}/robots.txt"),
            "/": page,
        },
        "circle": {"/robots.txt": redirect("/robots.txt"), "/": page},
        "garbage": {"/robots.txt": Answer(b"\xff\xfe\x00garbage" * 9), "/": page},
    }


def crawl(folder: Path) -> Record:
    sites = [Site(name, pages) for name, pages in tables().items()]
    recording = Recording(folder, sites)
    with serving(*sites):
        given = ",".join(site.url for site in sites)
        recording.run("robots.py:Robots", "-a", f"sites={given}", "-o", "items.jsonl")
        recording.run(
            "robots.py:Robots",
            *("-a", f"sites={sites[2].url}", "-o", "ignored.jsonl"),
            *("-s", "politeness.robots=false"),
        )
    return recording.record()
