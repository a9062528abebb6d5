"""Whole crawls over a fake site: every URL ends in one state, every item comes once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from tenacity import stop_after_attempt, wait_none

from crawler import (
    ConfigError,
    Crawl,
    DropItem,
    Failure,
    FetchError,
    FinishReason,
    Reason,
    Report,
    Request,
    Required,
    Response,
    Results,
    Spider,
    crawl,
    crawl_items,
    fetch,
)
from crawler.settings import Layer, Settings, build
from crawler.testing import FakeSite, Page

HOME = "https://site.example/"


class Titles(Spider):
    """Follows every link, yields every title."""

    name = "titles"
    start_urls = [HOME]
    stop = staticmethod(stop_after_attempt(2))
    wait = staticmethod(wait_none())

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url, "title": response.page.text("title", default="")}
        yield response.follow_links()


def settings(**sections: dict[str, Any]) -> Settings:
    return build([Layer("test", sections)])


def found_adds_up(report: Report) -> bool:
    ended = report.pages + report.failed + report.redirected + report.pending
    return report.found == ended + sum(report.skipped.values())


class Followers(Spider):
    """Follows every link."""

    name = "followers"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        yield response.follow_links()


def linked(*paths: str) -> str:
    return "<title>page</title>" + "".join(f"<a href='{path}'>x</a>" for path in paths)


def test_a_crawl_visits_every_page_once_and_ends_by_itself() -> None:
    site = FakeSite(
        {
            HOME: linked("/a", "/b", "/a#top", "/A"),
            HOME + "a": linked("/", "/b", "c"),
            HOME + "A": linked(),
            HOME + "b": linked("/c", "/c?"),
            HOME + "c": linked("/a"),
        }
    )

    report = crawl(Titles, transport=site)

    assert sorted(site.urls) == [HOME, HOME + "A", HOME + "a", HOME + "b", HOME + "c"]
    assert report.items[0]["url"] == HOME
    assert (report.pages, report.item_count, report.pending) == (5, 5, 0)
    assert report.finish_reason is FinishReason.FINISHED
    assert report.exit_code == 0
    assert found_adds_up(report)


def test_robots_txt_is_requested_first_and_once_and_obeyed() -> None:
    site = FakeSite(
        {
            HOME + "robots.txt": b"User-agent: *\nDisallow: /private",
            HOME: linked("/private/x", "/open"),
            HOME + "open": linked("/private/y"),
        }
    )

    report = crawl(Titles, transport=site)

    assert site.requests[0].url == HOME + "robots.txt"
    assert [request.url for request in site.requests].count(HOME + "robots.txt") == 1
    assert site.urls == [HOME, HOME + "open"]
    assert report.skipped == {"robots_denied": 2}
    assert found_adds_up(report)


def test_an_unavailable_robots_txt_forbids_everything() -> None:
    site = FakeSite({HOME + "robots.txt": (500, "oops"), HOME: linked()})

    report = crawl(Titles, transport=site)

    assert site.urls == []
    assert report.errors == {"robots_unreachable": 1}
    assert report.exit_code == 3


def test_with_robots_turned_off_robots_txt_is_not_requested() -> None:
    site = FakeSite({HOME: linked()})

    crawl(Titles, settings(politeness={"robots": False}), transport=site)

    assert [request.url for request in site.requests] == [HOME]


def test_a_link_out_of_scope_is_counted_and_never_requested() -> None:
    site = FakeSite(
        {HOME: linked("https://other.example/", "https://www.site.example/")}
    )

    report = crawl(Titles, transport=site)

    assert site.urls == [HOME, "https://www.site.example/"]
    assert report.skipped == {"scope": 1}
    assert any("other.example" in line for line in report.advice)
    assert found_adds_up(report)


def test_depth_counts_links_from_a_start_page() -> None:
    pages = {f"{HOME}{n}": linked(f"/{n + 1}") for n in range(1, 6)}
    site = FakeSite({HOME: linked("/1"), **pages})

    report = crawl(Titles, settings(crawl={"depth": 2}), transport=site)

    assert report.pages == 3
    assert report.skipped == {"depth": 1}


def test_a_redirect_target_replaces_its_source_and_is_visited_once() -> None:
    site = FakeSite(
        {
            HOME: linked("/old", "/new"),
            HOME + "old": (301, {"location": "/new"}, ""),
            HOME + "new": linked(),
        }
    )

    report = crawl(Titles, transport=site)

    assert site.urls.count(HOME + "new") == 1
    assert (report.pages, report.redirected) == (2, 1)
    assert found_adds_up(report)


def test_a_page_with_a_refresh_is_followed_without_calling_its_callback() -> None:
    pages: dict[str, Page] = {
        HOME: '<meta http-equiv="refresh" content="0; url=/new">',
        f"{HOME}new": (200, {"refresh": "3; url=/newest"}, "<a href=/>"),
        f"{HOME}newest": '<a href="/">home</a>',
    }

    report = crawl(Titles, transport=FakeSite(pages))

    assert [item["url"] for item in report.items] == [f"{HOME}newest"]
    assert (report.pages, report.redirected, report.pending) == (1, 2, 0)


def test_a_cookie_wall_that_redirects_back_is_passed() -> None:
    def wall(request: httpx.Request) -> Any:
        if "seen=1" in request.headers.get("cookie", ""):
            return linked()
        return (302, {"location": "/set"}, "")

    site = FakeSite(
        {
            HOME: wall,
            HOME + "set": (302, {"location": "/", "set-cookie": "seen=1; Path=/"}, ""),
        }
    )

    report = crawl(Titles, transport=site)

    assert site.urls == [HOME, HOME + "set", HOME]
    assert (report.pages, report.redirected, report.failed) == (1, 1, 0)
    assert found_adds_up(report)


def test_a_page_that_redirects_to_itself_ends_at_the_limit() -> None:
    site = FakeSite({HOME: (302, {"location": "/"}, "")})

    report = crawl(Titles, transport=site)

    assert len(site.urls) == 11
    assert report.errors == {"redirect_limit": 1}
    assert found_adds_up(report)


def test_a_chain_of_redirects_ends_at_the_limit() -> None:
    pages = {f"{HOME}{n}": (302, {"location": f"/{n + 1}"}, "") for n in range(30)}
    site = FakeSite({HOME: (302, {"location": "/0"}, ""), **pages})

    report = crawl(Titles, transport=site)

    assert len(site.urls) == 11
    assert report.errors == {"redirect_limit": 1}


def test_a_redirect_out_of_scope_is_not_followed() -> None:
    site = FakeSite(
        {HOME: linked("/out"), HOME + "out": (302, {"location": "//evil.example/"}, "")}
    )

    report = crawl(Titles, transport=site)

    assert site.urls == [HOME, HOME + "out"]
    assert (report.redirected, report.skipped) == (1, {"scope": 1})


def test_the_target_of_a_redirected_start_url_joins_the_scope() -> None:
    there = "https://there.example/"
    site = FakeSite(
        {
            HOME: (301, {"location": there}, ""),
            there: linked("/page"),
            there + "page": linked(),
        }
    )

    report = crawl(Titles, transport=site)

    assert report.pages == 2


@pytest.mark.parametrize("location", ["file:///etc/passwd", "javascript:alert(1)"])
def test_a_redirect_to_another_scheme_is_blocked(location: str) -> None:
    site = FakeSite({HOME: (302, {"location": location}, "")})

    assert crawl(Titles, transport=site).errors == {"blocked_scheme": 1}


def test_a_temporary_failure_is_retried() -> None:
    answers: list[Any] = [Reason.RESET, linked()]
    site = FakeSite({HOME: lambda request: answers.pop(0)})

    report = crawl(Titles, transport=site)

    assert (report.pages, report.retried, report.failed) == (1, 1, 0)


def test_a_status_that_is_not_retried_fails_at_once() -> None:
    site = FakeSite({HOME: linked("/gone")})

    report = crawl(Titles, transport=site)

    assert site.urls == [HOME, HOME + "gone"]
    assert report.errors == {"http_status": 1}
    assert report.statuses == {"200": 1, "404": 1}
    assert found_adds_up(report)


def test_a_retry_after_header_is_obeyed() -> None:
    asked: list[float] = []

    def busy(request: httpx.Request) -> Any:
        asked.append(asyncio.get_running_loop().time())
        if len(asked) == 1:
            return (429, {"retry-after": "1"}, "")
        return linked()

    report = crawl(Titles, transport=FakeSite({HOME: busy}))

    assert asked[1] - asked[0] >= 1
    assert (report.pages, report.retried) == (1, 1)


def test_a_response_of_an_unwanted_type_is_skipped_without_reading_its_body() -> None:
    was_read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal was_read
        was_read = True
        yield b"%PDF"

    site = FakeSite(
        {
            HOME: linked("/doc"),
            HOME + "doc": lambda _: (200, {"content-type": "application/pdf"}, body()),
        }
    )

    report = crawl(Titles, transport=site)

    assert report.skipped == {"unwanted_type": 1}
    assert not was_read


def test_links_to_files_are_counted_and_not_requested() -> None:
    site = FakeSite({HOME: linked("/a.pdf", "/b.zip", "/c"), HOME + "c": linked()})

    report = crawl(Titles, transport=site)

    assert report.skipped == {"extension": 2}
    assert site.urls == [HOME, HOME + "c"]
    assert "by extension (change it by crawl.skip_extensions)" in report.advice[-1]


def test_the_list_of_extensions_can_be_changed() -> None:
    site = FakeSite({HOME: linked("/a.pdf", "/c.x"), HOME + "a.pdf": linked()})

    report = crawl(Titles, settings(crawl={"skip_extensions": ["x"]}), transport=site)

    assert report.skipped == {"extension": 1}
    assert site.urls == [HOME, HOME + "a.pdf"]


def test_a_page_knows_its_depth() -> None:
    class Depths(Spider):
        name = "depths"
        start_urls = [HOME]

        async def parse(self, response: Response) -> Results:
            yield {"at": response.url, "depth": response.request.depth}
            yield response.follow_links()
            if response.url == HOME:
                yield Request(HOME + "own")

    site = FakeSite({HOME: linked("/a"), HOME + "a": "x", HOME + "own": "x"})

    items = crawl(Depths, transport=site).items

    assert {item["at"]: item["depth"] for item in items} == {
        HOME: 0,
        HOME + "a": 1,
        HOME + "own": 1,
    }


def test_links_in_a_feed_are_counted_and_are_no_error() -> None:
    feed = (200, {"content-type": "application/rss+xml"}, "<rss><a href='/x'/></rss>")

    report = crawl(Followers, transport=FakeSite({HOME: feed}))

    assert (report.pages, report.failed, report.skipped) == (1, 0, {"xml": 1})
    assert "1 XML document " in " ".join(report.advice)


@pytest.mark.parametrize("written", ["", "*/*"])
def test_the_type_of_a_body_without_a_content_type_is_detected(written: str) -> None:
    declared = {"content-type": written}
    site = FakeSite(
        {
            HOME: (200, declared, linked("/image", "/data").encode()),
            HOME + "image": (200, declared, b"\x89PNG\r\n\x1a\n\0"),
            HOME + "data": (200, declared, b'{"a": 1}'),
        }
    )

    report = crawl(Titles, transport=site)

    assert report.skipped == {"unwanted_type": 1}
    assert report.pages == 2


def test_a_body_over_a_limit_fails_only_its_page() -> None:
    site = FakeSite({HOME: linked("/big"), HOME + "big": "x" * 5000})

    report = crawl(Titles, settings(http={"max_body": 1000}), transport=site)

    assert report.errors == {"too_large": 1}
    assert report.pages == 1


def test_an_unexpected_failure_of_a_start_url_makes_the_run_a_bad_one() -> None:
    class Broken(Titles):
        start_urls = [HOME, HOME + "start"]

        @staticmethod
        def wait(state: object) -> float:
            raise ZeroDivisionError

    pages = {f"{HOME}{number}": "" for number in range(20)}
    site = FakeSite(
        {HOME: linked(*map(str, range(20))), **pages, HOME + "start": (500, "")}
    )

    report = crawl(Broken, transport=site)

    assert (report.pages, report.failed) == (21, 1)
    assert report.exit_code == 3
    assert found_adds_up(report)


class Faulty(Titles):
    name = "faulty"

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_links()
        if response.url.endswith("bad"):
            raise ValueError("no price")


def test_a_callback_that_raises_fails_its_page_and_has_no_results() -> None:
    site = FakeSite(
        {HOME: linked("/bad", "/good"), HOME + "bad": linked("/x"), HOME + "good": ""}
    )

    report = crawl(Faulty, transport=site)

    assert [item["url"] for item in report.items] == [HOME, HOME + "good"]
    assert report.errors == {"spider_error": 1}
    assert HOME + "x" not in site.urls
    assert any("ValueError: no price" in line for line in report.advice)
    assert any("test_engine.py" in line for line in report.advice)


class WithErrback(Spider):
    name = "errback"

    async def start(self) -> Results:
        yield Request(HOME, self.parse, errback=self.failed)

    def parse(self, response: Response) -> list[object]:
        return [{"ok": response.url}]

    async def failed(self, failure: Failure) -> Results:
        assert failure.response is not None
        yield {"reason": str(failure.reason), "body": failure.response.text}
        yield Request(HOME + "instead")


def test_an_errback_runs_once_and_its_results_are_committed_with_the_failure() -> None:
    site = FakeSite({HOME: (404, "not here"), HOME + "instead": ""})

    report = crawl(WithErrback, transport=site)

    assert report.items == [
        {"reason": "http_status", "body": "not here"},
        {"ok": HOME + "instead"},
    ]
    assert (report.failed, report.pages) == (1, 1)


class Statuses(Titles):
    name = "statuses"
    statuses = (404,)


def test_a_spider_may_accept_other_statuses() -> None:
    report = crawl(Statuses, transport=FakeSite({}))

    assert (report.pages, report.failed) == (1, 0)


class Mixed(Spider):
    """Every way to give results."""

    name = "mixed"
    start_urls = [HOME]

    def parse(self, response: Response) -> Any:
        yield {"from": "generator"}
        yield Request(HOME + "list", self.listed, meta={"n": 1})
        yield Request(HOME + "await", "awaited")
        yield response.follow("nothing", self.silent)

    def listed(self, response: Response) -> list[object]:
        return [{"from": "list", "meta": response.meta}]

    async def awaited(self, response: Response) -> list[object]:
        return [{"from": "await"}]

    async def silent(self, response: Response) -> None:
        return None


def test_callbacks_may_be_sync_or_async_and_yield_or_return() -> None:
    site = FakeSite(
        dict.fromkeys([HOME + p for p in ("", "list", "await", "nothing")], "")
    )

    report = crawl(Mixed, transport=site)

    assert sorted(report.items, key=str) == [
        {"from": "await"},
        {"from": "generator"},
        {"from": "list", "meta": {"n": 1}},
    ]
    assert report.pages == 4


class Quitting(Spider):
    """Ends in ways that would end more than its page."""

    name = "quitting"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        yield {"lost": True}
        yield response.follow("exit", self.exits)
        yield response.follow("cancel", self.cancels)
        yield response.follow("one", self.returns_one)

    def exits(self, response: Response) -> None:
        raise SystemExit("enough")

    async def cancels(self, response: Response) -> None:
        task = asyncio.create_task(anyio.sleep_forever())
        task.cancel()
        await task

    def returns_one(self, response: Response) -> Request:
        return response.follow("next")


def test_sys_exit_in_a_callback_fails_its_page_but_not_the_crawl() -> None:
    pages = dict.fromkeys([HOME + p for p in ("", "exit", "cancel", "one")], "")

    report = crawl(Quitting, transport=FakeSite(pages))

    assert (report.pages, report.failed, report.pending) == (1, 3, 0)
    assert report.errors == {"spider_error": 3}
    assert found_adds_up(report)


class Leaving(Spider):
    name = "leaving"

    async def start(self) -> Results:
        yield Request(HOME)
        raise SystemExit("no key")

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def test_sys_exit_in_start_counts_as_a_failure_of_start() -> None:
    report = crawl(Leaving, transport=FakeSite({HOME: ""}))

    assert report.finish_reason is FinishReason.START_ERROR
    assert report.items == [{"url": HOME}]


class Polling(Spider):
    name = "polling"

    async def start(self) -> Results:
        for _ in range(3):
            yield Request(HOME, once=False)

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def test_a_request_with_once_false_stays_so_after_a_redirect() -> None:
    site = FakeSite({HOME: (302, {"Location": "/now"}, ""), HOME + "now": ""})

    report = crawl(Polling, transport=site)

    assert report.items == [{"url": HOME + "now"}] * 3
    assert report.redirected == 3
    assert found_adds_up(report)


class Legacy(Titles):
    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        for link in response.css("a"):
            yield response.follow(link)
        yield response.follow_all("a")


def test_a_url_is_requested_once_however_it_is_followed() -> None:
    page = "<meta charset=windows-1252><a href='/?q=\xe9'>x</a>".encode("cp1252")
    site = FakeSite({HOME: page, HOME + "?q=%E9": ""})

    report = crawl(Legacy, transport=site)

    assert [item["url"] for item in report.items] == [HOME, HOME + "?q=%E9"]
    assert report.failed == 0


class Unknown(Spider):
    name = "unknown"
    start_urls = [HOME]

    def parse(self, response: Response) -> Any:
        yield Request(HOME + "x", "nowhere")


def test_a_callback_that_does_not_exist_is_named() -> None:
    report = crawl(Unknown, transport=FakeSite({HOME: ""}))

    assert report.errors == {"spider_error": 1}
    assert any("no callback 'nowhere'" in line for line in report.advice)


class Picky(Titles):
    name = "picky"
    pipelines = [Required("title")]


def test_a_dropped_item_is_counted_by_its_reason() -> None:
    site = FakeSite({HOME: "<p>no title</p>"})

    report = crawl(Picky, transport=site)

    assert report.item_count == 0
    assert sum(report.dropped.values()) == 1
    assert any(line.startswith("No items") for line in report.advice)


class Counting(Titles):
    name = "counting"
    item_key = "title"


def test_an_item_key_keeps_only_the_first_of_equal_items() -> None:
    site = FakeSite({HOME: linked("/a"), HOME + "a": linked()})

    report = crawl(Counting, transport=site)

    assert report.item_count == 1
    assert sum(report.dropped.values()) == 1


@pytest.mark.parametrize("limit", [1, 7, 15, 40])
def test_a_limit_on_pages_is_exact(limit: int) -> None:
    handed: list[str] = []

    class Wide(Titles):
        name = "wide"

        async def parse(self, response: Response) -> Results:
            handed.append(response.url)
            yield {"url": response.url}
            yield response.follow_links()

    many = [f"/{n}" for n in range(60)]
    site = FakeSite(
        {HOME: linked("/missing", *many), **{HOME + p[1:]: "" for p in many}}
    )

    report = crawl(Wide, transport=site, pages=limit)

    assert report.pages == len(handed) == limit
    assert report.finish_reason is FinishReason.PAGES_LIMIT
    assert report.exit_code in (0, 3)  # the missing page may be among few
    assert found_adds_up(report)


def test_a_crawl_ends_if_it_has_fewer_pages_than_the_limit() -> None:
    site = FakeSite({HOME: linked("/a"), HOME + "a": ""})

    report = crawl(Titles, transport=site, pages=10)

    assert report.pages == 2
    assert report.finish_reason is FinishReason.FINISHED


def test_a_failed_page_does_not_count_towards_the_limit_on_pages() -> None:
    bad = [f"/bad{n}" for n in range(10)]
    good = [f"/good{n}" for n in range(10)]
    site = FakeSite({HOME: linked(*bad, *good), **{HOME + p[1:]: "" for p in good}})

    report = crawl(Titles, transport=site, pages=8)

    assert report.pages == 8


class Pairs(Titles):
    name = "pairs"

    async def parse(self, response: Response) -> Results:
        for n in range(3):
            yield {"url": response.url, "n": n}
        yield response.follow_links()


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_the_limit_on_items_drops_the_further_items_of_a_page(limit: int) -> None:
    many = [f"/{n}" for n in range(20)]
    site = FakeSite({HOME: linked(*many), **{HOME + p[1:]: "" for p in many}})

    report = crawl(Pairs, transport=site, items=limit)

    assert report.item_count == len(report.items) == limit
    assert report.finish_reason is FinishReason.ITEMS_LIMIT
    assert report.dropped.get("items_limit", 0) == -limit % 3
    assert found_adds_up(report)


def test_the_limit_on_time_ends_the_crawl_gracefully() -> None:
    async def slow(request: httpx.Request) -> Any:
        await anyio.sleep(0.05)
        return linked(request.url.path + "x")

    class Endless(FakeSite):
        pass

    site = Endless({})
    site.pages = _Everything(slow)

    report = crawl(
        Titles, settings(politeness={"robots": False}), transport=site, time=0.5
    )

    assert report.finish_reason is FinishReason.TIME_LIMIT
    assert 0 < report.pages == report.item_count
    assert found_adds_up(report)


class _Everything(dict[str, Any]):
    def __init__(self, page: Any) -> None:
        super().__init__()
        self._page = page

    def get(self, key: str, default: Any = None) -> Any:
        return self._page


class Starting(Spider):
    name = "starting"
    drawn = 0

    async def start(self) -> Results:
        for n in range(100_000):
            type(self).drawn = n
            yield Request(f"https://host{n}.example/")

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def test_start_is_read_only_as_far_as_requests_are_needed() -> None:
    site = FakeSite({})
    site.pages = _Everything("")

    report = crawl(
        Starting, settings(politeness={"robots": False}), transport=site, pages=50
    )

    assert report.pages == 50
    assert Starting.drawn < 400


class Failing(Spider):
    name = "failing"

    async def start(self) -> Results:
        yield Request(HOME)
        yield {"kind": "from start"}
        raise RuntimeError("no more ideas")

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def test_queued_requests_finish_after_start_has_raised() -> None:
    report = crawl(Failing, transport=FakeSite({HOME: ""}))

    assert report.finish_reason is FinishReason.START_ERROR
    assert report.exit_code == 1
    assert sorted(map(str, report.items)) == sorted(
        ["{'kind': 'from start'}", f"{{'url': '{HOME}'}}"]
    )


def test_items_can_be_iterated_without_an_event_loop() -> None:
    many = [f"/{n}" for n in range(30)]
    site = FakeSite({HOME: linked(*many), **{HOME + p[1:]: "" for p in many}})

    assert len(list(crawl_items(Titles, transport=site))) == 31


def test_leaving_the_loop_over_items_stops_the_crawl() -> None:
    many = [f"/{n}" for n in range(2000)]
    site = FakeSite({HOME: linked(*many), **{HOME + p[1:]: "" for p in many}})

    for _ in crawl_items(Titles, transport=site):
        break

    assert len(site.urls) < 1000


async def test_a_crawl_inside_a_running_loop_streams_its_items() -> None:
    site = FakeSite({HOME: linked("/a"), HOME + "a": linked()})

    async with Crawl(Titles(), transport=site) as run:
        found = [item["url"] async for item in run]

    assert found == [HOME, HOME + "a"]
    assert run.report.pages == 2


async def test_two_crawls_in_one_process_share_nothing() -> None:
    first = FakeSite({HOME: (200, {"set-cookie": "a=1"}, linked("/a")), HOME + "a": ""})
    second = FakeSite({HOME: linked("/a"), HOME + "a": ""})
    reports: list[Report] = []

    async def one(site: FakeSite) -> None:
        async with Crawl(Titles(), transport=site) as run:
            reports.append(await run.wait())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one, first)
        tasks.start_soon(one, second)

    assert [report.pages for report in reports] == [2, 2]
    assert first.requests[-1].headers["cookie"] == "a=1"
    assert "cookie" not in second.requests[-1].headers


async def test_crawl_works_inside_a_running_loop_as_in_a_notebook() -> None:
    assert crawl(Titles, transport=FakeSite({HOME: ""})).pages == 1


async def test_an_error_in_the_async_with_block_is_raised_unchanged() -> None:
    site = FakeSite({HOME: linked("/a"), HOME + "a": ""})

    async def leave() -> None:
        async with Crawl(Titles(), transport=site) as run:
            async for _ in run:
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await leave()


async def test_cancelling_a_crawl_leaves_no_task_running() -> None:
    async def hang(request: httpx.Request) -> Any:
        await anyio.sleep_forever()

    before = asyncio.all_tasks()
    with anyio.move_on_after(0.2):
        async with Crawl(Titles(), transport=FakeSite({HOME: hang})) as run:
            await run.wait()

    assert asyncio.all_tasks() == before


async def test_cancelling_the_loop_over_items_does_not_wait_for_pages() -> None:
    async def hang(request: httpx.Request) -> Any:
        await anyio.sleep_forever()

    run = Crawl(
        Titles(), settings(crawl={"grace": 3600}), transport=FakeSite({HOME: hang})
    )
    with anyio.fail_after(10), contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2), run:
            async for _ in run:
                pass

    assert run.report.finish_reason is FinishReason.INTERRUPTED


async def test_stop_waits_for_requests_in_flight() -> None:
    entered, release = anyio.Event(), anyio.Event()

    async def slow(request: httpx.Request) -> Any:
        entered.set()
        await release.wait()
        return linked("/next")

    site = FakeSite({HOME: slow, HOME + "next": ""})
    run = Crawl(Titles(), transport=site)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run.wait)
        await entered.wait()
        run.stop()
        release.set()

    assert run.report.finish_reason is FinishReason.INTERRUPTED
    assert (run.report.pages, run.report.pending) == (1, 1)
    assert run.report.exit_code == 4


async def test_stop_without_grace_leaves_requests_in_flight_pending() -> None:
    entered = anyio.Event()

    async def hang(request: httpx.Request) -> Any:
        entered.set()
        await anyio.sleep_forever()

    run = Crawl(Titles(), transport=FakeSite({HOME: hang}))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run.wait)
        await entered.wait()
        run.stop(grace=0)

    assert (run.report.pages, run.report.pending) == (0, 1)


def test_a_page_with_too_many_items_fails_as_outcome_too_large() -> None:
    class Greedy(Titles):
        name = "greedy"

        async def parse(self, response: Response) -> Results:
            for n in range(10_001):
                yield {"n": n}

    report = crawl(Greedy, transport=FakeSite({HOME: ""}))

    assert report.errors == {"outcome_too_large": 1}
    assert report.item_count == 0


def test_a_streamed_page_may_yield_any_number_of_items() -> None:
    class Feed(Spider):
        name = "feed"

        async def start(self) -> Results:
            yield Request(HOME + "feed.jsonl", stream=True)

        async def parse(self, response: Response) -> Results:
            async for line in response.aiter_lines():
                yield {"n": int(line)}

    lines = "".join(f"{n}\n" for n in range(12_345)).encode()
    report = crawl(Feed, transport=FakeSite({HOME + "feed.jsonl": lines}))

    assert [item["n"] for item in report.items] == list(range(12_345))


def test_a_streamed_page_that_fails_has_no_items() -> None:
    class Feed(Spider):
        name = "feed"

        async def start(self) -> Results:
            yield Request(HOME + "feed", stream=True)

        async def parse(self, response: Response) -> Results:
            for n in range(3_000):
                yield {"n": n}
            raise ValueError("torn")

    report = crawl(Feed, transport=FakeSite({HOME + "feed": b"x"}))

    assert (report.item_count, report.failed) == (0, 1)


@pytest.mark.parametrize("job", [None, "feed"])
def test_a_streamed_page_may_yield_any_number_of_links(
    tmp_path: Path, job: str | None
) -> None:
    class Feed(Spider):
        name = "feed"

        async def start(self) -> Results:
            yield Request(HOME + "feed", stream=True)

        async def parse(self, response: Response) -> Results:
            async for line in response.aiter_lines():
                yield Request(HOME + line, "book", once=False)

        async def book(self, response: Response) -> Results:
            yield {"book": response.url}

    names = [f"book{n % 1_100}" for n in range(1_200)]
    pages: dict[str, Any] = {HOME + name: "A book" for name in names}
    site = FakeSite({**pages, HOME + "feed": "\n".join(names).encode()})
    kept = {"storage": {"dir": str(tmp_path)}}
    report = crawl(Feed, transport=site, job=job, settings=kept)

    # Each line is a request of its own, the hundred that are there twice among them.
    assert sorted(it["book"] for it in report.items) == sorted(
        HOME + name for name in names
    )
    assert report.pages == 1_201


def test_a_streamed_page_that_fails_has_no_links() -> None:
    class Feed(Spider):
        name = "feed"

        async def start(self) -> Results:
            yield Request(HOME + "feed", stream=True)

        async def parse(self, response: Response) -> Results:
            for n in range(1_200):
                yield Request(f"{HOME}{n}")
            raise ValueError("torn")

    site = FakeSite({HOME + "feed": b"x"})
    report = crawl(Feed, transport=site)

    assert (report.failed, report.pending) == (1, 0)
    assert site.urls == [HOME + "feed"]


def test_a_pipeline_that_fails_fails_its_page() -> None:
    class Broken:
        def open(self, run: Any) -> Any:
            return self

        async def __aenter__(self) -> Any:
            return self

        async def __aexit__(self, *error: object) -> None:
            return None

        async def process(self, item: Any, page: Any) -> Any:
            if item["title"] == "drop":
                raise DropItem("asked")
            raise OSError("database gone")

    class Piped(Titles):
        name = "piped"
        pipelines = [Broken()]

    site = FakeSite({HOME: "<title>x</title>"})
    dropped = FakeSite({HOME: "<title>drop</title>"})

    assert crawl(Piped, transport=site).errors == {"pipeline_error": 1}
    assert crawl(Piped, transport=dropped).dropped == {"asked": 1}


def test_a_slow_callback_ends_at_its_timeout() -> None:
    class Slow(Titles):
        name = "slow"

        async def parse(self, response: Response) -> Results:
            await anyio.sleep_forever()
            yield {}

    report = crawl(
        Slow,
        settings(crawl={"callback_timeout": 0.05}),
        transport=FakeSite({HOME: ""}),
    )

    assert report.errors == {"spider_error": 1}
    assert any("took over 0.05 s" in line for line in report.advice)


def test_a_streamed_page_may_take_longer_than_the_callback_timeout() -> None:
    async def feed() -> AsyncIterator[bytes]:
        for _ in range(12):
            await anyio.sleep(0.05)
            yield b"line\n"

    class Feed(Spider):
        name = "feed"

        async def start(self) -> Results:
            yield Request(HOME, stream=True)

        async def parse(self, response: Response) -> Results:
            async for line in response.aiter_lines():
                yield {"line": line}

    report = crawl(
        Feed,
        settings(crawl={"callback_timeout": 0.5}),
        transport=FakeSite({HOME: lambda _: (200, {}, feed())}),
    )

    assert (report.item_count, report.errors) == (12, {})


def test_event_hooks_see_every_redirect() -> None:
    seen: list[tuple[str, int]] = []

    async def note(response: httpx.Response) -> None:
        seen.append((response.request.url.path, response.status_code))

    site = FakeSite({HOME: (302, {"location": "/b"}, ""), HOME + "b": ""})
    crawl(
        Titles,
        settings(politeness={"robots": False}),
        transport=site,
        event_hooks={"response": [note]},
    )

    assert seen == [("/", 302), ("/b", 200)]


def test_a_spider_without_a_name_is_rejected() -> None:
    class Nameless(Spider):
        start_urls = [HOME]

    with pytest.raises(ConfigError, match="has no name"):
        crawl(Nameless)


def test_an_error_about_an_unknown_option_names_the_arguments() -> None:
    with pytest.raises(ConfigError, match="takes no arguments"):
        crawl(Titles, shelf="x")


def test_the_rate_holds_in_every_second_including_the_first() -> None:
    times: list[float] = []

    def note(request: httpx.Request) -> Any:
        times.append(asyncio.get_running_loop().time())
        return "" if request.url.path == "/robots.txt" else linked(*paths)

    paths = [f"/{n}" for n in range(24)]
    site = FakeSite({})
    site.pages = _Everything(note)

    crawl(Titles, settings(politeness={"rate": 10}), transport=site)

    assert len(times) == 26
    for start in times:
        assert sum(start <= time < start + 1 for time in times) <= 11


async def test_a_crawl_cancelled_at_any_await_leaves_nothing_open() -> None:
    many = [f"/{n}" for n in range(40)]
    pages = {HOME: linked(*many), **{HOME + p[1:]: linked() for p in many}}
    before = asyncio.all_tasks()

    for steps in range(1, 120, 7):
        run = Crawl(Titles(), transport=FakeSite(pages))
        task = asyncio.ensure_future(run.wait())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

        assert asyncio.all_tasks() == before


async def test_fetch_returns_one_response() -> None:
    site = FakeSite({HOME: (301, {"location": "/b"}, ""), HOME + "b": "<p>hello</p>"})

    response = await fetch(HOME, transport=site)

    assert (response.url, response.text) == (HOME + "b", "<p>hello</p>")
    assert site.requests[0].url == HOME  # robots.txt is not asked


async def test_fetch_sends_cookies_and_passes_a_cookie_wall() -> None:
    def wall(request: httpx.Request) -> Any:
        cookies = request.headers.get("cookie", "")
        if "seen=1" in cookies:
            return cookies
        return (302, {"location": "/", "set-cookie": "seen=1; Path=/"}, "")

    response = await fetch(HOME, cookies={"own": "2"}, transport=FakeSite({HOME: wall}))

    assert response.text == "own=2; seen=1"


async def test_fetch_raises_the_failure() -> None:
    with pytest.raises(FetchError, match="redirect_limit"):
        await fetch(HOME, transport=FakeSite({HOME: (302, {"location": "/"}, "")}))


def test_sessions_keep_their_cookies_apart() -> None:
    class Two(Spider):
        name = "two"

        async def start(self) -> Results:
            for session in ("a", "b"):
                yield Request(f"{HOME}login?{session}", session=session)

        async def parse(self, response: Response) -> Results:
            if "login" in response.url:
                yield response.follow("/page?" + response.request.options.session)

    def login(request: httpx.Request) -> Any:
        who = request.url.query.decode()
        return (200, {"set-cookie": f"who={who}", "content-type": "text/html"}, "x")

    pages = {HOME + f"login?{s}": login for s in "ab"}
    site = FakeSite({**pages, HOME + "page?a": "", HOME + "page?b": ""})

    crawl(Two, transport=site)

    cookies = {r.url: r.headers.get("cookie") for r in site.requests}
    assert cookies[HOME + "page?a"] == "who=a"
    assert cookies[HOME + "page?b"] == "who=b"


def test_requests_with_higher_priority_are_sent_first() -> None:
    class Ranked(Spider):
        name = "ranked"
        start_urls = [HOME]

        def parse(self, response: Response) -> Any:
            if response.url == HOME:
                yield response.follow_all("a.low", priority=-1)
                yield response.follow_all("a.high", priority=5)

    html = (
        "<a class=low href=/l1></a><a class=low href=/l2></a><a class=high href=/h></a>"
    )
    site = FakeSite({HOME: html})

    crawl(Ranked, settings(crawl={"workers": 1}), transport=site)

    assert site.urls == [HOME, HOME + "h", HOME + "l1", HOME + "l2"]


def test_the_final_report_names_a_selector_that_never_matched() -> None:
    class Missing(Spider):
        name = "missing"
        start_urls = [HOME]

        async def parse(self, response: Response) -> Results:
            for book in response.css("article.book"):
                yield {"title": book.text("h3")}

    report = crawl(Missing, transport=FakeSite({HOME: "<p>no books"}))

    assert report.advice == [
        (
            "No items: article.book matched nothing on 1 of 1 page; "
            "look at a page with crawl fetch URL"
        )
    ]


def test_start_urls_that_are_not_a_list_are_reported_in_one_line() -> None:
    class Unfinished(Titles):
        name = "unfinished"
        start_urls = None  # type: ignore[assignment]

    with pytest.raises(ConfigError, match="write a list of URLs"):
        crawl(Unfinished, transport=FakeSite({}))


def test_a_callback_may_await_any_number_of_times() -> None:
    class Patient(Titles):
        name = "patient"

        async def parse(self, response: Response) -> Results:
            yield {"n": 0}
            await asyncio.sleep(0)
            async with asyncio.timeout(5):
                yield {"n": await anyio.to_thread.run_sync(lambda: 1)}
            with anyio.move_on_after(0.01):
                await anyio.sleep_forever()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anyio.sleep_forever()
            yield {"n": 2}

    report = crawl(Patient, transport=FakeSite({HOME: ""}))

    assert [item["n"] for item in report.items] == [0, 1, 2]
    assert report.errors == {}
