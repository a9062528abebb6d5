"""An unfinished run of an earlier version can be read and resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler import Response, Results, Spider, crawl
from crawler.store.base import Facts
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore
from crawler.testing import FakeSite
from tests.store.sqlite.older_states import VERSIONS, restore
from tests.store.values import START

SHOP = "https://shop.example/"
FACTS = Facts(
    {"shop.example"},
    {"books.example"},
    {"https://books.example"},
    {
        ("", "books.example"): b'[["books.example",true,"/","visitor","7",false,'
        b"null,1,1]]",
        ("", "shop.example"): b'[["shop.example",true,"/","wall","passed",false,'
        b"null,5,5]]",
    },
    start_ended=True,
)


class Books(Spider):
    name = "books"
    start_urls = ["https://books.example/"]

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_all("a")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_interrupted_by_an_earlier_version_is_resumed(
    tmp_path: Path, version: str
) -> None:
    restore(version, tmp_path)
    site = FakeSite({f"{SHOP}{number}": "<p>A book</p>" for number in range(1, 9)})

    report = crawl(
        Books,
        transport=site,
        job="books",
        settings={"storage": {"dir": str(tmp_path)}},
    )

    asked = sorted(site.urls)
    assert asked == [f"{SHOP}{number}" for number in (2, 5, 6, 7, 8)]
    assert report.resumed
    assert (report.pages, report.pending) == (9, 0)
    assert report.items == [{"url": SHOP}] + [
        {"url": f"{SHOP}{number}"} for number in (1, 3, 4, 2, 5, 6, 7, 8)
    ]
    assert "wall=passed" in site.requests[-1].headers["cookie"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_of_an_earlier_version_is_read_without_changes(
    tmp_path: Path, version: str
) -> None:
    restore(version, tmp_path)

    reader = SqliteReader(tmp_path)
    (record,) = reader.runs("books")

    assert record.counters.pages == 4
    assert len(list(reader.run("books").items())) == 4
    assert reader.run("books").facts() == FACTS


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_facts_of_an_earlier_version_are_read(
    tmp_path: Path, version: str
) -> None:
    restore(version, tmp_path)
    store = SqliteStore(tmp_path)

    opening = await store.open(START)
    await store.close(1.0)

    assert opening.facts == FACTS
    assert opening.is_resumed
