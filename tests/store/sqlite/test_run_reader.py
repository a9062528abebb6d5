"""The page log and the comparison of items, over real runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler import Response, Results, Spider, crawl, settings
from crawler.errors import StateError
from crawler.settings import Layer
from crawler.store.base import State
from crawler.store.sqlite.reader import SqliteReader
from crawler.testing import FakeSite

SITE = "https://books.example"


class Books(Spider):
    name = "books"
    start_urls = (f"{SITE}/",)

    async def parse(self, response: Response) -> Results:
        yield {"title": response.css("h1")[0].text()}
        yield response.follow_all("a")


def run(folder: Path, **pages: str) -> int:
    """Crawl these pages as job `books`; the run's number."""
    root = "<h1>Shop</h1>" + "".join(f"<a href=/{name}>x</a>" for name in pages)
    site = FakeSite(
        {f"{SITE}/": root, **{f"{SITE}/{name}": text for name, text in pages.items()}}
    )
    kept = settings.build([Layer("test", {"storage": {"dir": str(folder)}})])
    return crawl(Books, kept, job="books", transport=site).run


def test_each_try_is_a_line_with_its_page(tmp_path: Path) -> None:
    number = run(tmp_path, one="<h1>One</h1>", two="no heading")

    found = {
        each.url: each for each in SqliteReader(tmp_path).run("books", number).visits()
    }

    assert set(found) == {f"{SITE}/", f"{SITE}/one", f"{SITE}/two"}
    assert found[f"{SITE}/one"].state is State.DONE
    failed = found[f"{SITE}/two"]
    assert (failed.state, failed.reason) == (State.FAILED, "spider_error")
    assert failed.host == "books.example"
    root = SqliteReader(tmp_path).run("books", number).url_of(failed.parent)
    assert root == f"{SITE}/"


def test_items_are_compared_by_their_page(tmp_path: Path) -> None:
    before = run(
        tmp_path, one="<h1>One</h1>", two="<h1>Two</h1>", three="<h1>Three</h1>"
    )
    now = run(tmp_path, one="<h1>One</h1>", two="<h1>2</h1>", four="<h1>Four</h1>")

    reader = SqliteReader(tmp_path)
    found = reader.run("books", now).changes(reader.run("books", before))

    assert found is not None
    assert (found.new, found.gone, found.changed, found.same) == (1, 1, 1, 2)


def test_a_sample_of_items_is_spread_over_the_run(tmp_path: Path) -> None:
    number = run(tmp_path, **{f"p{n}": f"<h1>{n}</h1>" for n in range(9)})

    kept = SqliteReader(tmp_path).run("books", number)
    bodies = [row.body for row in kept.items()]
    assert list(kept.sample(100)) == bodies
    assert list(kept.sample(5)) == bodies[1::2]


def test_a_run_that_is_no_longer_kept_is_an_error(tmp_path: Path) -> None:
    run(tmp_path)

    with pytest.raises(StateError, match="no longer kept"):
        SqliteReader(tmp_path).run("books", 9)
