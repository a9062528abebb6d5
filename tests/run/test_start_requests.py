"""`start()` is drawn as it is needed: every host that could be asked is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler import Response, Results, Spider
from crawler.testing import Page
from crawler.web import urls
from tests.run.timed import TimedSite, crawl, numbered, slowly, starting

LARGE = "https://large.example/"
SMALL = [f"https://small{number}.example/" for number in range(1000)]


class Every(dict[str, Page]):
    """A site that has every page, and the same one behind each URL of a host."""

    def __init__(self, *, otherwise: Page = "", **hosts: Page) -> None:
        super().__init__()
        self._hosts = {f"{name}.example": page for name, page in hosts.items()}
        self._otherwise = otherwise

    def get(self, url: str, default: Any = None) -> Page:
        return self[url]

    def __contains__(self, url: object) -> bool:
        return True

    def __getitem__(self, url: str) -> Page:
        return self._hosts.get(urls.host_of(url), self._otherwise)


class Plain(Spider):
    """Visits its start URLs, and no more."""

    name = "plain"

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def site_of(**hosts: Page) -> TimedSite:
    site = TimedSite({})
    site.pages = Every(**hosts)
    return site


def last_of_small(site: TimedSite) -> float:
    times = [asked.at for asked in site.log if asked.url.startswith("https://small")]
    assert len(times) == len(SMALL)
    return max(times)


@pytest.mark.parametrize("rate", [8.0, 0.0])
@pytest.mark.parametrize("mode", ["memory", "durable"])
def test_many_hosts_do_not_wait_for_a_large_one_that_is_listed_first(
    rate: float, mode: str, tmp_path: Path
) -> None:
    site = site_of(otherwise=slowly(0.1))
    spider = starting(*numbered(4_000, LARGE), *SMALL, of=Plain)
    storage = {"mode": mode, "dir": str(tmp_path / "state")}
    politeness = {"rate": rate, "robots": False}
    terms = {"time": 60.0}

    crawl(spider, site, politeness=politeness, storage=storage, terms=terms)

    assert last_of_small(site) < 10


SLOW = [
    f"https://slow{number}.example/{page}" for page in (0, 1) for number in range(500)
]
FAST = numbered(200, "https://fast.example/")


class Delays(Every):
    """Its slow hosts want half a minute between two requests."""

    def __getitem__(self, url: str) -> Page:
        if not url.endswith("/robots.txt"):
            return super().__getitem__(url)
        delay = "Crawl-delay: 30\n" if "//slow" in url else ""
        return (200, {"content-type": "text/plain"}, f"User-agent: *\n{delay}Disallow:")


@pytest.mark.parametrize("order", [SLOW + FAST, FAST + SLOW], ids=["last", "first"])
def test_a_fast_host_and_many_slow_ones_do_not_wait_for_each_other(
    order: list[str],
) -> None:
    site = TimedSite({})
    site.pages = Delays(otherwise=slowly(0.1))
    politeness = {"rate": 8.0, "robots": True}

    crawl(starting(*order, of=Plain), site, politeness=politeness)

    assert max(site.times("//fast")) < 30  # 200 pages, 8 a second
    assert max(site.times("//slow")) < 65  # robots.txt and two pages of each
