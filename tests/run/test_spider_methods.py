"""Finding callbacks by name, and suggesting the nearest name."""

from __future__ import annotations

import pytest

from crawler import Response, Results, Spider
from crawler.run.spider_methods import SpiderMethods
from crawler.run.yielded import WrongYield


class Books(Spider):
    name = "books"
    shelf = "fiction"

    async def parse(self, response: Response) -> Results:
        yield {}

    async def parse_book(self, response: Response) -> Results:
        yield {}


def test_a_method_is_found_by_its_stored_name() -> None:
    spider = Books()

    assert SpiderMethods(spider).find("parse_book") == spider.parse_book


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("parse_bok", "did you mean 'parse_book'", id="a typing error"),
        pytest.param("shelf", "has no callback 'shelf'", id="no method"),
        pytest.param("xyz", "has no callback 'xyz'", id="unlike any"),
    ],
)
def test_an_unknown_method_name_suggests_the_nearest_one(
    name: str, message: str
) -> None:
    with pytest.raises(WrongYield, match=message):
        SpiderMethods(Books()).find(name)


def test_an_errback_is_checked_too() -> None:
    methods = SpiderMethods(Books())

    methods.check("parse", "parse_book")
    methods.check("parse")
    with pytest.raises(WrongYield, match="'gone'"):
        methods.check("parse", "gone")
