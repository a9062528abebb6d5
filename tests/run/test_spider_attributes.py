"""Attributes that a spider sets are lost when its run is resumed, and are then
named."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from crawler import Arg, Response, Results, Spider
from crawler.run.spider_attributes import SpiderAttributes
from tests.run.timed import TimedSite, crawl, numbered, starting


class Setting(Spider):
    name = "setting"
    shelf: str = Arg("fiction")

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seen: set[str] = set()
        self.words: dict[str, int] = {}
        self.total = 0

    async def parse(self, response: Response) -> Results:
        self.total += 1
        self.seen.add(response.url)
        self.logger.debug("%s", response.url)
        yield {"url": response.url}


class Still(Setting):
    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def test_attributes_are_named_once_when_they_change() -> None:
    spider = Setting()
    attributes = SpiderAttributes(spider)
    assert attributes.changed() == set()

    spider.total += 1
    spider.seen.add("a")
    spider.late = object()  # type: ignore[attr-defined]
    spider.logger.debug("cached")

    assert attributes.changed() == {"total", "seen", "late"}
    spider.total += 1
    spider.words["a"] = 1
    assert attributes.changed() == {"words"}
    assert attributes.changed() == set()


def interrupted_and_resumed(
    kind: type[Spider], folder: Path, caplog: pytest.LogCaptureFixture
) -> list[str]:
    """What a run says of attributes when it is begun, and when it is resumed."""
    pages = numbered(6)
    site, spider = TimedSite(dict.fromkeys(pages, "")), starting(*pages, of=kind)
    terms = {"job": "kept", "outputs": []}
    given: dict[str, dict[str, Any]] = {
        "politeness": {"rate": 1.0},
        "storage": {"dir": str(folder / "state")},
    }
    said = []
    with caplog.at_level(logging.WARNING, "crawler.run.spider_attributes"):
        crawl(spider, site, terms={**terms, "max_runtime": 2.5}, **given)
        said.append(caplog.text)
        caplog.clear()
        run = crawl(spider, site, terms=terms, **given)
        said.append(caplog.text)
    assert run.report.resumed
    return said


def test_a_resumed_run_names_the_attributes_that_were_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun, resumed = interrupted_and_resumed(Setting, tmp_path, caplog)

    assert begun == ""
    assert resumed.count("interruption: self.seen, self.total. ") == 1


def test_a_spider_that_sets_no_attributes_gets_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert interrupted_and_resumed(Still, tmp_path, caplog) == ["", ""]
