"""The spider's own counters: where they may be used, and where they are reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from contextvars import Context
from typing import Any

import pytest

from crawler import ConfigError, Request, Response, Results, crawl
from crawler.pipelines import Process, Run
from crawler.spider import at_work, counting
from crawler.spider.at_work import Receiving
from crawler.testing import FakeSite
from tests.run.timed import HOME, Visits


class Tally:
    """A pipeline that counts the items it sees."""

    def __init__(self) -> None:
        self.run = Run("")

    @asynccontextmanager
    async def open(self, run: Run) -> AsyncIterator[Process]:
        self.run = run
        yield self

    async def process(self, item: Any, page: Response | None) -> Any:
        self.run.count("seen by the pipeline")
        return item


def test_counts_of_callbacks_start_and_pipelines_are_in_the_report() -> None:
    class Counts(Visits):
        pipelines = [Tally()]

        async def start(self) -> AsyncIterator[Request]:
            self.count("started")
            yield Request(HOME)
            yield Request(HOME + "a")

        async def parse(self, response: Response) -> Results:
            self.count("rows", 3)
            await asyncio.sleep(0)  # the other page counts meanwhile
            self.count("rows")
            self.count("nothing", 0)
            yield {"url": response.url}

    report = crawl(Counts, transport=FakeSite({HOME: "", HOME + "a": ""}))

    expected = {"rows": 8, "seen by the pipeline": 2, "started": 1}
    assert report.counts == expected
    assert report.summary()["counts"] == expected


def test_counts_of_a_failed_page_are_discarded() -> None:
    class Fails(Visits):
        async def parse(self, response: Response) -> Results:
            self.count("rows")
            yield {"text": response.css("h1")[0].text()}

    report = crawl(Fails, transport=FakeSite({HOME: ""}))

    assert (report.counts, report.failed) == ({}, 1)


@pytest.mark.parametrize("amount", [-1, 1.5, "3", True, None])
def test_a_counter_grows_only_by_whole_numbers(amount: Any) -> None:
    class Holder:
        counts: dict[str, int] | None = None

        async def fetch(self, request: Request) -> Response:
            raise NotImplementedError

        def receiving(self) -> AbstractContextManager[Receiving]:
            raise NotImplementedError

    def count() -> None:
        at_work.begin(Holder())
        counting.count("rows", amount)

    with pytest.raises(ConfigError, match="whole number"):
        Context().run(count)


def test_the_number_of_counter_names_is_limited() -> None:
    class Wordy(Visits):
        def parse(self, response: Response) -> Any:
            for number in range(counting.MAX_NAMES + 1):
                self.count(f"row {number}")
            return []

    report = crawl(Wordy, transport=FakeSite({HOME: ""}))

    assert report.errors == {"spider_error": 1}
    assert any("over 1,000 counter names" in line for line in report.advice)


def test_count_outside_of_a_page_is_an_error() -> None:
    with pytest.raises(ConfigError, match="in start\\(\\), a callback"):
        Context().run(Visits().count, "rows")
