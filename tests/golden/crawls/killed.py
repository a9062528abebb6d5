"""A crawl that is killed by SIGKILL and resumed, twice: its end is exact.

The site answers a set number of requests; the process dies while the next one waits.
"""

from __future__ import annotations

from pathlib import Path

from crawler import Arg, Request, Response, Results, Spider
from tests.golden.recording import Recording
from tests.golden.records import Record
from tests.golden.site import Answer, Asked, Page, Site, links, redirect, serving

PAGES, LINES, LISTED = 40, 1_200, 10
#: Requests that are answered before each kill.
KILLS = (9, 25)


class Killed(Spider):
    name = "killed"
    site: str = Arg(help="the base URL")
    item_key = "id"
    settings = {
        "crawl": {"workers": 4},
        "politeness": {"per_host": 4},
        "retry": {"attempts": 1},
    }

    async def start(self) -> Results:
        for number in range(LISTED):
            yield {"id": f"start {number}"}
            yield Request(f"{self.site}/listed/{number}", priority=-1)
        yield Request(f"{self.site}/page/1")

    async def parse(self, response: Response) -> Results:
        for letter in "ab":
            yield {"id": response.url + letter}
        yield response.follow_all("a.page")
        for link in response.css("a.feed"):
            yield response.follow(link, "lines", stream=True)

    async def lines(self, response: Response) -> Results:
        async for line in response.aiter_lines():
            yield {"id": line}


def walled(asked: Asked) -> Answer | str:
    if "seen=wall" in asked.header("cookie"):
        return "<title>behind the wall</title>"
    return redirect("/wall", Set_Cookie="seen=wall; Path=/")


def table() -> dict[str, Page]:
    pages: dict[str, Page] = {}
    for number in range(1, PAGES + 1):
        below = [n for n in (2 * number, 2 * number + 1, 1) if n <= PAGES]
        text = "".join(f'<a class="page" href="/page/{n}">{n}</a>' for n in below)
        if number == 5:
            text += '<a class="feed" href="/feed">feed</a>'
        pages[f"/page/{number}"] = f"<title>{number}</title>{text}"
    pages["/page/7"] = redirect("/moved/7")
    pages["/moved/7"] = links() + '<a class="page" href="/page/14">14</a>'
    pages["/page/9"] = Answer("gone", 404)
    pages["/page/11"] = walled
    pages["/wall"] = redirect("/page/11")
    pages |= {f"/listed/{number}": links() for number in range(LISTED)}
    lines = "".join(f"line {number}\n" for number in range(LINES))
    pages["/feed"] = Answer(lines, kind="text/plain")
    pages["/robots.txt"] = Answer(
        "User-agent: *\nDisallow: /page/13\n", kind="text/plain"
    )
    return pages


def crawl(folder: Path) -> Record:
    site = Site("site", table())
    recording = Recording(folder, [site], killed=True)
    with serving(site):
        command = ("killed.py:Killed", "-a", f"site={site.url}", "-o", "items.jsonl")
        for requests in KILLS:
            site.allow(requests)
            process = recording.start(*command)
            site.wait_for_held()
            process.kill()
            process.communicate()
        site.allow(float("inf"))
        recording.run(*command)
    return recording.record()
