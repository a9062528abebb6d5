"""What a resumed run knows of the run before.

The first crawl is stopped in order; what it has in memory is gone all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from crawler import Arg, Crawl, Request, Response, Results, Spider
from crawler.settings import Layer, build
from crawler.stats import FinishReason, Report
from crawler.testing import Answer, FakeSite

HOME = "https://shop.example/"


class Shop(Spider):
    name = "shop"
    start_urls = (HOME,)

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_all("a")


def job(
    folder: Path, spider: Spider, site: FakeSite, *, workers: int = 1, **terms: Any
) -> Crawl:
    settings: dict[str, Mapping[str, Any]] = {
        "crawl": {"workers": workers},
        "storage": {"dir": str(folder / "state")},
        **spider.settings,
    }
    out = folder / "out.jsonl"
    return Crawl(
        spider,
        build([Layer("test", settings)]),
        job="shop",
        transport=site,
        outputs=(str(out),),
        **terms,
    )


def stopping(run: list[Crawl], page: Answer) -> Callable[[httpx.Request], Answer]:
    """A page whose first request stops the crawl, which sees it through."""

    def answer(request: httpx.Request) -> Answer:
        run[0].stop(FinishReason.INTERRUPTED)
        return page

    return answer


async def stopped_and_resumed(
    folder: Path, site: FakeSite, url: str, spider: type[Spider] = Shop, **terms: Any
) -> Report:
    """Crawl until `url` is asked for, stop, and crawl to the end."""
    runs: list[Crawl] = []
    page = site.pages[url]
    assert not callable(page)
    site.pages[url] = stopping(runs, page)
    runs.append(job(folder, spider(), site, **terms))
    first = await runs[0].wait()
    assert first.finish_reason is FinishReason.INTERRUPTED
    site.pages[url] = page
    return await job(folder, spider(), site, workers=8, **terms).wait()


async def test_a_resumed_run_does_not_meet_a_passed_cookie_wall_again(
    tmp_path: Path,
) -> None:
    def walled(page: str) -> Callable[[httpx.Request], Answer]:
        def answer(request: httpx.Request) -> Answer:
            if request.headers.get("cookie") == "consent=yes":
                return page
            return (302, {"Location": "/consent"}, "")

        return answer

    names = [f"{HOME}{number}" for number in range(9)]
    links = "".join(f'<a href="/{number}">x</a>' for number in range(9))
    site = FakeSite(
        {
            HOME: walled(links),
            f"{HOME}consent": (
                302,
                {"Location": "/", "Set-Cookie": "consent=yes; Path=/"},
                "",
            ),
            names[0]: "the first",
            **{name: walled("more") for name in names[1:]},
        }
    )

    report = await stopped_and_resumed(tmp_path, site, names[0])

    assert report.pages == 10
    assert report.redirected == 1
    assert report.resumed


async def test_an_unfinished_start_runs_again_and_yields_nothing_twice(
    tmp_path: Path,
) -> None:
    class Listed(Spider):
        name = "shop"

        async def start(self) -> Results:
            for number in range(40):
                yield {"url": f"item {number}"}
                yield Request(f"{HOME}{number}")

        async def parse(self, response: Response) -> Results:
            yield {"url": response.url}

    site = FakeSite({f"{HOME}{number}": "page" for number in range(40)})

    report = await stopped_and_resumed(tmp_path, site, f"{HOME}7", Listed)

    assert len(site.urls) == len(set(site.urls)) == 40
    assert report.pages == 40
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 80


async def test_limits_hold_over_several_processes(tmp_path: Path) -> None:
    links = "".join(f'<a href="/{number}">x</a>' for number in range(40))
    pages = {f"{HOME}{number}": "page" for number in range(40)}

    by_pages = await stopped_and_resumed(
        tmp_path / "pages", FakeSite({HOME: links, **pages}), f"{HOME}5", pages=15
    )
    by_items = await stopped_and_resumed(
        tmp_path / "items", FakeSite({HOME: links, **pages}), f"{HOME}5", items=12
    )

    assert (by_pages.pages, by_pages.finish_reason) == (15, FinishReason.PAGES_LIMIT)
    assert by_items.item_count == 12
    assert by_items.finish_reason is FinishReason.ITEMS_LIMIT


async def test_a_run_at_its_limit_sends_no_request(tmp_path: Path) -> None:
    links = "".join(f'<a href="/{number}">x</a>' for number in range(9))
    pages = {f"{HOME}{number}": "page" for number in range(9)}
    for limit in ("items", "pages"):
        site = FakeSite({HOME: links, **pages})
        runs: list[Crawl] = []
        site.pages[f"{HOME}3"] = stopping(runs, "page")
        folder = tmp_path / limit
        runs.append(job(folder, Shop(), site))
        done = (await runs[0].wait()).pages
        asked = len(site.urls)

        report = await job(folder, Shop(), site, **{limit: done - 1}).wait()

        assert len(site.urls) == asked
        assert report.finish_reason == f"{limit}_limit"
        assert (report.pages, report.item_count) == (done, done)
        assert report.dropped == {}


async def test_a_waiting_retry_keeps_waiting_in_the_next_process(
    tmp_path: Path,
) -> None:
    class Patient(Shop):
        settings = {"retry": {"wait": 3600.0, "wait_max": 3600.0, "attempts": 2}}

    site = FakeSite({HOME: '<a href="/a">a</a><a href="/b">b</a>', f"{HOME}b": "b"})
    site.pages[f"{HOME}a"] = (500, "not now")
    runs: list[Crawl] = []
    site.pages[f"{HOME}b"] = stopping(runs, "b")
    runs.append(job(tmp_path, Patient(), site))
    await runs[0].wait()
    before = list(site.urls)

    run = job(tmp_path, Patient(), site, time=0.5)
    report = await run.wait()

    assert before == [HOME, f"{HOME}a", f"{HOME}b"]
    assert site.urls == before
    assert (report.pending, report.retried) == (1, 1)


async def test_items_of_a_stream_that_broke_with_the_process_are_yielded_once(
    tmp_path: Path,
) -> None:
    class Feed(Spider):
        name = "shop"
        lines: int = Arg(2_500)

        async def start(self) -> Results:
            yield Request(f"{HOME}feed", stream=True)

        async def parse(self, response: Response) -> Results:
            async for line in response.aiter_lines():
                yield {"url": line}

    runs: list[Crawl] = []
    text = "".join(f"{number}\n" for number in range(2_500))

    async def broken() -> Any:
        yield text[: len(text) // 2].encode()
        runs[0].stop(FinishReason.INTERRUPTED, grace=0)
        yield text[len(text) // 2 :].encode()

    site = FakeSite({f"{HOME}feed": (200, {"Content-Type": "text/plain"}, broken())})
    runs.append(job(tmp_path, Feed(), site))
    first = await runs[0].wait()
    site.pages[f"{HOME}feed"] = (200, {"Content-Type": "text/plain"}, text)

    report = await job(tmp_path, Feed(), site).wait()

    assert (first.item_count, first.pending) == (0, 1)
    assert report.item_count == 2_500
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert lines == [f'{{"url":"{number}"}}' for number in range(2_500)]


async def test_start_may_repeat_a_request_in_every_process(tmp_path: Path) -> None:
    class Sampled(Spider):
        name = "shop"

        async def start(self) -> Results:
            for _ in range(12):
                yield Request(HOME, once=False)

        async def parse(self, response: Response) -> Results:
            yield {"url": response.url}

    site, runs = FakeSite({}), list[Crawl]()
    asked = 0

    def counted(request: httpx.Request) -> Answer:
        nonlocal asked
        asked += 1
        if asked == 5:
            runs[0].stop(FinishReason.INTERRUPTED)
        return "page"

    site.pages[HOME] = counted
    runs.append(job(tmp_path, Sampled(), site))
    await runs[0].wait()

    report = await job(tmp_path, Sampled(), site).wait()

    assert asked == report.pages == report.item_count == 12
