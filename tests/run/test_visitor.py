"""The outcome of a visit, tested by whole crawls in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from anyio.to_thread import current_default_thread_limiter
from tenacity import stop_after_attempt

from crawler import Failure, Reason, Request, Response, Results, Spider
from crawler.layers import Fetch, respond
from crawler.run.observers import Observer
from crawler.store.base import Outcome
from crawler.testing import Answer, FakeSite, Page
from tests.run.timed import (
    HOME,
    WAIT,
    TimedSite,
    Visits,
    crawl,
    in_turn,
    numbered,
    slowly,
    starting,
)


def linked(*paths: str) -> str:
    return "".join(f"<a href='{path}'>x</a>" for path in paths)


def visited(items: list[Any]) -> list[str]:
    return sorted(item["url"] for item in items)


class Heard(Visits):
    """Asks for its start URLs with an errback, which yields what it heard."""

    async def start(self) -> AsyncIterator[Request]:
        for url in self.start_urls:
            yield Request(url, errback=self.failed)

    async def failed(self, failure: Failure) -> Results:
        body = None if failure.response is None else failure.response.text
        yield {"reason": failure.reason, "detail": failure.detail, "body": body}


class Seen(Observer):
    """Keeps the outcomes of visits."""

    def __init__(self) -> None:
        self.visits: list[Outcome] = []

    def landed(self, outcome: Outcome) -> None:
        if outcome.entry is not None:
            self.visits.append(outcome)


class Body:
    """A body in pieces that notes how many were taken, and whether it was closed."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.taken = 0
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece

    async def aclose(self) -> None:
        self.is_closed = True


# -- what becomes of an answer


@pytest.mark.parametrize(
    ("content_type", "is_page"),
    [
        pytest.param("text/html", True, id="HTML"),
        pytest.param("TEXT/HTML; charset=utf-8", True, id="HTML in capitals"),
        pytest.param("application/xhtml+xml", True, id="XHTML"),
        pytest.param("application/rss+xml", True, id="what ends in +xml"),
        pytest.param("application/ld+json", True, id="what ends in +json"),
        pytest.param("application/json", True, id="JSON"),
        pytest.param("", True, id="no type"),
        pytest.param("text/plain", False, id="plain text"),
        pytest.param("image/svg", False, id="an image"),
        pytest.param("application/xmlish", False, id="what only looks like XML"),
    ],
)
def test_a_callback_receives_the_usual_types(content_type: str, is_page: bool) -> None:
    site = FakeSite({HOME: (200, {"content-type": content_type}, b"<p>")})

    run = crawl(starting(HOME), site)

    assert run.report.pages == is_page
    assert run.report.skipped.get("unwanted_type", 0) == (not is_page)


@pytest.mark.parametrize(
    ("accepts", "wanted"),
    [
        pytest.param(("image/png",), ["image/png"], id="one type"),
        pytest.param(("+xml",), ["image/svg+xml"], id="an ending"),
        pytest.param(
            ("*/*",), ["image/png", "image/svg+xml", "text/html"], id="all of them"
        ),
    ],
)
def test_a_callback_receives_the_types_that_its_spider_accepts(
    accepts: tuple[str, ...], wanted: list[str]
) -> None:
    types = ["image/png", "image/svg+xml", "text/html"]
    urls = numbered(3)
    site = FakeSite(
        {
            url: (200, {"content-type": kind}, b"<p>")
            for url, kind in zip(urls, types, strict=True)
        }
    )

    run = crawl(starting(*urls, accepts=accepts), site)

    assert visited(run.report.items) == [urls[types.index(kind)] for kind in wanted]


def test_a_streamed_request_accepts_any_type() -> None:
    class Streams(Visits):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME, self.stream, stream=True)

        async def stream(self, response: Response) -> Results:
            async for piece in response.aiter_bytes():
                yield {"piece": len(piece)}

    site = FakeSite({HOME: (200, {"content-type": "video/mp4"}, b"film")})

    assert crawl(Streams, site).report.items == [{"piece": 4}]


@pytest.mark.parametrize(
    ("status", "is_page"),
    [
        pytest.param(200, True, id="200"),
        pytest.param(203, True, id="203"),
        pytest.param(299, True, id="299"),
        pytest.param(300, False, id="300"),
        pytest.param(304, False, id="304"),
        pytest.param(404, False, id="404"),
        pytest.param(410, True, id="one that its spider asks for"),
        pytest.param(503, True, id="one that would be tried again"),
    ],
)
def test_a_callback_receives_successful_statuses(status: int, is_page: bool) -> None:
    site = FakeSite({HOME: (status, "page")})

    run = crawl(starting(HOME, statuses=(410, 503)), site)

    assert run.report.pages == is_page
    assert run.report.errors == ({} if is_page else {"http_status": 1})
    assert run.report.statuses == {str(status): 1}
    assert len(site.urls) == 1


@pytest.mark.parametrize(
    ("answer", "spider", "is_read"),
    [
        pytest.param((200, {}), Visits, True, id="a page"),
        pytest.param((302, {"location": "/x"}), Visits, False, id="a redirect"),
        pytest.param((404, {}), Visits, False, id="a bad status"),
        pytest.param((404, {}), Heard, True, id="a bad status with an errback"),
        pytest.param(
            (200, {"content-type": "image/png"}), Visits, False, id="an unwanted type"
        ),
        pytest.param(
            (200, {"content-type": "image/png"}),
            Heard,
            True,
            id="an unwanted type with an errback",
        ),
        pytest.param(
            (302, {"location": "/x"}), Heard, False, id="a redirect with an errback"
        ),
    ],
)
def test_a_body_is_read_if_it_is_needed_and_always_closed(
    answer: tuple[int, dict[str, str]], spider: type[Spider], is_read: bool
) -> None:
    status, headers = answer
    body = Body(b"<p>", b"body")
    headers = {"content-type": "text/html"} | headers

    crawl(starting(HOME, of=spider), FakeSite({HOME: (status, headers, body)}))

    assert (body.taken == 2, body.is_closed) == (is_read, True)


@pytest.mark.parametrize(
    ("answer", "reason", "text"),
    [
        pytest.param((404, "gone"), Reason.HTTP_STATUS, "gone", id="a bad status"),
        pytest.param(
            (200, {"content-type": "text/plain"}, "words"),
            Reason.UNWANTED_TYPE,
            "words",
            id="an unwanted type",
        ),
        pytest.param((500, "oops"), Reason.HTTP_STATUS, "oops", id="the last attempt"),
        pytest.param(Reason.RESET, Reason.RESET, None, id="no answer"),
        pytest.param(
            (302, {}, "where?"), Reason.REDIRECT_INVALID, "", id="a bad redirect"
        ),
    ],
)
def test_an_errback_is_called_once_with_the_reason(
    answer: Answer, reason: Reason, text: str | None
) -> None:
    class Told(Heard):
        async def failed(self, failure: Failure) -> Results:
            body = None
            if failure.response is not None:
                body = (
                    ""
                    if failure.reason is Reason.REDIRECT_INVALID
                    else (failure.response.content.decode())
                )
            yield {"reason": str(failure.reason), "body": body}

    run = crawl(starting(HOME, of=Told), FakeSite({HOME: answer}))

    assert run.report.items == [{"reason": str(reason), "body": text}]
    assert run.report.errors == {str(reason): 1}


def test_a_body_is_closed_before_its_read_error_is_reported() -> None:
    """The deadline comes while the crawl's bandwidth keeps the body waiting."""
    body = Body(b"x" * 900, b"x" * 900)

    class Told(Heard):
        async def failed(self, failure: Failure) -> Results:
            yield {"reason": str(failure.reason), "is_closed": body.is_closed}

    site = FakeSite({HOME: (200, {"content-type": "text/html"}, body)})
    run = crawl(
        starting(HOME, of=Told, stop=stop_after_attempt(1)),
        site,
        politeness={"bandwidth": 100},
        http={"total": 5},
    )

    assert run.report.items == [{"reason": "deadline", "is_closed": True}]


def test_a_large_page_is_parsed_in_a_thread_while_others_continue() -> None:
    """For a minute no thread is to be had: only the large page has to wait."""

    def without_threads(request: Any) -> Answer:
        loop = asyncio.get_running_loop()
        limiter, usual = current_default_thread_limiter(), 40
        limiter.total_tokens = 0
        loop.call_later(60, setattr, limiter, "total_tokens", usual)
        return "<p>" + "large " * 100_000

    large, *others = numbered(4)
    pages: dict[str, Page] = {
        large: without_threads,
        others[0]: "small",
        others[1]: (200, {"content-type": "application/json"}, b" " * 600_000 + b"{}"),
        others[2]: "<p>" + "x" * (256 * 1024 - 3),
    }
    run = crawl(starting(large, *others), FakeSite(pages))

    times = {item["url"]: item["at"] for item in run.report.items}
    assert visited(run.report.items) == [large, *others]
    assert [times[url] - times[others[0]] for url in others] == [0, 0, 0]
    assert times[large] - times[others[0]] == pytest.approx(60)


def test_a_page_that_cannot_be_parsed_fails_when_its_callback_uses_it() -> None:
    nested = "<div>" * 120_000

    class Careless(Visits):
        async def parse(self, response: Response) -> Results:
            yield {"size": len(response.content)}

    site = FakeSite({HOME: nested})

    assert crawl(starting(HOME), site).report.errors == {"parse_error": 1}
    assert crawl(starting(HOME, of=Careless), site).report.pages == 1


def test_the_elapsed_time_of_a_response_includes_its_body() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"<p>"
        await asyncio.sleep(3)
        yield b"late"

    class Times(Visits):
        async def parse(self, response: Response) -> Results:
            yield {"elapsed": round(response.elapsed, 3)}

    async def page(request: Any) -> Answer:
        await asyncio.sleep(4)
        return (200, {"content-type": "text/html"}, pieces())

    run = crawl(starting(HOME, of=Times), FakeSite({HOME: page}))

    assert run.report.items == [{"elapsed": 7}]


async def torn_late() -> AsyncIterator[bytes]:
    yield b"<p>"
    await asyncio.sleep(3)
    raise httpx.ReadError("torn")


@pytest.mark.parametrize(
    ("answer", "elapsed"),
    [
        pytest.param(Reason.RESET, 4, id="no answer"),
        pytest.param((404, ""), 4, id="a bad status"),
        pytest.param((200, {"content-type": "text/html"}, torn_late()), 7, id="a body"),
        pytest.param((200, {"content-type": "image/png"}, b""), 4, id="a type"),
    ],
)
def test_the_outcome_of_a_failure_has_its_elapsed_time(
    answer: Answer, elapsed: float
) -> None:
    seen = Seen()
    spider = starting(HOME, stop=stop_after_attempt(1))

    crawl(spider, FakeSite({HOME: slowly(4, answer)}), terms={"observers": [seen]})

    (outcome,) = seen.visits
    assert round(outcome.elapsed, 3) == elapsed


def test_the_outcome_has_the_elapsed_time_of_the_last_request() -> None:
    """The page leads to itself; when it is asked again there is no answer."""
    seen = Seen()
    answer = in_turn((302, {"location": "/"}, ""), Reason.RESET)

    async def page(request: httpx.Request) -> Answer:
        await asyncio.sleep(4)
        return answer(request)

    site = FakeSite({HOME: page})
    spider = starting(HOME, stop=stop_after_attempt(1))

    crawl(spider, site, http={"total": 60}, terms={"observers": [seen]})

    (outcome,) = seen.visits
    assert [answer.status for answer in outcome.answers] == [302]
    assert round(outcome.elapsed, 3) == 4


def test_the_elapsed_time_at_a_deadline_is_the_deadline() -> None:
    seen = Seen()
    spider = starting(HOME, stop=stop_after_attempt(1))

    crawl(
        spider,
        FakeSite({HOME: slowly(500)}),
        http={"total": 100},
        terms={"observers": [seen]},
    )

    assert [round(outcome.elapsed, 3) for outcome in seen.visits] == [100]


class Kept:
    """A layer that answers some of its requests itself, by their numbers."""

    def __init__(self, *kept: int) -> None:
        self._kept = kept
        self._number = 0

    def __call__(self, fetch: Fetch) -> Fetch:
        async def answer(request: Request) -> Response:
            self._number += 1
            if self._number not in self._kept:
                return await fetch(request)
            if self._number == 1:
                return respond(request, 302, [("location", HOME)])
            return respond(request, 200, [("content-type", "text/html")], b"kept")

        return answer


@pytest.mark.parametrize(
    ("kept", "is_asked"),
    [
        pytest.param((), True, id="asked twice"),
        pytest.param((1,), True, id="asked at last"),
        pytest.param((2,), True, id="asked at first"),
        pytest.param((1, 2), False, id="never asked"),
    ],
)
def test_a_visit_counts_as_requested_if_any_of_its_requests_was_sent(
    kept: tuple[int, ...], is_asked: bool
) -> None:
    """Its page leads to itself once; a turn in which nothing was asked is free."""
    seen = Seen()
    answers: list[Answer] = [(302, {"location": "/"}, ""), "page"]
    site = FakeSite({HOME: in_turn(*(answers[1:] if 1 in kept else answers))})

    crawl(starting(HOME), site, terms={"layers": [Kept(*kept)], "observers": [seen]})

    (outcome,) = seen.visits
    assert [answer.status for answer in outcome.answers] == [302, 200]
    assert outcome.is_asked is is_asked


# -- redirects


def test_a_redirect_target_keeps_the_depth_of_its_source() -> None:
    site = FakeSite(
        {
            HOME: linked("/moved"),
            HOME + "moved": (301, {"location": "/here"}, ""),
            HOME + "here": linked("/two"),
            HOME + "two": linked("/three"),
            HOME + "three": "",
        }
    )

    run = crawl(starting(HOME), site, crawl={"depth": 2})

    assert visited(run.report.items) == [HOME, HOME + "here", HOME + "two"]
    assert run.report.skipped == {"depth": 1}


def test_a_redirect_target_keeps_callback_priority_and_meta() -> None:
    class Keeps(Visits):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME, self.other, meta={"shelf": 3}, priority=7)

        async def other(self, response: Response) -> Results:
            yield {"meta": response.meta, "priority": response.request.priority}

    site = FakeSite({HOME: (302, {"location": "/b"}, ""), HOME + "b": ""})

    assert crawl(Keeps, site).report.items == [{"meta": {"shelf": 3}, "priority": 7}]


def test_an_eleventh_redirect_fails() -> None:
    def chain(length: int) -> FakeSite:
        urls = [HOME, *numbered(length)]
        hops: dict[str, Page] = {
            url: (302, {"location": urls[number + 1]}, "")
            for number, url in enumerate(urls[:-1])
        }
        return FakeSite(hops | {urls[-1]: "there"})

    assert crawl(starting(HOME), chain(10)).report.pages == 1
    assert crawl(starting(HOME), chain(11)).report.errors == {"redirect_limit": 1}


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        pytest.param(2, [0] * 4 + [2] * 4 + [4] * 3, id="turns close together"),
        pytest.param(1, [0] * 4 + [4] * 4 + [8] * 3, id="turns a second apart"),
        pytest.param(0.5, [2 * number for number in range(11)], id="turns far apart"),
    ],
)
def test_a_page_that_redirects_to_itself_is_requested_three_times_in_a_visit(
    rate: float, expected: list[float]
) -> None:
    """Each request is charged to its host's turns, and each is a redirect of ten."""
    site = TimedSite({HOME: (302, {"location": "/"}, "")})

    run = crawl(starting(HOME), site, politeness={"rate": rate})

    assert site.times() == expected
    assert run.report.errors == {"redirect_limit": 1}


def test_a_page_behind_a_known_wall_is_requested_twice_in_its_visit() -> None:
    """The first page makes the wall known; then the wall lets no one through."""
    site = TimedSite(
        {
            HOME: in_turn((302, {"location": "/wall"}, ""), linked("/page", "/other")),
            HOME + "wall": in_turn(
                (302, {"location": "/"}, ""), (302, {"location": "/page"}, "")
            ),
            HOME + "page": (302, {"location": "/wall"}, ""),
            HOME + "other": "",
        }
    )

    run = crawl(starting(HOME), site, politeness={"rate": 2})

    assert [asked.url.removeprefix(HOME) for asked in site.log] == [
        *("", "wall", ""),
        *("page", "wall", "page", "wall", "page"),
        "other",
    ]
    assert site.times("page") == [1.5] * 3
    assert site.times("other") == [4.0]  # each of the five has had a turn
    assert run.report.errors == {"redirect_limit": 1}


def test_a_wall_is_remembered_by_its_first_visit_even_without_a_cookie() -> None:
    seen = Seen()
    wall = (302, {"location": "/"}, "")
    site = FakeSite(
        {HOME: in_turn((302, {"location": "/wall"}, ""), "in"), HOME + "wall": wall}
    )

    crawl(starting(HOME), site, terms={"observers": [seen]})

    walls = [each.facts.walls for each in seen.visits if each.facts is not None]
    assert walls == [{HOME + "wall"}]


# -- what is tried again, and how a run ends by it


@pytest.mark.parametrize(
    ("answer", "tries"),
    [
        pytest.param(Reason.CONNECT_REFUSED, 3, id="a refused connection"),
        pytest.param(Reason.CONNECT_TIMEOUT, 3, id="a connection that takes too long"),
        pytest.param(Reason.RESET, 3, id="a reset"),
        pytest.param(Reason.PROTO_ERROR, 3, id="an error of the protocol"),
        pytest.param(Reason.READ_TIMEOUT, 3, id="a read that takes too long"),
        pytest.param(Reason.TRUNCATED, 3, id="a body that breaks off"),
        pytest.param(Reason.DNS_ERROR, 2, id="a name that is not there"),
        pytest.param(Reason.TLS_ERROR, 1, id="a bad certificate"),
        pytest.param(Reason.TOO_LARGE, 1, id="a body that is too large"),
        pytest.param(Reason.BOMB, 1, id="a bomb"),
        pytest.param((500, ""), 3, id="500"),
        pytest.param((502, ""), 3, id="502"),
        pytest.param((408, ""), 3, id="408"),
        pytest.param((404, ""), 1, id="404"),
        pytest.param((501, ""), 1, id="501"),
        pytest.param((302, {}, ""), 1, id="a redirect to nowhere"),
    ],
)
def test_a_temporary_failure_is_retried(answer: Answer, tries: int) -> None:
    site = TimedSite({HOME: answer})

    run = crawl(starting(HOME), site)

    assert site.times() == [number * WAIT for number in range(tries)]
    assert (run.report.failed, run.report.retried) == (1, tries - 1)


def test_the_retried_statuses_are_a_setting() -> None:
    site = TimedSite({HOME: (500, ""), HOME + "x": (418, "")})

    crawl(starting(HOME, HOME + "x"), site, retry={"statuses": (418,)})

    assert [asked.url for asked in site.log].count(HOME) == 1
    assert len(site.times("/x")) == 3


def test_a_request_ends_at_its_deadline_and_is_retried() -> None:
    site = TimedSite({HOME: slowly(500)})

    run = crawl(starting(HOME), site, http={"total": 100})

    assert site.times() == [0, 100 + WAIT, 200 + 2 * WAIT]
    assert run.report.errors == {"deadline": 1}


def test_a_response_just_before_the_deadline_is_a_page() -> None:
    site = FakeSite({HOME: slowly(99)})

    assert crawl(starting(HOME), site, http={"total": 100}).report.pages == 1


def test_a_body_that_breaks_off_in_a_callback_is_retried() -> None:
    class Streams(Visits):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME, self.stream, stream=True)

        async def stream(self, response: Response) -> Results:
            async for piece in response.aiter_bytes():
                yield {"piece": piece.decode()}

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise httpx.ReadError("gone")

    site = TimedSite({HOME: in_turn((200, {}, broken()), (200, {}, b"whole"))})

    run = crawl(Streams, site)

    assert run.report.items == [{"piece": "whole"}]
    assert site.times() == [0, WAIT]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((404, ""), id="a bad status"),
        pytest.param(Reason.TLS_ERROR, id="no answer"),
        pytest.param(Reason.RESET, id="no answer in all its tries"),
        pytest.param((302, {}, ""), id="a bad redirect"),
        pytest.param("<div>" * 120_000, id="a page that no callback can use"),
    ],
)
def test_one_failed_start_url_makes_a_run_a_bad_one(answer: Answer) -> None:
    good = numbered(30)
    site = FakeSite({HOME: answer} | dict.fromkeys(good, "good"))

    run = crawl(starting(*good, HOME), site)

    assert (run.report.pages, run.report.failed) == (30, 1)
    assert run.report.exit_code == 3


def test_a_failed_link_among_many_pages_does_not_make_a_run_a_bad_one() -> None:
    good = numbered(30)
    site = FakeSite({HOME: linked("/lost", *good)} | dict.fromkeys(good, "good"))

    run = crawl(starting(HOME), site)

    assert (run.report.pages, run.report.failed) == (31, 1)
    assert run.report.exit_code == 0


def test_the_redirect_target_of_a_start_url_counts_as_a_start_url() -> None:
    good = numbered(30)
    moved = (302, {"location": "/lost"}, "")
    site = FakeSite({HOME: moved} | dict.fromkeys(good, "good"))

    run = crawl(starting(*good, HOME), site)

    assert run.report.errors == {"http_status": 1}
    assert run.report.exit_code == 3


def test_a_start_url_that_is_skipped_on_purpose_does_not_make_a_run_a_bad_one() -> None:
    site = FakeSite({HOME: (200, {"content-type": "image/png"}, b""), HOME + "0": ""})

    run = crawl(starting(HOME, HOME + "0"), site)

    assert run.report.skipped == {"unwanted_type": 1}
    assert run.report.exit_code == 0
