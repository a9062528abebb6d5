"""The spider of `crawl demo`: it reads every book of the bookshop once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crawler.pipelines import Dedupe, Required
from crawler.response import Response
from crawler.spider import Arg, Results, Spider


class Books(Spider):
    """Follows shelves to books, and books to their reviews. A book and a summary of
    its reviews are one item."""

    name = "books"
    shop: str = Arg(help="the address of the bookshop")
    pipelines = (Required("title", "price"), Dedupe("url"))

    @property
    def start_urls(self) -> Sequence[str]:
        return [self.shop]

    async def parse(self, response: Response) -> Results:
        """Follow the links of a page that is not a book's page, such as a list."""
        yield response.follow_all("nav a, footer a, a.next")
        yield response.follow_all("a.detail", self.parse_book)

    async def parse_book(self, response: Response) -> Results:
        """Read a book's page, and request its reviews with the book as `meta`."""
        page = response.page
        book = {
            "title": page.text("h1"),
            "author": page.text(".author"),
            "price": float(page.text(".price").removeprefix("£")),
            "shelf": page.text(".shelf"),
            "year": int(page.text(".year")),
            "url": response.url,
        }
        link = page.attr("href", "a.reviews")
        yield response.follow(link, self.parse_reviews, meta=book)
        yield response.follow_all("a.detail", self.parse_book)

    def parse_reviews(self, response: Response) -> list[dict[str, Any]]:
        """Return the book that `meta` holds, with the number and the mean rating of its
        reviews."""
        stars = [review["stars"] for review in response.json()["reviews"]]
        rating = round(sum(stars) / len(stars), 1) if stars else None
        return [{**response.meta, "rating": rating, "reviews": len(stars)}]
