"""Cookie walls are passed again when their cookie is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from tenacity import wait_none

from crawler import Crawl, Report, Request, Response, Results, Spider, crawl
from crawler.testing import Answer, FakeSite

HOME, WALL = "https://site.example/", "https://site.example/wall"
COUNT = 20
Settings = dict[str, dict[str, object]]


class Titles(Spider):
    name = "titles"
    start_urls = [HOME]
    wait = staticmethod(wait_none())

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_links()


class Walled:
    """A site whose pages want a cookie that is good for `lasting` pages.

    Its wall leads back to where the visitor came from, or always to the first page; it
    opens `openings` times, and `last` is its answer from then on.
    """

    def __init__(
        self,
        lasting: int,
        *,
        leads_back: bool = True,
        openings: int = 1_000,
        last: Answer = None,
    ) -> None:
        self._lasting, self._left = lasting, 0
        self._leads_back = leads_back
        self._openings = openings
        self._last = last
        self._wanted = "/"
        self.on_opening: Callable[[], object] = lambda: None
        pages = {f"{HOME}{number}": self._page for number in range(COUNT)}
        self.site = FakeSite({HOME: self._page, WALL: self._wall, **pages})

    def _page(self, request: httpx.Request) -> Answer:
        if not self._left or "pass" not in request.headers.get("cookie", ""):
            self._wanted = request.url.path
            return (302, {"Location": "/wall"}, "")
        self._left -= 1
        return "".join(f"<a href=/{number}>x</a>" for number in range(COUNT))

    def _wall(self, request: httpx.Request) -> Answer:
        if not self._openings:
            return self._last
        self._openings -= 1
        self.on_opening()
        self._left = self._lasting
        target = self._wanted if self._leads_back else "/"
        return (302, {"Location": target, "Set-Cookie": "pass=1; Path=/"}, "")


def crawled(walled: Walled, workers: int = 1, **terms: object) -> Report:
    settings: Settings = {"crawl": {"workers": workers}}
    if folder := terms.pop("folder", None):
        settings["storage"] = {"dir": str(folder)}
        terms["job"] = "titles"
    report = crawl(Titles, settings, transport=walled.site, **terms)
    ended = report.pages + report.failed + report.redirected + report.pending
    assert report.found == ended + sum(report.skipped.values())
    return report


@pytest.mark.parametrize("is_durable", [False, True])
@pytest.mark.parametrize("leads_back", [True, False])
def test_pages_whose_cookie_is_missing_pass_the_wall_again(
    tmp_path: Path, leads_back: bool, is_durable: bool
) -> None:
    folder = tmp_path if is_durable else None

    report = crawled(Walled(4, leads_back=leads_back), folder=folder)

    assert (report.pages, report.redirected, report.pending) == (COUNT + 1, 1, 0)
    assert len(report.items) == COUNT + 1
    assert report.exit_code == 0


def test_pages_that_meet_the_wall_at_the_same_time_all_pass() -> None:
    report = crawled(Walled(7), workers=4)

    assert (report.pages, report.redirected, report.pending) == (COUNT + 1, 1, 0)


async def test_a_resumed_run_knows_a_cookie_wall(
    tmp_path: Path,
) -> None:
    walled = Walled(4)
    settings: Settings = {"crawl": {"workers": 1}, "storage": {"dir": str(tmp_path)}}

    first = Crawl(Titles(), settings, job="titles", transport=walled.site)

    def stop_at_the_second_wall() -> None:
        if walled.site.urls.count(WALL) == 2:
            first.stop()

    walled.on_opening = stop_at_the_second_wall
    await first.wait()
    walled.on_opening = lambda: None
    second = await Crawl(Titles(), settings, job="titles", transport=walled.site).wait()

    assert second.resumed
    assert 0 < first.report.pages < COUNT
    assert (second.pages, second.redirected, second.pending) == (COUNT + 1, 1, 0)


def test_a_wall_that_never_lets_a_page_through_is_reported_for_each_page() -> None:
    shut = (302, {"Location": "/"}, "")

    report = crawled(Walled(4, openings=1, last=shut))

    assert report.pages == 4
    assert report.errors == {"redirect_limit": COUNT + 1 - 4}
    assert report.exit_code == 3


@pytest.mark.parametrize("last", ["a page now", (404, "gone")])
def test_a_wall_that_no_longer_redirects_is_an_ordinary_page(last: Answer) -> None:
    report = crawled(Walled(4, openings=1, last=last))

    assert report.pages + report.failed + report.redirected == COUNT + 2
    assert report.redirected > 0


class Given(Spider):
    """Starts with a cookie of its own."""

    name = "given"
    scope = "none"
    used = ("", "other")

    async def start(self) -> AsyncIterator[Request]:
        for session in self.used:
            yield Request(
                HOME + session,
                cookies={"age": "18"} if session == "" else None,
                session=session,
            )

    async def parse(self, response: Response) -> Results:
        yield response.follow_links()


def test_cookies_of_a_request_are_kept_for_requests_from_its_page() -> None:
    sent: dict[str, str] = {}

    def page(request: httpx.Request) -> Answer:
        sent[str(request.url)] = request.headers.get("cookie", "")
        links = "".join(f"<a href={link}>x</a>" for link in ("/a", "//x.example/"))
        return 200, {"Set-Cookie": "seen=1"}, links

    names = (HOME, HOME + "a", "https://x.example/")
    crawl(
        type("One", (Given,), {"used": ("",)}),
        transport=FakeSite(dict.fromkeys(names, page)),
    )

    assert sent == {HOME: "age=18", HOME + "a": "age=18; seen=1", names[2]: ""}


def test_cookies_of_a_request_belong_to_its_session() -> None:
    sent: dict[str, str] = {}

    def page(request: httpx.Request) -> Answer:
        sent[request.url.path] = request.headers.get("cookie", "")
        return "x"

    crawl(Given, transport=FakeSite({HOME: page, HOME + "other": page}))

    assert sent == {"/": "age=18", "/other": ""}
