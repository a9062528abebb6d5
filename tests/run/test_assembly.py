"""How the parts of a run are built from settings, spider and state."""

from __future__ import annotations

from typing import Any

from crawler import Response, Results, Spider, crawl
from crawler.testing import FakeSite

HOME = "https://site.example/"


class Pages(Spider):
    name = "pages"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_links()


def test_the_crawl_wide_rate_and_the_bandwidth_reach_their_parts() -> None:
    pages = {f"{HOME}{number}": "x" * 100 for number in range(3)}
    links = "".join(f"<a href={url}>x</a>" for url in pages)
    politeness = {"total_rate": 1000, "bandwidth": "10MB", "robots": False}

    report = crawl(
        Pages, {"politeness": politeness}, transport=FakeSite({HOME: links, **pages})
    )

    assert report.pages == 4


def test_limits_on_pages_and_time_include_earlier_processes(
    tmp_path: Any,
) -> None:
    pages = {f"{HOME}{number}": "" for number in range(9)}
    site = FakeSite({HOME: "".join(f"<a href={url}>x</a>" for url in pages), **pages})
    durable = {"storage": {"dir": str(tmp_path)}}

    first = crawl(Pages, durable, job="pages", max_runtime=0.0, transport=site)
    second = crawl(Pages, durable, job="pages", pages=4, time=3600.0, transport=site)

    assert first.exit_code == 4
    assert (second.resumed, second.pages) == (True, 4)
    assert str(second.finish_reason) == "pages_limit"
