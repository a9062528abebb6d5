"""What a run opens is closed again, and a run that cannot begin leaves nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from crawler import ConfigError, Report, Response, Results, Spider, crawl
from crawler.pipelines import Process, Run
from crawler.run.opening import open_run
from crawler.run.options import RunOptions
from crawler.settings import Settings
from crawler.sinks import ItemRow, Sink, Source
from crawler.store.memory import MemoryStore
from crawler.store.sqlite.reader import SqliteReader
from crawler.testing import FakeSite
from tests.store.wrapped import Wrapped

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


class Shut(Shelf):
    """Says only when it is opened that it takes nothing."""

    async def open(self, source: Source) -> int:
        raise ConfigError("shut today")


def test_a_run_that_cannot_begin_leaves_nothing_behind(tmp_path: Path) -> None:
    site = FakeSite({HOME: ""})

    with pytest.raises(ConfigError, match="shut today"):
        run(site, tmp_path, Shut(has_room=True))

    assert SqliteReader(tmp_path).runs("pages") == []
    assert list((tmp_path / "pages.runs").iterdir()) == []
    report = run(site, tmp_path, Shelf(has_room=True))
    assert (report.run, report.resumed) == (1, False)


def test_an_unfinished_run_that_cannot_be_resumed_now_is_kept(tmp_path: Path) -> None:
    site = FakeSite({HOME: ""})
    run(site, tmp_path, Shelf(has_room=False))

    with pytest.raises(ConfigError, match="shut today"):
        run(site, tmp_path, Shut(has_room=True))

    report = run(site, tmp_path, Shelf(has_room=True))
    assert (report.run, report.resumed, report.pages) == (1, True, 1)


def test_a_rejected_output_does_not_forget_an_unfinished_run(tmp_path: Path) -> None:
    site = FakeSite({HOME: ""})
    run(site, tmp_path, Shelf(has_room=False))
    taken = tmp_path / "taken.jsonl"
    taken.write_text("precious")
    storage = {"storage": {"dir": str(tmp_path)}}

    with pytest.raises(ConfigError, match="was not written by this job"):
        crawl(Pages, storage, job="pages", outputs=str(taken), fresh=True)

    assert run(site, tmp_path, Shelf(has_room=True)).resumed


class Closing:
    """A pipeline that notes whether the output was closed before it."""

    def __init__(self, shelf: Noting) -> None:
        self._shelf = shelf
        self.was_closed_after_the_output = False

    @asynccontextmanager
    async def open(self, run: Run) -> AsyncIterator[Process]:
        yield Same()
        self.was_closed_after_the_output = self._shelf.is_closed


class Same:
    async def process(self, item: Any, page: Response | None) -> Any:
        return item


class Noting(Shelf):
    is_closed = False

    async def close(self) -> None:
        self.is_closed = True


async def test_parts_are_closed_in_the_reverse_order_of_their_opening() -> None:
    shelf = Noting(has_room=True)
    closing = Closing(shelf)
    spider = type("Piped", (Pages,), {"pipelines": [closing]})()
    options = RunOptions(
        transport=FakeSite({HOME: ""}), store=(store := Wrapped(MemoryStore()))
    )

    async with open_run(spider, Settings(), options, shelf) as run:
        report = await run.run()
        closed_early = shelf.is_closed, store.calls["close"]

    assert (report.pages, closed_early) == (1, (False, 0))
    assert closing.was_closed_after_the_output
    assert store.calls["close"] == 1
