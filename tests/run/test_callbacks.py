"""The results of a callback, their limits, and its time limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx
import pytest

from crawler import (
    DropItem,
    Failure,
    Map,
    Request,
    Response,
    Results,
    Skip,
    Spider,
    StopCrawl,
)
from crawler.layers import respond
from crawler.pipelines import OpenChain
from crawler.request import Entry, LinkRequest
from crawler.run.callbacks import Callbacks, Effects
from crawler.run.link_filter import LinkFilter
from crawler.store.base import Portion
from crawler.testing import FakeSite, Page
from crawler.web.urls import Scope
from tests.run.timed import HOME, Visits, crawl, in_turn, starting

MIB = 1024**2
#: What stands around the text of an item that has one field, `text`.
AROUND = len('{"text":""}')


def calling(callback: Callable[..., Any], **attributes: Any) -> type[Spider]:
    """A spider whose start page has this callback: a function of the response."""

    def parse(self: Spider, response: Response) -> Any:
        return callback(response)

    return starting(HOME, parse=parse, **attributes)


class Streams(Spider):
    """Streams its start page and yields its lines."""

    name = "streams"
    pause = 0.0

    async def start(self) -> AsyncIterator[Request]:
        yield Request(HOME, stream=True)

    async def parse(self, response: Response) -> Results:
        async for line in response.aiter_lines():
            await asyncio.sleep(self.pause)
            yield {"line": line}


def with_pauses(seconds: float, *lines: bytes) -> Page:
    async def body() -> AsyncIterator[bytes]:
        for line in lines:
            await asyncio.sleep(seconds)
            yield line

    return lambda request: (200, {}, body())


# -- how much


@pytest.mark.parametrize(
    ("count", "size", "is_page"),
    [
        pytest.param(10_000, 1, True, id="as many as may be"),
        pytest.param(10_001, 1, False, id="one too many"),
        pytest.param(32, MIB - AROUND, True, id="as large as may be"),
        pytest.param(32, MIB - AROUND + 1, False, id="too large"),
    ],
)
def test_a_page_may_yield_items_up_to_a_number_and_a_size(
    count: int, size: int, is_page: bool
) -> None:
    spider = calling(lambda response: [{"text": "x" * size}] * count)

    run = crawl(spider, FakeSite({HOME: ""}))

    assert run.report.item_count == (count if is_page else 0)
    assert run.report.errors == ({} if is_page else {"outcome_too_large": 1})


@pytest.mark.parametrize(
    ("count", "size"),
    [pytest.param(30_000, 1, id="many"), pytest.param(50, MIB, id="large")],
)
def test_a_streamed_page_may_yield_more_items_each_once_and_in_order(
    count: int, size: int
) -> None:
    class Endless(Streams):
        async def parse(self, response: Response) -> Results:
            for number in range(count):
                yield {"number": number, "text": "x" * size}

    run = crawl(Endless, FakeSite({HOME: b""}))

    assert [item["number"] for item in run.report.items] == list(range(count))


def test_a_streamed_page_that_is_retried_yields_its_items_once() -> None:
    class Many(Streams):
        async def parse(self, response: Response) -> Results:
            for number in range(2_500):
                yield {"number": number}
            async for _ in response.aiter_bytes():
                yield {"number": 2_500}

    async def torn() -> AsyncIterator[bytes]:
        yield b"x"
        raise httpx.ReadError("torn")

    run = crawl(Many, FakeSite({HOME: in_turn((200, {}, torn()), b"x")}))

    assert run.report.retried == 1
    assert [item["number"] for item in run.report.items] == list(range(2_501))


class Alone:
    """Callbacks of a spider without a crawl, and the portions that they staged."""

    def __init__(self, spider: Spider) -> None:
        self.portions: list[Portion] = []
        scope = Scope("hosts", ["site.example"])
        judge = LinkFilter(scope, depth=None, max_url=99, known={}, left_out={})
        chain = OpenChain([])
        self.callbacks = Callbacks(spider, judge, chain, self._stage, timeout=5.0)

    async def _stage(self, entry: Entry, portion: Portion, number: int) -> None:
        assert number == len(self.portions)
        self.portions.append(portion)


def entry_of(*, stream: bool = False) -> Entry:
    request = Request(HOME, stream=stream)
    return Entry(request.fingerprint(), request, "site.example")


async def given(
    values: Iterable[Any], *, stream: bool = True
) -> tuple[list[Portion], Effects]:
    """The portions of what a callback gives, and what is left at its end."""
    alone = Alone(calling(lambda response: values)())
    entry = entry_of(stream=stream)
    effects = await alone.callbacks.page(entry, respond(entry.request, 200))
    assert effects.portions == len(alone.portions)
    return alone.portions, effects


@pytest.mark.parametrize(
    ("count", "size", "portions", "rest"),
    [
        pytest.param(999, 1, [], 999, id="too few"),
        pytest.param(1000, 1, [1000], 0, id="enough"),
        pytest.param(2500, 1, [1000, 1000], 500, id="more"),
        pytest.param(2, MIB // 2 - AROUND, [2], 0, id="large enough"),
        pytest.param(2, MIB // 2 - AROUND - 1, [], 2, id="nearly large enough"),
        pytest.param(5, MIB // 2, [2, 2], 1, id="larger"),
    ],
)
async def test_items_of_a_streamed_page_are_stored_by_the_thousand_or_mebibyte(
    count: int, size: int, portions: list[int], rest: int
) -> None:
    found, effects = await given([{"text": "x" * size}] * count)

    assert [len(portion.items) for portion in found] == portions
    assert len(effects.items) == rest


@pytest.mark.parametrize("host", ["site.example", "other.example"])
async def test_links_of_a_streamed_page_are_stored_by_five_hundred(host: str) -> None:
    """Those that a filter skips, too."""
    values = [
        LinkRequest(f"https://{host}/{number}", "parse") for number in range(1200)
    ]

    portions, effects = await given(values)

    sizes = [len(each.requests) + len(each.rejected) for each in portions]
    assert (sizes, effects.found.size) == ([500, 500], 200)
    assert bool(effects.found.rejected) is (host != "site.example")


async def test_results_of_other_pages_are_stored_together() -> None:
    links = [Request(HOME + str(number)) for number in range(1200)]

    portions, effects = await given([*links, *[{"n": 1}] * 1200], stream=False)

    assert not portions
    assert (len(effects.found.requests), len(effects.items)) == (1200, 1200)


# -- what


@pytest.mark.parametrize("value", [None, "text", b"bytes", 3, 2.5, True])
def test_a_value_that_is_neither_item_nor_request_fails_its_page(value: Any) -> None:
    run = crawl(calling(lambda response: [{"good": 1}, value]), FakeSite({HOME: ""}))

    assert run.report.errors == {"spider_error": 1}
    assert run.report.items == []
    assert any("yield items" in line for line in run.report.advice)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"title": "x"}, id="an item"),
        pytest.param("text", id="text"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param(3, id="a number"),
        pytest.param(Request(HOME + "x"), id="a request"),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_about_a_returned_single_value_says_to_yield_it(
    value: Any, is_async: bool
) -> None:
    async def later(response: Response) -> Any:
        return value

    spider = calling(later if is_async else lambda response: value)

    run = crawl(spider, FakeSite({HOME: ""}))

    assert run.report.errors == {"spider_error": 1}
    assert any(
        "yield the value, or return a list" in line for line in run.report.advice
    )


async def _generator(response: Response) -> Results:
    yield {"n": 1}


async def _list(response: Response) -> list[Any]:
    return [{"n": 1}]


async def _awaited_generator(response: Response) -> Results:
    await asyncio.sleep(1)
    return _generator(response)


async def _waiting_list(response: Response) -> list[Any]:
    await asyncio.sleep(1)
    return [{"n": 1}]


def _sync_generator(response: Response) -> Any:
    yield {"n": 1}


@pytest.mark.parametrize(
    "callback",
    [
        _generator,
        _list,
        _awaited_generator,
        _waiting_list,
        _sync_generator,
        lambda response: [{"n": 1}],
        lambda response: ({"n": 1},),
        lambda response: _generator(response),
        lambda response: _list(response),
    ],
)
def test_a_callback_may_return_its_results_in_each_supported_form(
    callback: Callable[..., Any],
) -> None:
    run = crawl(calling(callback), FakeSite({HOME: ""}))

    assert (run.report.items, run.report.pages) == ([{"n": 1}], 1)


async def _nothing(response: Response) -> None:
    return None


@pytest.mark.parametrize("callback", [_nothing, lambda response: None])
def test_a_callback_may_yield_nothing(callback: Callable[..., Any]) -> None:
    run = crawl(calling(callback), FakeSite({HOME: ""}))

    assert (run.report.items, run.report.pages) == ([], 1)


def test_a_request_with_an_unknown_callback_fails_the_page_that_yields_it() -> None:
    spider = calling(lambda response: [{"n": 1}, Request(HOME + "x", "missing")])
    site = FakeSite({HOME: "", HOME + "x": ""})

    run = crawl(spider, site)

    assert (site.urls, run.report.items) == ([HOME], [])
    assert run.report.errors == {"spider_error": 1}


def test_dropped_items_are_counted_by_reason() -> None:
    def judge(item: Any) -> Any:
        if item["n"] < 5:
            raise DropItem("small" if item["n"] < 3 else "medium")
        return item

    spider = calling(
        lambda response: [{"n": n} for n in range(7)], pipelines=[Map(judge)]
    )

    run = crawl(spider, FakeSite({HOME: ""}))

    assert run.report.dropped == {"small": 3, "medium": 2}
    assert run.report.items == [{"n": 5}, {"n": 6}]


def test_a_batch_of_links_carries_priority_meta_and_errback() -> None:
    class Batches(Visits):
        async def parse(self, response: Response) -> Results:
            yield response.follow_all(
                "a", self.linked, priority=3, meta={"shelf": 7}, errback=self.failed
            )

        async def linked(self, response: Response) -> Results:
            yield {"meta": response.meta, "priority": response.request.priority}

        async def failed(self, failure: Failure) -> Results:
            yield {"failed": failure.request.url}

    site = FakeSite({HOME: "<a href=/there><a href=/lost>", HOME + "there": ""})

    run = crawl(starting(HOME, of=Batches), site)

    assert run.report.items == [
        {"meta": {"shelf": 7}, "priority": 3},
        {"failed": HOME + "lost"},
    ]


@pytest.mark.parametrize(
    ("depth", "is_followed"),
    [
        pytest.param(None, True, id="of its page and one"),
        pytest.param(1, True, id="as deep as may be"),
        pytest.param(2, False, id="too deep"),
    ],
)
def test_a_followed_link_has_the_depth_that_was_given(
    depth: int | None, is_followed: bool
) -> None:
    options = {} if depth is None else {"depth": depth}
    spider = calling(
        lambda response: [response.follow("/x", "linked", **options)],
        linked=lambda self, response: [{"n": 1}],
    )

    run = crawl(spider, FakeSite({HOME: "", HOME + "x": ""}), crawl={"depth": 1})

    assert bool(run.report.items) is is_followed
    assert run.report.skipped == ({} if is_followed else {"depth": 1})


# -- errbacks


def test_requests_of_an_errback_are_one_level_deeper_and_sent_once() -> None:
    class Instead(Visits):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME, errback=self.failed)

        async def failed(self, failure: Failure) -> Results:
            yield failure.request
            yield Request(HOME + "instead")

    site = FakeSite({HOME + "instead": "<a href=/two>", HOME + "two": ""})

    run = crawl(Instead, site, crawl={"depth": 1})

    assert site.urls == [HOME, HOME + "instead"]
    assert run.report.skipped == {"depth": 1, "duplicate": 1}


def test_an_errback_that_fails_has_no_results_and_its_request_fails_once() -> None:
    class Fails(Visits):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME, errback=self.failed)

        async def failed(self, failure: Failure) -> Results:
            yield {"n": 1}
            raise KeyError("again")

    run = crawl(Fails, FakeSite({}))

    assert run.report.items == []
    assert (run.report.failed, run.report.errors) == (1, {"http_status": 1})


def test_an_errback_receives_the_exception_of_its_callback() -> None:
    class Raises(Visits):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME, errback=self.failed)

        async def parse(self, response: Response) -> Results:
            yield {"lost": 1}
            raise KeyError("shelf")

        async def failed(self, failure: Failure) -> Results:
            yield {
                "reason": str(failure.reason),
                "raised": repr(failure.exception),
                "status": failure.response and failure.response.status_code,
            }

    run = crawl(Raises, FakeSite({HOME: ""}))

    assert run.report.items == [
        {"reason": "spider_error", "raised": "KeyError('shelf')", "status": 200}
    ]
    assert run.report.errors == {"spider_error": 1}


# -- how long


@pytest.mark.parametrize(
    ("seconds", "is_page"),
    [pytest.param(59, True, id="within it"), pytest.param(61, False, id="beyond it")],
)
def test_an_async_callback_has_a_time_limit_of_one_minute(
    seconds: float, is_page: bool
) -> None:
    async def slow(response: Response) -> Results:
        await asyncio.sleep(seconds)
        yield {"n": 1}

    run = crawl(calling(slow), FakeSite({HOME: ""}))

    assert run.seconds == pytest.approx(59 if is_page else 60)
    assert run.report.pages == is_page
    if not is_page:
        assert run.report.errors == {"spider_error": 1}
        assert any("parse() took over 60 s" in line for line in run.report.advice)


def test_a_timeout_error_of_a_callback_is_not_its_time_limit() -> None:
    async def impatient(response: Response) -> Results:
        async with asyncio.timeout(5):
            await asyncio.sleep(50)
        yield {"n": 1}

    run = crawl(calling(impatient), FakeSite({HOME: ""}))

    assert run.report.errors == {"spider_error": 1}
    assert not any("took over" in line for line in run.report.advice)


def test_the_time_limit_restarts_with_each_piece_of_a_streamed_body() -> None:
    lines = [b"line\n"] * 5

    run = crawl(Streams, FakeSite({HOME: with_pauses(50, *lines)}))

    assert run.report.item_count == 5
    assert run.seconds == pytest.approx(250)


def test_a_streamed_body_that_pauses_too_long_ends_its_callback() -> None:
    run = crawl(Streams, FakeSite({HOME: with_pauses(70, b"line\n")}))

    assert run.report.errors == {"spider_error": 1}
    assert run.seconds == pytest.approx(60)


def test_a_callback_that_works_too_long_on_one_piece_is_ended() -> None:
    class Slow(Streams):
        pause = 70.0

    run = crawl(Slow, FakeSite({HOME: b"line\n"}))

    assert run.report.errors == {"spider_error": 1}


# -- around


class Around(Visits):
    """Adds to what each callback gives, drops what it must, and says who gave it."""

    start_urls = [HOME]

    async def around(self, response: Response, results: Results) -> Results:
        async for result in results:
            if isinstance(result, dict) and "drop" not in result:
                yield {**result, "by": response.request.callback}
            elif not isinstance(result, dict):
                yield result
        yield {"after": response.url}


@pytest.mark.parametrize("kind", ["async generator", "generator", "list", "coroutine"])
def test_around_receives_the_results_of_every_kind_of_callback(kind: str) -> None:
    class Kinds(Around):
        def parse(self, response: Response) -> Any:
            values = [{"a": 1}, {"drop": 1}, response.follow_links()]
            if kind == "list":
                return values
            if kind == "generator":
                return (value for value in values)
            return self.slow(values) if kind == "coroutine" else self.each(values)

        async def slow(self, values: list[Any]) -> list[Any]:
            return values

        async def each(self, values: list[Any]) -> Results:
            for value in values:
                yield value

    run = crawl(Kinds, FakeSite({HOME: "<a href=/a>", f"{HOME}a": ""}))

    first = [{"a": 1, "by": "parse"}, {"after": HOME}]
    assert run.report.items == [*first, {"a": 1, "by": "parse"}, {"after": f"{HOME}a"}]


def test_around_may_catch_an_exception_of_a_callback_and_decide() -> None:
    class Careful(Around):
        async def around(self, response: Response, results: Results) -> Results:
            try:
                async for result in results:
                    yield result
            except IndexError:
                raise Skip("empty") from None

        async def parse(self, response: Response) -> Results:
            yield {"found": response.css("h1")[0].text()}

    run = crawl(Careful, FakeSite({HOME: ""}))

    assert run.report.skipped == {"empty": 1}
    assert run.report.failed == 0


def test_an_exception_in_around_fails_the_page_and_names_the_line() -> None:
    class Wrong(Around):
        async def around(self, response: Response, results: Results) -> Results:
            async for result in results:
                yield result["nothing"]

    run = crawl(Wrong, FakeSite({HOME: ""}))

    assert run.report.errors == {"spider_error": 1}
    assert any("test_callbacks.py:" in line for line in run.report.advice)


def test_results_before_a_stop_in_around_are_committed() -> None:
    class Stops(Around):
        async def parse(self, response: Response) -> Results:
            yield {"a": 1}
            raise StopCrawl("quota")

    report = crawl(Stops, FakeSite({HOME: ""})).report

    assert report.items == [{"a": 1, "by": "parse"}]
    assert report.stop_reason == "quota"


def test_an_errback_is_not_wrapped_by_around() -> None:
    class Fails(Around):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME, errback="failed")

        async def failed(self, failure: Failure) -> Results:
            yield {"failed": True}

    assert crawl(Fails, FakeSite({})).report.items == [{"failed": True}]
