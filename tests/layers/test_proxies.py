"""Lists of proxies: one for each try, paused, banned, shown without credentials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from crawler import ConfigError, Proxies, Request, Response, Results
from crawler.testing import FakeSite, Page
from tests.run.killing import durable, killed_and_resumed
from tests.run.timed import HOME, Run, TimedSite, Visits, crawl

Crawl = Callable[..., Run]
A, B, C = (f"http://{name}.example:3128" for name in "abc")


@pytest.fixture(params=["memory", "durable"])
def crawled(request: pytest.FixtureRequest, tmp_path: Path) -> Crawl:
    if request.param == "memory":
        return crawl
    return lambda spider, site, **options: durable(spider, site, tmp_path, **options)


class Behind(TimedSite):
    """A site behind proxies, some of which are down."""

    def __init__(self, count: int = 6) -> None:
        self.down: set[str] = set()
        super().__init__({f"{HOME}{number}": self.page for number in range(count)})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = str(request.extensions.get("proxy", ""))
        response = await super().handle_async_request(request)
        if proxy in self.down:
            raise httpx.ProxyError(f"{proxy} is down")
        return response

    def page(self, request: httpx.Request) -> str:
        return "fine"

    def ways(self, part: str = "site") -> list[str]:
        return [asked.proxy for asked in self.log if part in asked.url]


class Pooled(Visits):
    start_urls = [f"{HOME}{number}" for number in range(6)]
    proxies: Any = [A, B, C]


def one_by_one(
    crawled: Crawl, spider: type[Visits], site: FakeSite, **more: Any
) -> Run:
    return crawled(spider, site, crawl={"workers": 1}, **more)


def test_each_request_uses_the_next_proxy(crawled: Crawl) -> None:
    site = Behind()

    run = one_by_one(crawled, Pooled, site)

    assert sorted(site.ways()) == [A, A, B, B, C, C]
    assert run.report.proxies == {
        proxy: {"asked": 2, "failed": 0, "banned": 0} for proxy in (A, B, C)
    }
    assert run.report.summary()["proxies"] == run.report.proxies


def test_robots_txt_uses_the_proxy_list_too() -> None:
    site = Behind()

    crawl(Pooled, site, politeness={"robots": True})

    assert "" not in site.ways()
    assert len(site.ways("robots.txt")) == 1


def test_a_failing_proxy_is_paused_and_the_page_is_retried_by_another(
    crawled: Crawl,
) -> None:
    site = Behind()
    site.down = {A}

    run = one_by_one(crawled, Pooled, site, retry={"attempts": 1})

    assert (run.report.pages, run.report.failed) == (6, 0)
    assert run.report.proxies[A]["failed"] >= 1
    assert site.ways().count(A) <= 3
    assert run.report.exit_code == 0


def test_while_all_proxies_are_paused_the_crawl_waits_says_so_and_continues(
    crawled: Crawl, caplog: pytest.LogCaptureFixture
) -> None:
    site = Behind()
    site.down = {A, B, C}

    class Back(Pooled):
        async def parse(self, response: Response) -> Results:
            yield {"url": response.url}

    original = site.handle_async_request

    async def later(request: httpx.Request) -> httpx.Response:
        if site.log and site.times()[-1] > 300:
            site.down.clear()
        return await original(request)

    site.handle_async_request = later  # type: ignore[method-assign]
    run = crawled(Back, site)

    assert (run.report.pages, run.report.failed) == (6, 0)
    assert "" not in site.ways()
    assert "All proxies for a request are paused after failures" in caplog.text
    assert run.seconds > 300


@pytest.mark.parametrize("by", ["session", "host"])
def test_a_session_or_host_keeps_its_proxy_while_the_proxy_works(by: Any) -> None:
    other = "https://other.example/"

    class Kept(Pooled):
        proxies = Proxies([A, B, C], by=by)

        async def start(self) -> Results:
            for number in range(6):
                yield Request(f"{HOME}{number}", session="one")
                yield Request(f"{other}{number}", session="two")

    site = Behind()
    pages: dict[str, Page] = {f"{other}{number}": "fine" for number in range(6)}
    site.pages |= pages
    crawl(Kept, site)

    here, there = set(site.ways("site.example")), set(site.ways("other.example"))
    assert (len(here), len(there)) == (1, 1)
    assert here != there


def test_a_tag_selects_among_the_proxies_with_this_tag() -> None:
    class Tagged(Pooled):
        proxies = [f"{A} de", f"{B} us fast", f"{C} us"]

        async def start(self) -> Results:
            for number in range(3):
                yield Request(f"{HOME}{number}", proxy="tag:us")
            yield Request(f"{HOME}3", proxy="tag:fast")
            yield Request(f"{HOME}4", proxy="tag:nothing")
            yield Request(f"{HOME}5", proxy="http://own.example:3128")

    site = Behind()
    run = crawl(Tagged, site)

    ways = {asked.url: asked.proxy for asked in site.log}
    assert {ways[f"{HOME}{number}"] for number in range(3)} == {B, C}
    assert ways[f"{HOME}3"] == B
    assert f"{HOME}4" not in ways
    assert ways[f"{HOME}5"] == "http://own.example:3128"
    assert run.report.errors == {"proxy_error": 1}
    assert any("no proxy has the tag 'nothing'" in line for line in run.report.advice)


def test_a_pause_of_all_proxies_with_a_tag_is_told_with_the_tag_and_their_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Tagged(Pooled):
        proxies = [f"{A} de", f"{B} us", f"{C} us"]

        async def start(self) -> Results:
            yield Request(HOME + "0", proxy="tag:us")

    class Back(Behind):
        """Its proxies work again after four requests."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.down = {B, C} if len(self.log) < 4 else set()
            return await super().handle_async_request(request)

    run = crawl(Tagged, Back())

    assert run.report.pages == 1

    assert "All proxies with the tag 'us' for a request are paused" in caplog.text
    assert "number of these proxies: 2" in caplog.text


@pytest.mark.parametrize(
    "how",
    [{"ban_statuses": [403]}, {"ban_selector": "#captcha"}, {"is_banned": "is_ban"}],
)
def test_a_ban_is_recognised_and_the_page_is_retried_by_another_proxy(
    crawled: Crawl, how: dict[str, Any]
) -> None:
    class Banned(Behind):
        def page(self, request: httpx.Request) -> Any:
            is_banned = request.extensions["proxy"] == A
            return (403, "<p id=captcha>banned") if is_banned else "fine"

    class Knows(Pooled):
        proxies = Proxies([A, B, C], **how)

        async def is_ban(self, response: Response) -> bool:
            return "banned" in response.text

    run = one_by_one(crawled, Knows, Banned())

    assert (run.report.pages, run.report.failed) == (6, 0)
    assert run.report.proxies[A]["banned"] == 1
    assert run.report.proxies[A]["asked"] == 1


def test_a_page_for_which_every_proxy_is_banned_fails_in_the_end() -> None:
    class Banned(Behind):
        def page(self, request: httpx.Request) -> Any:
            return (403, "no")

    class Knows(Pooled):
        start_urls = [f"{HOME}0"]
        proxies = Proxies([A, B], ban_statuses=[403])

    run = crawl(Knows, Banned())

    assert run.report.errors == {"proxy_error": 1}
    assert any("has banned the proxy" in line for line in run.report.advice)


def test_credentials_of_proxies_are_never_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")

    class Secret(Pooled):
        start_urls = [f"{HOME}0"]
        proxies = Proxies(["http://me:s3cret@a.example:3128"], ban_statuses=[403])

    class Banned(Behind):
        def page(self, request: httpx.Request) -> Any:
            return (403, "no")

    report = crawl(Secret, Banned()).report

    told = f"{report} {report.summary()} {caplog.text} {Secret.proxies!r}"
    assert "s3cret" not in told
    assert list(report.proxies) == ["http://***@a.example:3128"]


def test_the_proxy_list_of_the_settings_serves_spiders_without_one(
    tmp_path: Path,
) -> None:
    class Plain(Visits):
        start_urls = [f"{HOME}0", f"{HOME}1"]

    path = tmp_path / "proxies.txt"
    path.write_text(f"# ours\n{B} us\n\n")
    site = Behind()

    crawl(Plain, site, proxies={"list": [A], "file": str(path)})

    assert sorted(site.ways()) == [A, B]


def test_a_crawl_killed_at_any_commit_resumes_with_its_proxies(tmp_path: Path) -> None:
    def site() -> Behind:
        made = Behind()
        made.down = {A}
        return made

    for run in killed_and_resumed(Pooled, site, tmp_path):
        assert sorted(item["url"] for item in run.report.items) == Pooled.start_urls


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("http://a:1", "a list of URLs"),
        (["gopher://me:s3cret@a"], "proxy"),
        (Proxies([]), "the list is empty"),
        (Proxies(file="nothing.txt"), "nothing.txt"),
        (Proxies([A], is_banned="nothing"), "no method 'nothing'"),
    ],
)
def test_an_invalid_proxy_list_is_an_error_before_the_crawl(
    given: Any, said: str
) -> None:
    class Wrong(Visits):
        proxies = given

    with pytest.raises(ConfigError, match=said) as caught:
        crawl(Wrong, Behind())

    assert "s3cret" not in str(caught.value)


def test_an_error_about_a_proxy_list_in_the_settings_shows_no_password() -> None:
    with pytest.raises(ConfigError, match=r"proxies\.list") as caught:
        crawl(Visits, Behind(), proxies={"list": ["gopher://me:s3cret@a"]})

    assert "s3cret" not in str(caught.value)
