"""Typed items beside the same items made by hand: the ratio of their CPU time.

python -m benchmarks.typed_items
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from crawler import Response, css, fetch
from crawler.testing import FakeSite

_URL = "https://books.example/"
_ARTICLES, _RUNS = 1_000, 15
_ARTICLE = (
    '<article class="book"><h3><a href="book/{0}">Book {0}</a></h3>'
    '<p class="price">{0}.50</p><span class="stock">{0}</span>'
    '<p class="by">By <b>Jane</b> Austen</p>'
    '<ul><li class="tag">one</li><li class="tag">two</li></ul></article>'
)


@dataclass
class Book:
    """An item with six fields."""

    title: Annotated[str, css("h3")]
    url: Annotated[str, css("h3 a", attr="href", absolute=True)]
    price: Annotated[Decimal, css(".price")]
    stock: Annotated[int, css(".stock")]
    by: Annotated[str, css(".by")]
    tags: Annotated[list[str], css(".tag")]


def by_hand(response: Response) -> list[Book]:
    """The items as a spider without typed items makes them."""
    return [
        Book(
            title=node.text("h3"),
            url=response.urljoin(node.attr("href", "h3 a")),
            price=Decimal(node.text(".price")),
            stock=int(node.text(".stock")),
            by=node.text(".by"),
            tags=[tag.text() for tag in node.css(".tag")],
        )
        for node in response.css("article.book")
    ]


def typed(response: Response) -> list[Book]:
    """The same by the class alone."""
    return response.extract(Book, "article.book")


def _seconds(make: Callable[[Response], list[Book]], response: Response) -> float:
    before = time.process_time()
    make(response)
    return time.process_time() - before


async def main() -> None:
    """Print the least of some runs of each, and their ratio."""
    html = "".join(map(_ARTICLE.format, range(_ARTICLES)))
    response = await fetch(_URL, transport=FakeSite({_URL: html}))
    assert by_hand(response) == typed(response)
    pairs = [
        (_seconds(by_hand, response), _seconds(typed, response)) for _ in range(_RUNS)
    ]
    hand, own = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    print(
        f"{_ARTICLES:,} articles by hand {hand * 1e3:.1f} ms, typed {own * 1e3:.1f} ms"
    )
    print(f"ratio {own / hand:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
