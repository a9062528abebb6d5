"""Crawls as a program starts them: `Crawl`, `crawl`, `crawl_items` and `fetch`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from crawler import (
    ConfigError,
    Crawl,
    CrawlError,
    FetchError,
    FinishReason,
    Reason,
    Request,
    Response,
    Results,
    SinkError,
    Spider,
    crawl,
    crawl_items,
    fetch,
)
from crawler.run.api import private_beside
from crawler.settings import Layer, Settings, build
from crawler.testing import FakeSite
from tests.cli.sites import serving

HOME = "https://site.example/"
MANY = {f"{HOME}{number}": "" for number in range(30)}
SITE = {HOME: "".join(f"<a href={url}>x</a>" for url in MANY), **MANY}


class Pages(Spider):
    name = "pages"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_links()


class Shut(Spider):
    """Its farewell raises: an error of the run, behind its last page."""

    name = "shut"
    start_urls = [HOME]

    async def closed(self, report: object) -> None:
        raise ZeroDivisionError

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def test_an_unknown_option_of_a_crawl_is_reported_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"Crawl\(\) cannot .*'pagse'"):
        Crawl(Pages(), pagse=3)


@pytest.mark.parametrize("spider", [Pages, "pages", None])
def test_a_crawl_without_a_spider_is_an_error(spider: Any) -> None:
    with pytest.raises(ConfigError, match="A crawl needs a Spider object"):
        Crawl(spider)


def test_a_spider_object_accepts_no_more_arguments() -> None:
    with pytest.raises(ConfigError, match=r"'shelf' is not an option of crawl\(\)"):
        crawl(Pages(), shelf="poetry")


_INTERRUPTED = """
from crawler import Spider, crawl
from crawler.testing import FakeSite

class Interrupted(Spider):
    name = "interrupted"
    start_urls = ["https://site.example/"]

    def parse(self, response):
        raise KeyboardInterrupt  # as a second Ctrl-C does, wherever it falls

try:
    crawl(Interrupted, transport=FakeSite({"https://site.example/": ""}))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_program_can_end_after_an_interrupt_in_a_callback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "interrupted\n")


async def test_the_report_is_available_only_after_the_end() -> None:
    run = Crawl(Pages(), transport=FakeSite(SITE))
    with pytest.raises(CrawlError, match="has not ended yet"):
        _ = run.report
    assert run.engine is None

    report = await run.wait()

    assert run.report is report
    assert len(report.items) == len(SITE)
    assert run.engine is not None
    assert run.engine.progress.counters.pages == len(SITE)


async def test_a_crawl_that_is_stopped_before_it_begins_sends_no_request() -> None:
    site = FakeSite(SITE)
    run = Crawl(Pages(), transport=site)

    run.stop()
    report = await run.wait()

    assert report.finish_reason is FinishReason.INTERRUPTED
    assert site.urls == []


async def test_a_run_may_be_left_without_a_loop_over_its_items() -> None:
    site = FakeSite(SITE)

    async with Crawl(Pages(), transport=site) as run:
        assert run.engine is None

    assert site.urls == []


async def test_items_can_be_iterated_only_once() -> None:
    async with Crawl(Pages(), transport=FakeSite(SITE)) as run:
        items = [item async for item in run]
        with pytest.raises(CrawlError, match="can be iterated only once"):
            await anext(aiter(run))

    assert len(items) == len(SITE)


async def test_iterating_over_a_crawl_that_is_not_open_says_how_to_open_it() -> None:
    run = Crawl(Pages(), transport=FakeSite(SITE))

    with pytest.raises(CrawlError, match=r"async with Crawl\(\.\.\.\) as run"):
        await anext(aiter(run))


async def take(
    spider: Spider, into: list[Any], *, most: int = 99, error: Exception | None = None
) -> None:
    """Take a crawl's items, as a program does that ends early or fails on its own."""
    async with Crawl(spider, transport=FakeSite({HOME: ""})) as run:
        async for item in run:
            into.append(item)
            if error is not None:
                raise error
            if len(into) == most:
                break


async def test_an_error_of_the_run_is_raised_in_the_loop_over_its_items() -> None:
    items: list[Any] = []

    with pytest.raises(ZeroDivisionError):
        await take(Shut(), items)

    assert items == [{"url": HOME}]


async def test_an_error_after_leaving_the_loop_is_raised_by_the_async_with_block() -> (
    None
):
    with pytest.raises(ZeroDivisionError):
        await take(Shut(), [], most=1)


async def test_an_error_of_the_block_takes_precedence_over_an_error_of_the_run() -> (
    None
):
    with pytest.raises(KeyError):
        await take(Shut(), [], error=KeyError())


async def test_an_error_of_an_output_is_raised_without_an_exception_group(
    tmp_path: Path,
) -> None:
    blocked = tmp_path / "file" / "x.jsonl"
    await anyio.Path(tmp_path / "file").write_text("no folder")

    with pytest.raises((ConfigError, SinkError), match=r"x\.jsonl"):
        await Crawl(Pages(), outputs=(str(blocked),), transport=FakeSite(SITE)).wait()


def test_leaving_the_loop_over_items_ends_the_crawl() -> None:
    site = FakeSite(SITE)

    for item in crawl_items(Pages, transport=site):
        assert item["url"] == HOME
        break

    assert len(site.urls) <= len(SITE)


def test_settings_may_be_an_object_or_a_mapping_of_changes() -> None:
    whole = build([Layer("test", {"crawl": {"depth": 0}})])

    for given in (whole, {"crawl": {"depth": 0}}):
        report = crawl(Pages, given, transport=FakeSite(SITE))
        assert report.pages == 1


def test_settings_of_the_caller_take_precedence_over_those_of_the_spider() -> None:
    class Shallow(Pages):
        settings = {"crawl": {"depth": 0}}

    shallow = crawl(Shallow, transport=FakeSite(SITE))
    deep = crawl(Shallow, {"crawl": {"depth": 1}}, transport=FakeSite(SITE))

    assert (shallow.pages, deep.pages) == (1, len(SITE))


async def test_fetch_sends_a_request_with_all_its_options() -> None:
    def echo(request: httpx.Request) -> Any:
        return {"method": request.method, "x": request.headers.get("x")}

    site = FakeSite({HOME: echo})

    by_options = await fetch(HOME, method="PUT", headers={"x": "1"}, transport=site)
    by_request = await fetch(Request(HOME, headers={"x": "2"}), transport=site)

    assert by_options.json() == {"method": "PUT", "x": "1"}
    assert by_request.json() == {"method": "GET", "x": "2"}


@pytest.mark.parametrize(
    ("allowed", "host", "expected"),
    [
        (False, "named.example", True),
        (False, "other.example", False),
        (True, "other.example", True),
        (["other.example"], "other.example", True),
        (["other.example"], "third.example", False),
    ],
)
def test_fetch_allows_private_hosts_that_are_named_or_in_the_settings(
    allowed: Any, host: str, expected: bool
) -> None:
    settings: Settings = build([Layer("test", {"http": {"private_networks": allowed}})])

    may_be = private_beside(settings, "http://named.example:8080/")

    assert may_be(host) is expected


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1"]
)
async def test_fetch_blocks_hosts_in_private_networks(host: str) -> None:
    with pytest.raises(FetchError) as caught:
        await fetch(f"http://{host}/")

    assert caught.value.reason is Reason.BLOCKED_ADDRESS


async def test_fetch_with_private_allows_the_private_host_of_its_url() -> None:
    with serving({"/": "hello"}) as site:
        with pytest.raises(FetchError):
            await fetch(site.url)
        asked = list(site.asked)
        response = await fetch(site.url, private=True)

    assert asked == []
    assert response.text == "hello"
