"""What a callback decides: Retry, Skip, StopCrawl, in memory and durable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tenacity import stop_after_attempt

from crawler import (
    ConfigError,
    Failure,
    FinishReason,
    Map,
    Request,
    Response,
    Results,
    Retry,
    Skip,
    StopCrawl,
)
from crawler.testing import FakeSite
from tests.run.killing import durable, killed_and_resumed
from tests.run.timed import HOME, WAIT, Run, TimedSite, Visits, crawl, starting

Crawl = Callable[..., Run]


@pytest.fixture(params=["memory", "durable"])
def crawled(request: pytest.FixtureRequest, tmp_path: Path) -> Crawl:
    """Crawls a site, with its state in memory or in SQLite."""
    if request.param == "memory":
        return crawl
    return lambda spider, site, **options: durable(spider, site, tmp_path, **options)


class Captcha(Visits):
    """Asks for its page again until it is no captcha."""

    retry = Retry("captcha", after=30)

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url, "text": response.text}
        self.count("seen")
        if "captcha" in response.text:
            raise self.retry


def captchas(times: int) -> TimedSite:
    texts = iter(["captcha"] * times)
    return TimedSite({HOME: lambda _: next(texts, "page")})


def test_a_page_that_its_callback_retries_waits_and_is_committed_once(
    crawled: Crawl,
) -> None:
    site = captchas(2)

    run = crawled(Captcha, site)

    assert run.report.items == [{"url": HOME, "text": "page"}]
    assert site.times() == [0.0, 30.0, 60.0]
    assert (run.report.pages, run.report.retried, run.report.failed) == (1, 2, 0)
    assert run.report.counts == {"seen": 1}
    assert run.report.exit_code == 0


def test_a_retry_without_a_time_waits_as_long_as_other_retries(crawled: Crawl) -> None:
    class Plain(Captcha):
        retry = Retry("captcha")

    site = captchas(2)
    crawled(Plain, site)

    assert site.times() == [0.0, WAIT, 2 * WAIT]


def test_a_callback_may_retry_a_page_as_often_as_the_policy_allows(
    crawled: Crawl,
) -> None:
    heard: list[Failure] = []

    class Hopeless(Captcha):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME, errback="failed")

        async def failed(self, failure: Failure) -> Results:
            heard.append(failure)
            yield {"failed": str(failure.reason)}

    site = captchas(9)
    run = crawled(Hopeless, site)

    assert len(site.times()) == 3
    assert run.report.errors == {"captcha": 1}
    assert run.report.items == [{"failed": "captcha"}]
    assert [failure.detail for failure in heard] == [
        "the callback raised Retry in try 3, the last try that the retry settings allow"
    ]
    assert heard[0].response is not None
    assert heard[0].response.text == "captcha"


def test_a_retry_may_name_another_session(crawled: Crawl) -> None:
    def page(request: Any) -> Any:
        if "seen" in request.headers.get("cookie", ""):
            return "captcha"
        return (200, {"set-cookie": "seen=1"}, "captcha" if not asked else "page")

    class Switches(Captcha):
        retry = Retry("captcha", after=0, session="second")

        async def parse(self, response: Response) -> Results:
            asked.append(response.request.options.session)
            if len(asked) < 3:
                raise self.retry
            yield {"session": response.request.options.session}

    asked: list[str] = []
    site = FakeSite({HOME: page})
    run = crawled(Switches, site)

    assert asked == ["", "second", "second"]
    assert [each.headers.get("cookie") for each in site.requests] == [
        None, None, "seen=1"
    ]  # fmt: skip
    assert run.report.items == [{"session": "second"}]


def test_a_resumed_run_knows_the_other_session_of_a_retry(tmp_path: Path) -> None:
    class Switches(Visits):
        async def parse(self, response: Response) -> Results:
            if response.request.options.session != "second":
                raise Retry("captcha", after=3600, session="second")
            yield {"session": response.request.options.session}

    site = FakeSite({HOME: ""})
    first = durable(Switches, site, tmp_path, terms={"max_runtime": 60.0})
    second = durable(Switches, site, tmp_path)

    assert first.report.finish_reason is FinishReason.INTERRUPTED
    assert second.report.items == [{"session": "second"}]
    assert second.report.retried == 1


def test_a_streamed_page_that_is_retried_keeps_no_results(crawled: Crawl) -> None:
    class Streams(Captcha):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME, stream=True)

        async def parse(self, response: Response) -> Results:
            body = b"".join([piece async for piece in response.aiter_bytes()])
            for number in range(2_500):
                yield {"number": number}
            if body == b"captcha":
                raise self.retry

    run = crawled(Streams, captchas(1))

    assert [item["number"] for item in run.report.items] == list(range(2_500))


def test_a_page_that_is_skipped_counts_under_its_reason(crawled: Crawl) -> None:
    class Shop(Visits):
        async def parse(self, response: Response) -> Results:
            self.count("seen")
            yield {"url": response.url}
            yield response.follow_links()
            if "sold out" in response.text:
                raise Skip("sold  out")

    site = FakeSite({HOME: "<a href=/a>", HOME + "a": "sold out <a href=/b>"})
    run = crawled(Shop, site)

    report = run.report
    assert report.items == [{"url": HOME}]
    assert report.skipped == {"sold out": 1}
    assert (report.found, report.pages, report.failed, report.pending) == (2, 1, 0, 0)
    assert report.counts == {"seen": 1}
    assert report.exit_code == 0
    assert not any("sold out" in line for line in report.advice)


def test_too_many_different_reasons_share_one_counter(crawled: Crawl) -> None:
    class Wordy(Visits):
        def parse(self, response: Response) -> Any:
            raise Skip(f"no {response.url}")

    urls = [f"{HOME}{number}" for number in range(510)]
    run = crawled(starting(*urls, of=Wordy), FakeSite(dict.fromkeys(urls, "")))

    assert run.report.skipped["other"] == 10
    assert len(run.report.skipped) == 501


def test_an_errback_may_skip_but_not_retry(crawled: Crawl) -> None:
    class Gone(Visits):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME, errback="gone")
            yield Request(HOME + "a", errback="again")

        def gone(self, failure: Failure) -> None:
            raise Skip("gone")

        def again(self, failure: Failure) -> None:
            raise Retry("once more")

    run = crawled(Gone, FakeSite({}))

    assert run.report.skipped == {"gone": 1}
    assert run.report.errors == {"http_status": 1}
    assert any("Retry, which only a callback" in line for line in run.report.advice)


class Quota(Visits):
    """Stops the crawl at its third page."""

    start_urls = [HOME]
    settings = {"crawl": {"workers": 1}}

    async def parse(self, response: Response) -> Results:
        self.count("pages")
        yield {"url": response.url}
        yield response.follow_links()
        if response.url.endswith("/2"):
            raise StopCrawl("quota")
        yield {"more": response.url}


def chain(length: int) -> FakeSite:
    pages: dict[str, Any] = {HOME: "<a href=/1>"}
    pages |= {f"{HOME}{n}": f"<a href=/{n + 1}>" for n in range(1, length)}
    return FakeSite(pages)


def test_results_before_a_stop_are_committed(crawled: Crawl) -> None:
    site = chain(9)

    run = crawled(Quota, site)

    report = run.report
    assert report.finish_reason is FinishReason.STOPPED
    assert report.stop_reason == report.summary()["stop_reason"] == "quota"
    assert report.exit_code == 0
    assert len(site.urls) == 3
    assert report.items[-1] == {"url": HOME + "2"}
    assert (report.pages, report.pending) == (3, 1)
    assert report.counts == {"pages": 3}


def test_a_stopped_run_is_complete(tmp_path: Path) -> None:
    durable(Quota, chain(9), tmp_path)

    again = durable(Quota, chain(9), tmp_path)

    assert (again.report.run, again.report.resumed) == (2, False)


def test_start_and_pipelines_may_stop_the_crawl(crawled: Crawl) -> None:
    class Starts(Visits):
        async def start(self) -> AsyncIterator[Request]:
            yield Request(HOME)
            raise StopCrawl("no more")

    def full(item: Any) -> Any:
        raise StopCrawl("full")

    class Full(Visits):
        pipelines = [Map(full)]

    first = crawled(Starts, chain(9))
    second = crawled(Full, chain(9), terms={"fresh": True})

    assert (first.report.stop_reason, first.report.exit_code) == ("no more", 0)
    assert (second.report.stop_reason, second.report.items) == ("full", [])


def test_a_crawl_killed_at_any_commit_still_stops(
    tmp_path: Path,
) -> None:
    undisturbed = crawl(Quota, chain(9)).report

    for run in killed_and_resumed(Quota, lambda: chain(9), tmp_path):
        report = run.report
        assert report.items == undisturbed.items
        assert report.counts == undisturbed.counts
        assert report.stop_reason == "quota"
        assert (report.pages, report.found) == (3, 4)


def test_a_crawl_killed_at_any_commit_counts_its_retries_and_skips_once(
    tmp_path: Path,
) -> None:
    class Shop(Visits):
        stop = staticmethod(stop_after_attempt(9))

        async def start(self) -> Results:
            for number in range(3):
                self.count("started")
                yield {"start": number}
                yield Request(f"{HOME}{number}")

        async def parse(self, response: Response) -> Results:
            self.count("rows", 3)
            yield {"url": response.url}
            if response.url.endswith("1"):
                raise Skip("sold out")
            if response.request.options.session != "s":
                raise Retry("captcha", after=0, session="s")

    site = {f"{HOME}{number}": "" for number in range(3)}

    for run in killed_and_resumed(Shop, lambda: FakeSite(site), tmp_path):
        report = run.report
        assert report.counts == {"started": 3, "rows": 6}
        assert report.skipped == {"sold out": 1}
        assert (report.retried, report.pages, report.item_count) == (2, 2, 5)


@pytest.mark.parametrize("given", ["", "  ", None, 3])
def test_a_decision_needs_a_reason(given: Any) -> None:
    with pytest.raises(ConfigError, match="must be a short text"):
        Skip(given)


@pytest.mark.parametrize("after", [-1, float("nan"), float("inf")])
def test_a_retry_needs_a_finite_time(after: float) -> None:
    with pytest.raises(ConfigError, match="number of seconds"):
        Retry("captcha", after=after)


def test_a_long_reason_is_cut_to_one_line() -> None:
    assert StopCrawl("a\nb" + "c" * 200).reason == "a b" + "c" * 97


def test_the_summary_of_a_spider_without_decisions_has_no_such_counts(
    crawled: Crawl,
) -> None:
    report = crawled(Visits, FakeSite({HOME: ""})).report

    assert (report.stop_reason, report.counts) == ("", {})
    assert isinstance(report.summary()["counts"], dict)
