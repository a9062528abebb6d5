"""`self.fetch` sends another request during a callback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from crawler import (
    ConfigError,
    Failure,
    FetchError,
    FinishReason,
    Reason,
    Request,
    Response,
    Results,
)
from crawler.layers import Fetch, respond
from crawler.store.sqlite.reader import SqliteReader
from crawler.testing import FakeSite
from crawler.web import urls
from tests.run.killing import durable, killed_and_resumed
from tests.run.timed import HOME, Run, TimedSite, Visits, crawl, in_turn, slowly

API = "https://api.example/"
Crawl = Callable[..., Run]
POLITE = {"politeness": {"rate": 1, "per_host": 1}}


@pytest.fixture(params=["memory", "durable"])
def crawled(request: pytest.FixtureRequest, tmp_path: Path) -> Crawl:
    if request.param == "memory":
        return crawl
    return lambda spider, site, **options: durable(spider, site, tmp_path, **options)


class Prices(Visits):
    """Fetches the price of each page from an API."""

    api = API

    async def parse(self, response: Response) -> Results:
        other = await self.fetch(f"{self.api}price{len(response.url)}")
        yield {"url": response.url, "price": other.json()}
        yield response.follow_links()


def site(*, api: str = API) -> TimedSite:
    return TimedSite(
        {
            HOME: "<a href=/a><a href=/b>",
            f"{HOME}a": "",
            f"{HOME}b": "",
            f"{api}price{len(HOME)}": b"1",
            f"{api}price{len(HOME) + 1}": b"2",
            f"{api}robots.txt": "",
            f"{HOME}robots.txt": "",
        }
    )


def test_fetch_returns_another_response_to_a_callback(crawled: Crawl) -> None:
    run = crawled(Prices, site())

    report = run.report
    assert [item["price"] for item in report.items] == [1, 2, 2]
    assert (report.pages, report.found, report.fetched) == (3, 3, 3)
    assert report.statuses == {"200": 6}
    assert report.summary()["fetched"] == 3


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("api", [API, HOME])
def test_fetch_keeps_the_pace_of_its_host_and_never_deadlocks(
    crawled: Crawl, workers: int, api: str
) -> None:
    class Paced(Prices):
        pass

    Paced.api = api
    asked = site(api=api)
    run = crawled(Paced, asked, crawl={"workers": workers}, **POLITE)

    assert run.report.pages == 3
    for host in {urls.host_of(HOME), urls.host_of(api)}:
        times = asked.times(f"//{host}/")
        gaps = [later - now for now, later in pairwise(times)]
        assert min(gaps) >= 0.999


def test_fetch_requests_robots_txt_once_and_obeys_it() -> None:
    asked = site()
    heard: list[FetchError] = []

    class Careful(Prices):
        async def parse(self, response: Response) -> Results:
            try:
                await self.fetch(f"{API}price{len(response.url)}")
            except FetchError as exc:
                heard.append(exc)
            yield response.follow_links()

    forbidden = len(HOME) + 1
    asked.pages[f"{API}robots.txt"] = f"User-agent: *\nDisallow: /price{forbidden}"
    run = crawl(Careful, asked, politeness={"robots": True})

    assert [exc.reason for exc in heard] == [Reason.ROBOTS_DENIED] * 2
    assert len(asked.times("api.example/robots.txt")) == 1
    assert f"{API}price{forbidden}" not in asked.urls
    assert run.report.pages == 3


def test_fetch_retries_by_the_policy_of_the_crawl(crawled: Crawl) -> None:
    asked = site()
    asked.pages[f"{API}price{len(HOME)}"] = in_turn(
        Reason.RESET, (503, {"retry-after": "3600"}, "later"), b"7"
    )

    run = crawled(Prices, asked, crawl={"callback_timeout": "10s"})

    assert run.report.items[0]["price"] == 7
    assert run.seconds >= 3600  # which is no time of the callback
    assert run.report.errors == {}


def test_a_failed_fetch_fails_its_page_once_with_its_reason(
    crawled: Crawl,
) -> None:
    class Heard(Prices):
        async def start(self) -> Results:
            yield Request(HOME, errback="failed")

        async def failed(self, failure: Failure) -> Results:
            yield {"reason": str(failure.reason), "detail": failure.detail}

    asked = FakeSite({HOME: ""})
    run = crawled(Heard, asked)

    assert asked.urls == [HOME, f"{API}price{len(HOME)}"]
    assert run.report.errors == {"http_status": 1}
    assert run.report.items == [
        {"reason": "http_status", "detail": "fetch() failed: status 404"}
    ]


def test_a_page_is_not_retried_because_of_its_fetch(crawled: Crawl) -> None:
    asked = FakeSite({HOME: "", f"{API}price{len(HOME)}": Reason.CONNECT_REFUSED})

    run = crawled(Prices, asked)

    assert asked.urls.count(HOME) == 1
    assert run.report.errors == {"connect_refused": 1}


def test_fetch_follows_redirects_with_the_cookies_of_the_session(
    crawled: Crawl,
) -> None:
    class Follows(Visits):
        async def start(self) -> Results:
            yield Request(HOME, session="member", cookies={"sid": "7"})

        async def parse(self, response: Response) -> Results:
            other = await self.fetch(f"{HOME}old")
            yield {"url": other.url, "text": other.text}

    def new(request: httpx.Request) -> str:
        return str(request.headers.get("cookie"))

    asked = FakeSite(
        {
            HOME: "",
            f"{HOME}old": (302, {"Location": "/new", "Set-Cookie": "a=1"}, ""),
            f"{HOME}new": new,
        }
    )
    run = crawled(Follows, asked)

    assert run.report.items == [{"url": f"{HOME}new", "text": "sid=7; a=1"}]


def test_fetch_accepts_the_statuses_of_the_request_and_any_type() -> None:
    class Any404(Visits):
        async def parse(self, response: Response) -> Results:
            other = await self.fetch(Request(f"{API}gone", statuses=[404]))
            yield {"status": other.status_code, "size": len(other.content)}

    asked = FakeSite(
        {HOME: "", f"{API}gone": (404, {"Content-Type": "image/png"}, b"123")}
    )

    assert crawl(Any404, asked).report.items == [{"status": 404, "size": 3}]


def test_waiting_for_fetch_does_not_count_towards_the_callback_timeout() -> None:
    class Slow(Visits):
        pause = 3.0

        async def parse(self, response: Response) -> Results:
            await asyncio.sleep(self.pause)
            other = await self.fetch(f"{API}slow")
            await asyncio.sleep(self.pause)
            yield {"text": other.text}

    class TooSlow(Slow):
        pause = 6.0

    asked = FakeSite({HOME: "", f"{API}slow": slowly(30, "x")})
    limits: Any = {"crawl": {"callback_timeout": "10s"}}

    assert crawl(Slow, asked, **limits).report.items == [{"text": "x"}]
    assert crawl(TooSlow, asked, **limits).report.errors == {"spider_error": 1}


def test_parallel_fetches_belong_to_their_page(crawled: Crawl) -> None:
    class Many(Visits):
        async def parse(self, response: Response) -> Results:
            texts: dict[str, str] = {}

            async def one(number: int) -> None:
                texts[f"n{number}"] = (await self.fetch(f"{API}{number}")).text
                self.count("fetched")

            async with asyncio.TaskGroup() as tasks:
                for number in range(5):
                    tasks.create_task(one(number))
            yield texts

    pages = {f"{API}{number}": f"<p>{number}" for number in range(5)}
    run = crawled(Many, FakeSite({HOME: "", **pages}))

    assert run.report.counts == {"fetched": 5}
    assert run.report.fetched == 5
    assert len(run.report.items[0]) == 5


def test_the_number_of_fetches_for_a_page_is_limited() -> None:
    class Endless(Visits):
        async def parse(self, response: Response) -> Results:
            for number in range(101):
                await self.fetch(f"{API}{number}")
            yield {}

    asked = FakeSite({HOME: "", **{f"{API}{n}": "" for n in range(101)}})
    run = crawl(Endless, asked)

    assert run.report.errors == {"spider_error": 1}
    assert any(
        "fetch() was already called 100 times" in line for line in run.report.advice
    )
    assert run.report.fetched == 101


def test_start_may_fetch_its_urls(crawled: Crawl) -> None:
    class Listed(Visits):
        async def start(self) -> Results:
            listing = await self.fetch(f"{API}list")
            for path in listing.json():
                yield Request(HOME + path)

    pages: dict[str, Any] = {f"{API}list": b'["a","b"]', f"{HOME}a": "", f"{HOME}b": ""}
    run = crawled(Listed, FakeSite(pages))

    assert sorted(item["url"] for item in run.report.items) == [f"{HOME}a", f"{HOME}b"]
    assert (run.report.pages, run.report.fetched) == (2, 1)
    assert run.report.statuses == {"200": 3}


@pytest.mark.parametrize("workers", [1, 4])
def test_prepare_may_fetch_a_token_from_the_same_slow_host(
    crawled: Crawl, workers: int
) -> None:
    class Tokens(Visits):
        token = ""

        async def prepare(self, request: Request) -> Request:
            if not self.token:
                answer = await self.fetch(Request(f"{HOME}token", method="POST"))
                self.token = answer.text
            return request.with_headers({"X-Token": self.token})

    asked = TimedSite({HOME: "<a href=/a>", f"{HOME}a": "", f"{HOME}token": "t"})
    run = crawled(Tokens, asked, crawl={"workers": workers}, **POLITE)

    assert run.report.pages == 2
    assert [each.headers.get("x-token") for each in asked.requests] == [None, "t", "t"]
    assert asked.times() == [0.0, 1.0, 2.0]
    assert run.report.fetched == 1


class Tabs:
    """A layer for the kind "browser": counts how many pages it draws at a time."""

    def __init__(self) -> None:
        self.open = self.most = self.drawn = 0

    def __call__(self, fetch: Fetch) -> Fetch:
        async def drawing(request: Request) -> Response:
            if request.kind != "browser":
                return await fetch(request)
            self.open += 1
            self.most = max(self.most, self.open)
            await asyncio.sleep(1)
            self.open -= 1
            self.drawn += 1
            return respond(request, 200, [("Content-Type", "text/html")], b"<p>drawn")

        return drawing


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("ceiling", [1, 2])
def test_fetches_count_towards_the_ceiling_of_their_kind(
    workers: int, ceiling: int
) -> None:
    class Drawn(Visits):
        async def start(self) -> Results:
            for number in range(5):
                yield Request(f"https://{number}.example/", kind="browser")

        async def prepare(self, request: Request) -> Request:
            await self.fetch(Request(f"{request.url}token", kind="browser"))
            return request

        async def parse(self, response: Response) -> Results:
            urls_of_details = [f"{response.url}{name}" for name in "ab"]
            await asyncio.gather(
                *(self.fetch(Request(it, kind="browser")) for it in urls_of_details)
            )
            yield {"url": response.url}

    tabs = Tabs()
    run = crawl(
        Drawn,
        FakeSite({}),
        terms={"layers": [tabs], "ceilings": {"browser": ceiling}},
        crawl={"workers": workers},
        politeness={"robots": False},
    )

    assert run.report.pages == 5
    # Each page and each of its two fetches, and the token of each of these.
    assert (tabs.drawn, tabs.most) == (5 * 3 * 2, ceiling)


def test_only_callbacks_may_count_not_prepare() -> None:
    class Counts(Visits):
        async def prepare(self, request: Request) -> Request:
            self.count("prepared")
            return request

    run = crawl(Counts, FakeSite({HOME: ""}))

    assert any(
        "count() cannot be called in prepare()" in line for line in run.report.advice
    )


def test_a_page_killed_during_a_fetch_is_requested_again_with_it(
    tmp_path: Path,
) -> None:
    for run in killed_and_resumed(Prices, site, tmp_path):
        report = run.report
        assert sorted(item["price"] for item in report.items) == [1, 2, 2]
        assert (report.pages, report.found) == (3, 3)
        assert report.fetched == 3  # of pages that landed


def test_why_shows_the_fetches_of_a_page(tmp_path: Path) -> None:
    durable(Prices, site(), tmp_path)

    reader = SqliteReader(tmp_path).run("job")
    explained = reader.explain(Request(HOME).fingerprint())

    assert explained is not None
    assert explained.detail == f"fetched {API}price{len(HOME)} (200)"


def test_many_pages_that_wait_for_one_slow_host_all_end() -> None:
    class All(Visits):
        start_urls = [f"https://h{n}.example/" for n in range(40)]

        async def parse(self, response: Response) -> Results:
            await self.fetch(f"{API}?{response.url}")
            yield {"url": response.url}

    pages: dict[str, Any] = dict.fromkeys(All.start_urls, "")
    pages |= {f"{API}?{url}": "" for url in All.start_urls}
    run = crawl(
        All,
        FakeSite(pages),
        crawl={"workers": 4},
        politeness={"rate": 1, "per_host": 1},
    )

    assert run.report.pages == 40
    assert run.seconds == pytest.approx(39, abs=2)


def test_the_limit_on_pages_does_not_prevent_a_fetch(crawled: Crawl) -> None:
    run = crawled(Prices, site(), terms={"pages": 1})

    assert (run.report.pages, run.report.fetched) == (1, 1)
    assert run.report.finish_reason is FinishReason.PAGES_LIMIT


def test_an_invalid_fetch_is_reported() -> None:
    class Wrong(Visits):
        async def parse(self, response: Response) -> Results:
            await self.fetch(Request(f"{API}a", stream=True))
            yield {}

    run = crawl(Wrong, FakeSite({HOME: ""}))

    assert any("has `stream` or `errback`" in line for line in run.report.advice)


async def test_fetch_outside_of_a_crawl_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"call it in start\(\), prepare\(\)"):
        await Visits().fetch(HOME)


@pytest.mark.parametrize("hook", ["prepare", "parse"])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_lock_around_a_fetch_to_the_same_host_does_not_deadlock(
    crawled: Crawl, hook: str, workers: int
) -> None:
    class Locked(Visits):
        start_urls = [f"{HOME}{number}" for number in range(6)]
        tokens = 0

        def __init__(self) -> None:
            super().__init__()
            self.lock = asyncio.Lock()

        async def token(self) -> None:
            async with self.lock:
                await self.fetch(f"{HOME}token")
                self.tokens += 1

        async def prepare(self, request: Request) -> Request:
            if hook == "prepare":
                await self.token()
            return request

        async def parse(self, response: Response) -> Results:
            if hook == "parse":
                await self.token()
            yield {"tokens": self.tokens}

    pages: dict[str, Any] = dict.fromkeys([*Locked.start_urls, f"{HOME}token"], "")
    asked = TimedSite(pages)
    run = crawled(Locked, asked, crawl={"workers": workers}, **POLITE)

    assert (run.report.pages, run.report.fetched) == (6, 6)
    assert asked.times() == [float(second) for second in range(12)]
