"""Outputs and report contain items as they were yielded."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crawler import Response, Results, Spider, crawl, crawl_items
from crawler.pipelines.snapshot import snapshot
from crawler.testing import FakeSite

HOME = "https://site.example/"


class Reused(Spider):
    """Fills one dict again and again."""

    name = "reused"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        item: dict[str, Any] = {"tags": []}
        for number in range(3):
            item["n"] = number
            item["tags"].append(number)
            yield item
        item.clear()


EXPECTED = [{"tags": [*range(n + 1)], "n": n} for n in range(3)]


def test_changes_to_an_item_after_its_yield_have_no_effect() -> None:
    site = FakeSite({HOME: "x"})

    assert crawl(Reused, transport=site).items == EXPECTED
    assert list(crawl_items(Reused, transport=site)) == EXPECTED


def test_a_file_output_contains_the_item_as_it_was_yielded(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"

    crawl(Reused, transport=FakeSite({HOME: "x"}), outputs=[str(target)])

    assert [json.loads(line) for line in target.read_text().splitlines()] == EXPECTED


@dataclass
class Book:
    title: str
    tags: list[str] = field(default_factory=list)


class Shelf(msgspec.Struct):
    books: list[Book]


@pytest.mark.parametrize("make", [lambda: Book("a", ["x"]), lambda: Shelf([Book("a")])])
def test_a_snapshot_is_equal_and_shares_nothing(make: Any) -> None:
    item = make()
    taken = snapshot(item)

    assert taken == item
    assert type(taken) is type(item)
    (item.tags if isinstance(item, Book) else item.books).clear()
    assert taken == make()


def test_a_value_that_cannot_be_copied_has_no_snapshot() -> None:
    assert snapshot({"f": (line for line in "")}) is None
