"""Cookies: which are kept, where they are sent, and sessions that share none.

The pages are a chain, so that the order of requests is that of the links.
"""

from __future__ import annotations

from pathlib import Path

from crawler import Request, Response, Results, Spider
from crawler.testing import FakeSite, Page
from tests.golden import faked
from tests.golden.recording import Recording
from tests.golden.records import Record

SHOP = "https://shop.example"
#: One cookie for each page of the chain.
SET = (
    "plain=1",
    "everywhere=2; Domain=shop.example; Path=/",
    "safe=3; Secure; HttpOnly; SameSite=Strict; Path=/",
    "deep=4; Path=/deep",
    "lasting=5; Max-Age=3600; Path=/",
    "dated=6; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Path=/",
    "past=7; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Path=/",
    "foreign=8; Domain=other.example",
    "suffix=9; Domain=example",
    "__Host-mine=10; Secure; Path=/",
    "__Host-bad=11; Secure; Path=/; Domain=shop.example",
    "__Secure-bad=12; Path=/",
    'quoted="1 3"; Path=/',
    "lonely",
    "=nameless",
    "plain=overwritten",
    "lasting=; Max-Age=0; Path=/",
    "bad\x01name=18",
)
#: What is asked at the end, one after the other, and in which session.
PROBES = (
    (f"{SHOP}/", ""),
    (f"{SHOP}/deep/er", ""),
    (f"{SHOP}/deeper", ""),
    ("https://www.shop.example/", ""),
    ("http://shop.example/", ""),
    ("https://other.example/", ""),
    (f"{SHOP}/login?user=ann", "ann"),
    (f"{SHOP}/login?user=ben", "ben"),
    (f"{SHOP}/account?of=ann", "ann"),
    (f"{SHOP}/account?of=ben", "ben"),
    (f"{SHOP}/account?of=nobody", ""),
)


class Cookies(Spider):
    name = "cookies"
    start_urls = (f"{SHOP}/set/0",)
    scope = "none"
    settings = {"crawl": {"workers": 1}, "politeness": {"robots": False}}

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url, "set": response.cookies}
        if links := response.links("a"):
            yield Request(links[0])
        else:
            yield probe(0)

    async def probed(self, response: Response) -> Results:
        yield {"url": response.url, "set": response.cookies}
        number = response.meta["number"] + 1
        if number < len(PROBES):
            yield probe(number)


def probe(number: int) -> Request:
    url, session = PROBES[number]
    return Request(
        url,
        "probed",
        meta={"number": number},
        session=session,
        cookies={"own": "yes"} if number % 2 else None,
        once=False,
    )


def pages() -> dict[str, Page]:
    found: dict[str, Page] = {
        f"{SHOP}/set/{number}": (
            200,
            {"Set-Cookie": line},
            f'<a href="/set/{number + 1}">next</a>' if number + 1 < len(SET) else "",
        )
        for number, line in enumerate(SET)
    }
    for url, session in PROBES:
        cookie = {"Set-Cookie": f"user={session}; Path=/"} if "login" in url else {}
        found[url] = (200, cookie, "<p>probed</p>")
    return found


def crawl(folder: Path) -> Record:
    fake = FakeSite(pages())
    recording = Recording(folder, ordered=True)
    faked.run(recording, fake, Cookies(), "cookies")
    recording.sites = [faked.log_of("fake", fake)]
    return recording.record()
