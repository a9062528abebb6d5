"""robots.txt is requested once, by the route of the request that needs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import anyio
import httpx
import pytest
from tenacity import stop_after_attempt, wait_fixed, wait_none

from crawler import Reason, Request, Response, Results, Spider, crawl
from crawler.errors import FetchError
from crawler.frontier.host_pace import HostPace, Pace
from crawler.frontier.way_health import WayHealth
from crawler.layers import respond
from crawler.layers.retry_policy import Retries
from crawler.layers.robots_gate import RobotsTable
from crawler.settings import RetrySettings
from crawler.testing import Answer, FakeSite
from crawler.web.robots_txt import MAX_BYTES
from tests.virtual_time import run_virtual

HOME = "https://site.example/"
ROBOTS = HOME + "robots.txt"
GOOD, BAD = "http://good.example:3128", "http://bad.example:3128"


class Proxied(Spider):
    """Asks for a page by each of the proxies that it is given, in this order."""

    name = "proxied"
    scope = "none"
    stop = staticmethod(stop_after_attempt(2))
    wait = staticmethod(wait_none())
    ways: tuple[str, ...] = ()

    async def start(self) -> AsyncIterator[Request]:
        for number, proxy in enumerate(self.ways):
            yield Request(f"{HOME}{number}", proxy=proxy, priority=-number)

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def by(*proxies: str) -> type[Spider]:
    return type("By", (Proxied,), {"ways": proxies})


def proxy_of(request: httpx.Request) -> str:
    return str(request.extensions.get("proxy", ""))


def noting(asked: list[str], answer: Answer = "") -> Callable[[httpx.Request], Answer]:
    """A page that notes the proxies by which it is asked; BAD reaches nothing."""

    def page(request: httpx.Request) -> Answer:
        asked.append(proxy_of(request))
        return Reason.CONNECT_REFUSED if proxy_of(request) == BAD else answer

    return page


def site(asked: list[str], robots: Answer = "") -> FakeSite:
    pages = {f"{HOME}{number}": noting([], "page") for number in range(4)}
    return FakeSite({ROBOTS: noting(asked, robots), **pages})


def test_robots_txt_is_requested_by_the_proxy_of_the_request_that_needs_it() -> None:
    asked: list[str] = []

    report = crawl(by(GOOD), transport=site(asked))

    assert (report.pages, asked) == (1, [GOOD])


def test_redirects_of_robots_txt_use_the_proxy_too() -> None:
    asked: list[str] = []
    moved = site(asked, (302, {"Location": "/elsewhere.txt"}, ""))
    moved.pages[f"{HOME}elsewhere.txt"] = noting(asked, b"User-agent: *\nDisallow: /0")

    report = crawl(by(GOOD, GOOD), transport=moved)

    assert asked == [GOOD, GOOD]
    assert (report.pages, report.skipped) == (1, {"robots_denied": 1})


def test_robots_txt_applies_to_requests_by_every_route() -> None:
    asked: list[str] = []
    robots = b"User-agent: *\nDisallow: /1\nDisallow: /2"

    report = crawl(by("", GOOD, ""), transport=site(asked, robots))

    assert asked == [""]
    assert (report.pages, report.skipped) == (1, {"robots_denied": 2})


def test_a_proxy_that_cannot_reach_robots_txt_does_not_block_other_routes() -> None:
    asked: list[str] = []

    report = crawl(by(BAD, BAD, GOOD, ""), transport=site(asked))

    assert asked.count(GOOD) == 1
    assert report.pages == 2
    assert report.errors == {"proxy_error": 2}


@pytest.mark.parametrize(
    "robots",
    [
        pytest.param((302, {"Location": "/robots.txt"}, ""), id="an endless redirect"),
        pytest.param((302, {}, ""), id="a redirect to nowhere"),
        pytest.param((302, {"Location": "ftp://x.example/"}, ""), id="no web address"),
        pytest.param((404, "User-agent: *\nDisallow: /"), id="not there"),
        pytest.param(
            b"#" * MAX_BYTES + b"\nUser-agent: *\nDisallow: /", id="beyond the bound"
        ),
    ],
)
def test_rules_that_cannot_be_parsed_forbid_nothing(robots: Answer) -> None:
    report = crawl(by(""), transport=site([], robots))

    assert report.pages == 1


def test_robots_txt_is_read_only_up_to_its_size_limit() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b"User-agent: *\nDisallow: /0\n"
        for _ in range(1000):
            taken += 1
            yield b"#" * 100_000

    report = crawl(by("", ""), transport=site([], (200, {}, endless())))

    assert (report.pages, report.skipped) == (1, {"robots_denied": 1})
    assert taken <= MAX_BYTES // 100_000 + 1


def test_max_body_does_not_apply_to_robots_txt() -> None:
    rules = b"#" * 200_000 + b"\nUser-agent: *\nDisallow: /"

    report = crawl(by(""), {"http": {"max_body": 1000}}, transport=site([], rules))

    assert report.skipped == {"robots_denied": 1}


def test_an_origin_without_a_response_for_robots_txt_fails_with_its_reason() -> None:
    async def never(request: httpx.Request) -> Answer:
        await anyio.sleep_forever()
        raise AssertionError

    silent = site([])
    silent.pages[ROBOTS] = never

    report = crawl(by("", ""), {"http": {"total": 0.01}}, transport=silent)

    assert report.errors == {"deadline": 2}
    assert (
        "robots.txt could not be fetched: the request took over 0.01 s, the"
        in report.advice[0]
    )


def test_a_crawl_delay_sets_the_pace_of_the_host() -> None:
    asked: list[float] = []

    def page(request: httpx.Request) -> Answer:
        asked.append(time.monotonic())
        return "page"

    slow = site([], b"User-agent: *\nCrawl-delay: 0.05")
    slow.pages |= {f"{HOME}{number}": page for number in range(3)}

    crawl(by("", "", ""), transport=slow)

    assert asked[2] - asked[0] >= 0.1


# -- the table, in virtual time


ORIGIN = "https://site.example"
DAY, WAIT = 24 * 3600.0, 7.0
DENYING = b"User-agent: *\nDisallow: /private"
UNREACHED = FetchError(Reason.PROXY_ERROR, "no way", way=BAD)
Given = tuple[int, bytes] | tuple[int, str] | FetchError


class Table:
    """A table, and the answers that its requests get in turn; the last one stays.

    An answer is a status with a body, a redirect with its target, or an error.
    """

    def __init__(self, *answers: Given, wait: float = WAIT) -> None:
        self._answers = list(answers)
        self.asked: list[Request] = []
        self.ways = WayHealth()
        self.hosts = HostPace(lambda host: Pace(4, 0))
        retries = Retries(RetrySettings(), stop_after_attempt(3), wait_fixed(wait))
        self.robots = RobotsTable(
            "crawler", self._fetch, self.hosts, self.ways, retries, timeout=30.0
        )

    async def _fetch(self, request: Request, /) -> Response:
        self.asked.append(request)
        answer = self._answers[0]
        if len(self._answers) > 1:
            self._answers.pop(0)
        if isinstance(answer, FetchError):
            raise answer
        status, content = answer
        if isinstance(content, str):
            return respond(request, status, [("Location", content)])
        return respond(request, status, content=content)

    async def ask(self, proxy: str = "") -> float | None:
        """How many seconds later to ask again; None: requests can be judged."""
        at = await self.robots.ask(ORIGIN, proxy)
        return None if at is None else at - asyncio.get_running_loop().time()

    def knows(self, proxy: str = "") -> bool:
        return self.robots.knows(ORIGIN, proxy)

    def reason(self, path: str = "/", proxy: str = "") -> Reason | None:
        """Why a request may not be made."""
        denied = self.robots.verdict(Request(ORIGIN + path, proxy=proxy))
        return None if denied is None else denied.reason


def test_robots_txt_is_kept_for_a_day() -> None:
    async def main() -> None:
        table = Table((200, DENYING))
        assert not table.knows()

        assert await table.ask() is None
        await asyncio.sleep(DAY - 1)
        assert table.knows()
        assert table.knows(GOOD)
        assert table.reason("/private/1") is Reason.ROBOTS_DENIED
        assert table.reason("/") is None

        await asyncio.sleep(1)
        assert not table.knows()

    run_virtual(main)


@pytest.mark.parametrize(
    ("status", "is_denied"), [(200, True), (299, True), (300, False), (404, False)]
)
def test_only_a_successful_response_contains_rules(
    status: int, is_denied: bool
) -> None:
    async def main() -> None:
        table = Table((status, DENYING))

        assert await table.ask() is None

        assert (table.reason("/private") is Reason.ROBOTS_DENIED) is is_denied

    run_virtual(main)


def test_an_origin_without_a_robots_txt_request_denies_nothing() -> None:
    async def main() -> None:
        assert Table((200, DENYING)).reason("/private") is None

    run_virtual(main)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_unreachable_robots_txt_is_retried_and_finally_denies_everything(
    status: int,
) -> None:
    async def main() -> None:
        table = Table((status, b""))

        assert [await table.ask() for _ in range(3)] == [WAIT, WAIT, None]
        assert table.reason() is Reason.ROBOTS_UNREACHABLE
        await asyncio.sleep(DAY - 1)
        assert table.knows()
        await asyncio.sleep(1)
        assert not table.knows()
        assert await table.ask() == WAIT  # it has all its tries again

    run_virtual(main)


def test_a_response_resets_the_number_of_tries() -> None:
    async def main() -> None:
        table = Table((500, b""), (500, b""), (404, b""), (500, b""))
        assert [await table.ask() for _ in range(3)] == [WAIT, WAIT, None]

        assert [await table.ask() for _ in range(3)] == [WAIT, WAIT, None]

    run_virtual(main)


@pytest.mark.parametrize(
    ("reason", "pauses"),
    [
        pytest.param(Reason.RESET, [WAIT, WAIT, None], id="may succeed later"),
        pytest.param(Reason.HEADER_TOO_LARGE, [None] * 3, id="will not succeed"),
    ],
)
def test_a_failed_robots_txt_is_retried_as_its_reason_allows(
    reason: Reason, pauses: list[float | None]
) -> None:
    async def main() -> None:
        table = Table(FetchError(reason, "what happened"))

        assert [await table.ask() for _ in range(3)] == pauses
        assert table.reason() is reason

    run_virtual(main)


@pytest.mark.parametrize(
    ("hops", "is_denied"), [(0, True), (5, True), (6, False), (7, False)]
)
def test_five_redirects_of_robots_txt_are_followed(hops: int, is_denied: bool) -> None:
    async def main() -> None:
        moves: list[Given] = [(301, f"/{number}.txt") for number in range(hops)]
        table = Table(*moves, (200, DENYING))

        assert await table.ask() is None
        assert len(table.asked) == min(hops, 5) + 1
        assert (table.reason("/private") is not None) is is_denied

    run_virtual(main)


def test_an_invalid_redirect_of_robots_txt_denies_nothing() -> None:
    async def main() -> None:
        table = Table((301, "ftp://site.example/"), (200, DENYING))

        assert await table.ask() is None
        assert (len(table.asked), table.reason("/private")) == (1, None)

    run_virtual(main)


def test_requests_for_robots_txt_have_a_purpose_and_no_body_limit() -> None:
    async def main() -> None:
        table = Table((302, "/other.txt"), (200, b""))
        await table.ask(GOOD)

        for request in table.asked:
            assert (request.purpose, request.options.proxy) == ("robots", GOOD)
            assert request.options.stream
        assert table.asked[0].url == ROBOTS

    run_virtual(main)


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [pytest.param(WAIT, WAIT, id="first wait"), pytest.param(0.1, 1.0, id="a second")],
)
def test_a_failed_route_is_tried_again_after_a_moment_and_others_at_once(
    wait: float, seconds: float
) -> None:
    async def main() -> None:
        table = Table(UNREACHED, wait=wait)

        assert await table.ask(BAD) is None
        assert table.knows(BAD)
        assert table.reason(proxy=BAD) is Reason.PROXY_ERROR
        assert not table.knows(GOOD)
        assert table.reason(proxy=GOOD) is None
        await asyncio.sleep(seconds - 0.01)
        assert table.knows(BAD)
        await asyncio.sleep(0.01)
        assert not table.knows(BAD)

    run_virtual(main)


def test_routes_that_fail_for_robots_txt_are_paused_as_for_pages() -> None:
    async def main() -> None:
        table = Table(UNREACHED)
        for _ in range(10):
            assert table.ways.usable_at(BAD) == 0.0
            await table.ask(BAD)

        assert table.ways.usable_at(BAD) == asyncio.get_running_loop().time() + 60

    run_virtual(main)


def test_a_route_failure_replaces_an_outdated_robots_txt() -> None:
    async def main() -> None:
        table = Table((200, DENYING), UNREACHED)
        await table.ask(BAD)
        await asyncio.sleep(DAY)
        assert not table.knows(BAD)

        await table.ask(BAD)

        assert table.knows(BAD)  # not asked again at once, and again
        assert table.reason(proxy=BAD) is Reason.PROXY_ERROR

    run_virtual(main)


@pytest.mark.parametrize("size", [100, 200_000])
def test_a_long_robots_txt_is_parsed_like_a_short_one(size: int) -> None:
    async def main() -> None:
        table = Table((200, DENYING + b"\n#" + b"x" * size))

        assert await table.ask() is None
        assert table.reason("/private") is Reason.ROBOTS_DENIED

    run_virtual(main)


def test_above_the_maximum_the_oldest_failed_route_is_forgotten() -> None:
    async def main() -> None:
        table = Table(UNREACHED)
        first, second, third = (f"https://h{number}.example" for number in range(3))
        for number in range(20_000):
            await table.robots.ask(f"https://h{number}.example", BAD)
        await table.robots.ask(first, BAD)
        assert table.robots.knows(second, BAD)

        await table.robots.ask("https://another.example", BAD)

        known = [table.robots.knows(each, BAD) for each in (first, second, third)]
        assert known == [True, False, True]

    run_virtual(main)


def test_above_the_maximum_the_oldest_origin_is_forgotten() -> None:
    async def main() -> None:
        table = Table((404, b""))
        for number in range(20_000):
            await table.robots.ask(f"https://h{number}.example")
        await table.robots.ask("https://h0.example")
        assert table.robots.knows("https://h1.example", "")

        await table.robots.ask("https://another.example")

        assert not table.robots.knows("https://h1.example", "")
        assert table.robots.knows("https://h0.example", "")
        assert table.robots.knows("https://h2.example", "")

    run_virtual(main)
