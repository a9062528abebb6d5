"""`crawl export` writes the items of an earlier run to other files."""

import json
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import (
    SHOP,
    crawl,
    serving,
)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "json", "db"])
def test_items_are_exported_in_every_format(
    ending: str, said: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    place = tmp_path / f"x.{ending}"

    code = execute(["export", "books", "-o", str(place)])

    assert code == 0
    assert said.readouterr().err == f"3 items of books/1 in {place}\n"
    assert place.stat().st_size > 0


def test_an_export_to_standard_output_writes_only_items(
    said: pytest.CaptureFixture[str],
) -> None:
    code = execute(["export", "books", "-o", "-"])

    lines = said.readouterr().out.splitlines()
    assert code == 0
    assert sorted(json.loads(line)["title"] for line in lines) == ["One", "Shop", "Two"]


def test_an_export_replaces_a_file_only_with_overwrite(
    said: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    place = tmp_path / "x.jsonl"
    place.write_text("precious\n")

    refused = execute(["export", "books", "-o", str(place)])
    kept = place.read_text()
    replaced = execute(["export", "books", "-o", str(place), "--overwrite"])

    assert (refused, replaced) == (2, 0)
    assert kept == "precious\n"
    assert len(place.read_text().splitlines()) == 3


TYPED = """
from dataclasses import dataclass
from decimal import Decimal

from crawler import Response, Results, Spider


@dataclass
class Book:
    title: str
    price: Decimal = Decimal("1.50")


class Books(Spider):
    name = "typed"
    start_urls = ["{url}/"]
    item_types = [Book]

    async def parse(self, response: Response) -> Results:
        yield Book(response.css_first("h1").text())
"""


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """A project whose spider has typed items, after one run."""
    (tmp_path / "spiders").mkdir()
    with serving(SHOP) as site:
        spider = tmp_path / "spiders" / "typed.py"
        spider.write_text(TYPED.replace("{url}", site.url))
        done = crawl(tmp_path, "run", "typed", "-q")
        assert done.returncode == 0, done.stderr
    return tmp_path


def test_an_export_has_the_types_of_the_spiders_items(typed: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")

    done = crawl(typed, "export", "typed", "-o", "x.parquet", "-o", "{type}.csv")

    assert done.returncode == 0, done.stderr
    schema = parquet.read_schema(typed / "x.parquet")
    assert str(schema.field("price").type) == "decimal128(38, 2)"
    assert (typed / "Book.csv").read_text() == "title,price\nShop,1.50\n"


@pytest.mark.parametrize("change", ["a field less", "no spider", "broken"])
def test_an_export_needs_no_spider(typed: Path, change: str) -> None:
    spider = typed / "spiders" / "typed.py"
    text = spider.read_text().replace('    price: Decimal = Decimal("1.50")\n', "")
    spider.write_text(text if change == "a field less" else "1 / 0")
    if change == "no spider":
        spider.unlink()

    done = crawl(typed, "export", "typed", "-o", "x.csv")

    assert done.returncode == 0, done.stderr
    assert (typed / "x.csv").read_text() == "title,price\nShop,1.50\n"
