"""The limits of a run, from its options, the spider and the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler import FinishReason, Report, Response, Results, Spider, crawl
from crawler.run.options import RunOptions
from crawler.settings import CrawlSettings, Seconds
from crawler.testing import FakeSite, Page
from tests.run import timed

HOME = "https://site.example/"


class Links(Spider):
    """Yields where it was, and follows every link."""

    name = "links"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_links()


def site(bad: int = 0, good: int = 20) -> FakeSite:
    paths = [str(number) for number in range(bad + good)]
    pages: dict[str, Page] = {
        f"{HOME}{path}": (404, "") if int(path) < bad else "" for path in paths
    }
    return FakeSite({HOME: "".join(f"<a href={path}>x</a>" for path in paths), **pages})


def limited(limits: dict[str, Any], asked: FakeSite, **options: Any) -> Report:
    """A crawl whose spider has these limits, one page at a time."""
    own = {"crawl": {"workers": 1, **limits}}
    spider = type("Limited", (Links,), {"settings": own})
    return crawl(spider, transport=asked, **options)


@pytest.mark.parametrize(
    ("limits", "reason", "pages"),
    [
        ({"pages": 3}, FinishReason.PAGES_LIMIT, 3),
        ({"items": 4}, FinishReason.ITEMS_LIMIT, 4),
        ({}, FinishReason.FINISHED, 21),
    ],
)
def test_a_spider_sets_the_limits_of_its_runs(
    limits: dict[str, Any], reason: FinishReason, pages: int
) -> None:
    report = limited(limits, site())

    assert (report.finish_reason, report.pages, report.exit_code) == (reason, pages, 0)


def test_limits_of_the_caller_take_precedence_over_those_of_the_spider() -> None:
    report = limited({"pages": 3}, site(), pages=5)

    assert report.pages == 5


def test_the_limit_on_time_can_be_a_setting() -> None:
    urls = timed.numbered(50)

    run = timed.crawl(
        timed.starting(*urls),
        FakeSite(dict.fromkeys(urls, "")),
        politeness={"rate": 8.0},
        crawl={"time": "3s"},
    )

    assert run.report.finish_reason is FinishReason.TIME_LIMIT
    assert run.report.pages == 25


@pytest.mark.parametrize("where", ["spider", "caller"])
def test_a_run_with_too_many_failed_pages_ends_as_a_bad_one(where: str) -> None:
    limits = {"errors": 3} if where == "spider" else {}
    options = {"errors": 3} if where == "caller" else {}

    report = limited(limits, site(bad=12), **options)

    (first, *_) = report.shortfalls
    assert (report.finish_reason, report.exit_code) == (FinishReason.ERRORS_LIMIT, 3)
    assert (first.bound, first.allowed, first.came) == ("errors", 3, 3)
    assert first.text == "3 pages failed; --errors stops at 3"


def test_fewer_failures_do_not_end_a_run() -> None:
    report = limited({"errors": 3}, site(bad=2), max_error_rate=1.0)

    assert (report.finish_reason, report.exit_code) == (FinishReason.FINISHED, 0)


def test_a_run_that_ended_by_failures_is_not_resumed(tmp_path: Path) -> None:
    state = {"storage": {"dir": str(tmp_path)}}
    pages = site(bad=12)

    first = crawl(Links, state, transport=pages, job="links", errors=3)
    second = crawl(Links, state, transport=pages, job="links", pages=1)

    assert (first.run, second.run) == (1, 2)


def test_missing_options_are_taken_from_the_settings() -> None:
    crawl_settings = CrawlSettings(pages=1, items=2, errors=3, time=Seconds(4))

    shown = RunOptions(items=9).limited(crawl_settings)

    assert (shown.pages, shown.items, shown.errors, shown.time) == (1, 9, 3, 4)
