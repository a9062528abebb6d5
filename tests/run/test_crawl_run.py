"""A run from its opening to its report, and how it is resumed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crawler import (
    Crawl,
    FinishReason,
    Report,
    Request,
    Response,
    Results,
    Spider,
    crawl,
)
from crawler.errors import StoreError
from crawler.pipelines import Process, Run
from crawler.request import Entry
from crawler.sinks import ItemRow, Sink
from crawler.store.base import Portion
from crawler.store.memory import MemoryStore
from crawler.store.sqlite.store import SqliteStore
from crawler.testing import FakeSite
from tests.store.wrapped import Wrapped
from tests.virtual_time import run_virtual

HOME = "https://site.example/"


class Pages(Spider):
    name = "pages"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


class Shelf(Sink):
    """Takes items, and puts them in place only if there is room."""

    def __init__(self, *, has_room: bool) -> None:
        self.bodies: list[bytes] = []
        self.is_published = False
        self._has_room = has_room

    async def write(self, rows: Sequence[ItemRow]) -> None:
        self.bodies += [row.body for row in rows]

    async def publish(self, sequence: int) -> None:
        if not self._has_room:
            raise TypeError("no room")  # a bug is not tried again
        self.is_published = True


def run(site: FakeSite, folder: Path, shelf: Shelf) -> Report:
    storage = {"storage": {"dir": str(folder)}}
    return crawl(Pages, storage, job="pages", outputs=(shelf,), transport=site)


def test_a_run_whose_output_was_not_published_is_resumed(
    tmp_path: Path,
) -> None:
    site = FakeSite({HOME: ""})
    full, roomy = Shelf(has_room=False), Shelf(has_room=True)

    first = run(site, tmp_path, full)
    second = run(site, tmp_path, roomy)

    assert first.finish_reason is FinishReason.SINK_ERROR
    assert second.finish_reason is FinishReason.FINISHED
    assert (first.run, second.run, second.resumed) == (1, 1, True)
    assert roomy.is_published
    assert site.urls.count(HOME) == 1  # not asked for again
    assert len(full.bodies + roomy.bodies) == 1


def test_a_single_output_needs_no_list(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"

    crawl(Pages, outputs=str(path), transport=FakeSite({HOME: ""}))

    assert path.read_text() == '{"url":"https://site.example/"}\n'


class Watching:
    """A pipeline that keeps the run it was opened with."""

    def __init__(self) -> None:
        self.run = Run("")
        self.pages: list[int] = []

    @asynccontextmanager
    async def open(self, run: Run) -> AsyncIterator[Process]:
        self.run = run
        yield self

    async def process(self, item: Any, page: Response | None) -> Any:
        self.pages.append(self.run.counters.pages)
        return item


def test_a_pipeline_knows_run_settings_and_counters() -> None:
    watching = Watching()

    class Watched(Pages):
        pipelines = (watching,)

        async def parse(self, response: Response) -> Results:
            yield {"url": response.url}
            yield response.follow_all("a")

    site = FakeSite({HOME: "<a href=/b>b</a>", HOME + "b": ""})
    crawl(Watched, {"crawl": {"workers": 7}}, transport=site)

    run = watching.run
    assert (run.job, run.number, run.spider) == ("pages", 1, "pages")
    assert run.settings.crawl.workers == 7
    assert watching.pages == [0, 1]
    assert run.counters.items == 2


@pytest.mark.parametrize("is_forced", [False, True])
def test_a_bad_run_does_not_replace_the_output_of_a_good_one(
    tmp_path: Path, is_forced: bool
) -> None:
    output, beside = tmp_path / "out.jsonl", tmp_path / "out.bad-run-2.jsonl"
    settings: dict[str, dict[str, Any]] = {
        "storage": {"dir": str(tmp_path / "state")},
        "output": {"publish_bad": is_forced},
    }
    site = FakeSite({HOME: "<a href=/b>b</a>"})

    def night(least: int) -> Report:
        return crawl(
            Pages,
            settings,
            job="pages",
            outputs=str(output),
            min_items=least,
            transport=site,
        )

    good, bad = night(1), night(2)

    assert (good.exit_code, bad.exit_code) == (0, 3)
    assert output.read_text() == f'{{"url":"{HOME}"}}\n'
    assert beside.exists() is not is_forced
    assert night(1).exit_code == 0  # the file is still the job's


def test_a_run_without_items_does_not_replace_an_earlier_output(tmp_path: Path) -> None:
    class Nothing(Pages):
        async def parse(self, response: Response) -> Results:
            return
            yield

    output = tmp_path / "out.jsonl"
    output.write_text("good\n")

    report = crawl(
        Nothing,
        outputs=str(output),
        overwrite=True,
        transport=FakeSite({HOME: ""}),
    )

    assert report.exit_code == 0
    assert output.read_text() == "good\n"
    assert (tmp_path / "out.bad-run-1.jsonl").read_text() == ""


def test_a_crawl_uses_the_store_that_it_is_given() -> None:
    store = Wrapped(MemoryStore())

    report = crawl(Pages, transport=FakeSite({HOME: ""}), store=store)

    assert report.items == [{"url": HOME}]
    assert store.calls["open"] == store.calls["finish"] == store.calls["close"] == 1
    assert store.calls["commit"] >= 2


def test_a_run_in_a_given_durable_store_can_be_resumed(tmp_path: Path) -> None:
    site, full = FakeSite({HOME: ""}), Shelf(has_room=False)
    first = crawl(
        Pages, transport=site, outputs=(full,), store=Wrapped(SqliteStore(tmp_path))
    )
    second = crawl(Pages, transport=site, store=Wrapped(SqliteStore(tmp_path)))

    assert first.finish_reason is FinishReason.SINK_ERROR
    assert (second.run, second.resumed) == (1, True)
    assert second.items == [{"url": HOME}]
    assert site.urls == [HOME]


@dataclass
class Book:
    title: str


@dataclass
class Author:
    name: str


class Shop(Pages):
    item_types = (Book, Author)

    async def parse(self, response: Response) -> Results:
        yield Book("Emma")
        yield Author("Austen")
        if response.url != HOME:
            yield {"neither": 1}
        yield response.follow_all("a")


def test_each_type_of_item_goes_to_its_own_file(tmp_path: Path) -> None:
    site = FakeSite({HOME: "<a href=/b>b</a>", HOME + "b": ""})

    report = crawl(
        Shop,
        {"storage": {"dir": str(tmp_path / "state")}},
        job="shop",
        outputs=f"{tmp_path}/{{type}}.csv",
        transport=site,
    )

    assert (tmp_path / "Book.csv").read_bytes() == b"title\r\nEmma\r\n"
    assert (tmp_path / "Author.csv").read_bytes() == b"name\r\nAusten\r\n"
    assert report.failed == 1  # an item of no declared type fails its page


def test_the_outputs_of_a_spider_can_be_turned_off_in_code(tmp_path: Path) -> None:
    class Named(Pages):
        outputs = (str(tmp_path / "a.jsonl"),)

    site = FakeSite({HOME: ""})
    collected = crawl(Named, outputs=(), transport=site).items
    before = list(tmp_path.iterdir())
    report = crawl(Named, transport=site)

    assert collected == [{"url": HOME}]
    assert before == []
    assert report.items == []
    assert (tmp_path / "a.jsonl").exists()


class FullForAWhile(Wrapped):
    """Parts of pages cannot be stored at first."""

    async def stage(self, entry: Entry, portion: Portion, number: int) -> None:
        await super().stage(entry, portion, number)
        if self.calls["stage"] < 3:
            raise StoreError("no room")


def test_a_page_waits_while_its_partial_results_cannot_be_stored() -> None:
    class Feed(Spider):
        name = "feed"

        async def start(self) -> Results:
            yield Request(HOME, stream=True)

        async def parse(self, response: Response) -> Results:
            for n in range(3_000):
                yield {"n": n}

    store = FullForAWhile(MemoryStore())
    report, seconds = run_virtual(
        lambda: Crawl(Feed(), store=store, transport=FakeSite({HOME: b"x"})).wait()
    )

    assert [item["n"] for item in report.items] == list(range(3_000))
    assert report.failed == 0
    assert seconds >= 0.5  # between two attempts
