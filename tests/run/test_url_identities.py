"""A crawl with settings that treat different URLs as equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler import ConfigError, Request, Response, Results
from crawler.testing import FakeSite
from tests.run.killing import durable, killed_and_resumed
from tests.run.timed import HOME, Run, Visits, crawl

Crawl = Callable[..., Run]
IDENTITY: Any = {
    "crawl": {"ignore_params": ["@tracking", "@sessions"], "sort_query": True}
}


@pytest.fixture(params=["memory", "durable"])
def crawled(request: pytest.FixtureRequest, tmp_path: Path) -> Crawl:
    if request.param == "memory":
        return crawl
    return lambda spider, site, **options: durable(spider, site, tmp_path, **options)


def shop() -> FakeSite:
    links = ["p?id=1&utm_source=x", "p?utm_source=y&id=1", "p?id=1", "p?id=2&a=1"]
    links += ["p?a=1&id=2&gclid=3", "p;jsessionid=9?id=1"]
    pages: dict[str, Any] = {HOME + link: "" for link in links}
    pages[HOME] = "".join(f'<a href="/{link}">x</a>' for link in links)
    return FakeSite(pages)


def test_only_the_first_spelling_of_a_url_is_requested(crawled: Crawl) -> None:
    site = shop()

    run = crawled(Visits, site, **IDENTITY)

    assert site.urls == [HOME, f"{HOME}p?id=1&utm_source=x", f"{HOME}p?id=2&a=1"]
    assert (run.report.pages, run.report.found) == (3, 3)


def test_without_the_settings_every_spelling_is_a_separate_page() -> None:
    assert crawl(Visits, shop()).report.pages == 7


def test_requests_and_start_urls_are_compared_in_the_same_way(crawled: Crawl) -> None:
    class Asks(Visits):
        async def start(self) -> Results:
            yield Request(f"{HOME}p?id=1")
            yield Request(f"{HOME}p?id=1&fbclid=2")
            yield Request(f"{HOME}p?id=1&fbclid=3", method="POST")

        async def parse(self, response: Response) -> Results:
            yield {"url": response.url}
            yield response.follow("p?utm_id=4&id=1")

    pages = {f"{HOME}p?id=1": "", f"{HOME}p?id=1&fbclid=3": ""}
    run = crawled(Asks, FakeSite(pages), **IDENTITY)

    assert run.report.pages == 2
    assert run.report.skipped == {"duplicate": 1}


def test_a_redirect_to_another_spelling_leads_to_the_page(crawled: Crawl) -> None:
    site = FakeSite(
        {
            f"{HOME}?utm_source=a": (302, {"Location": "/"}, ""),
            HOME: "<a href='/?gclid=1'>again</a>",
        }
    )

    class Starts(Visits):
        start_urls = [f"{HOME}?utm_source=a"]

    run = crawled(Starts, site, **IDENTITY)

    assert run.report.pages == 1
    assert run.report.failed == 0


def test_a_crawl_killed_at_any_commit_compares_urls_as_before(tmp_path: Path) -> None:
    for run in killed_and_resumed(Visits, shop, tmp_path, **IDENTITY):
        assert (run.report.pages, run.report.found) == (3, 3)


@pytest.mark.parametrize("name", ["@nothing", "a=b"])
def test_an_unknown_parameter_list_is_an_error_of_the_setting(name: str) -> None:
    with pytest.raises(ConfigError, match=r"crawl\.ignore_params"):
        crawl(Visits, shop(), crawl={"ignore_params": [name]})
