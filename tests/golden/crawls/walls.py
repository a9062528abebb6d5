"""Cookie walls: passed once, met again without the cookie, never passed."""

from __future__ import annotations

from pathlib import Path

from crawler import Arg, Response, Results, Spider
from tests.golden.recording import Recording
from tests.golden.records import Record
from tests.golden.site import Answer, Asked, Page, Site, links, redirect, serving


class Walls(Spider):
    name = "walls"
    site: str = Arg(help="the base URL")
    path: str = Arg("/", help="where to begin")
    # A page that waits for its wall is asked again after the wall, and not before.
    settings = {"crawl": {"workers": 1}, "retry": {"wait": 0.4}}

    @property
    def start_urls(self) -> list[str]:
        return [self.site + self.path]

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url, "title": response.css("title")[0].text()}
        yield response.follow_all("a")


def has(asked: Asked, cookie: str) -> bool:
    return cookie in asked.header("cookie").split("; ")


def consented(title: str, *paths: str) -> str:
    return f"<title>{title}</title>" + links(*paths)


def home(asked: Asked) -> Answer | str:
    """A page behind a wall that leads back to the page itself."""
    if not has(asked, "consent=yes"):
        return redirect("/consent")
    return consented("home", "/1", "/2", "/3")


def numbered(asked: Asked) -> Answer | str:
    """A page behind the same wall, which leads to the home page."""
    if not has(asked, "consent=yes"):
        return redirect("/consent")
    return consented(f"page {asked.path}", "/mirror")


def mirror(asked: Asked) -> Answer | str:
    """A page that leads to itself until it has its cookie."""
    if not has(asked, "seen=mirror"):
        return redirect("/mirror", Set_Cookie="seen=mirror; Path=/")
    return consented("mirror", "/members/1")


def member(asked: Asked) -> Answer | str:
    """A page for those with a pass; page 2 takes the pass away."""
    if not has(asked, "pass=1"):
        return redirect("/gate")
    number = int(asked.path.rpartition("/")[2])
    fields = {"Set-Cookie": "pass=; Max-Age=0; Path=/"} if number == 2 else {}
    onward = (f"/members/{number + 1}",) if number < 4 else ("/closed",)
    return Answer(consented(f"member {number}", *onward), headers=fields)


def table() -> dict[str, Page]:
    return {
        "/": home,
        "/consent": redirect("/", Set_Cookie="consent=yes; Path=/"),
        **{f"/{number}": numbered for number in (1, 2, 3)},
        "/mirror": mirror,
        **{f"/members/{number}": member for number in range(1, 5)},
        "/gate": redirect("/members/1", Set_Cookie="pass=1; Path=/; Max-Age=600"),
        # The wall lets through those only who keep a cookie it never sets.
        "/closed": redirect("/turnstile"),
        "/turnstile": redirect("/closed", Set_Cookie="wrong=1; Path=/"),
    }


def crawl(folder: Path) -> Record:
    site = Site("site", table())
    recording = Recording(folder, [site], ordered=True)
    with serving(site):
        recording.run("walls.py:Walls", "-a", f"site={site.url}", "-o", "items.jsonl")
    return recording.record()
