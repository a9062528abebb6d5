"""The spider of the bookshop: every book once, with what readers said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crawler.pipelines import Dedupe, Required
from crawler.response import Response
from crawler.spider import Arg, Results, Spider


class Books(Spider):
    """Shelves lead to books, a book to its reviews, and both make one item."""

    name = "books"
    shop: str = Arg(help="the address of the bookshop")
    pipelines = (Required("title", "price"), Dedupe("url"))

    @property
    def start_urls(self) -> Sequence[str]:
        return [self.shop]

    async def parse(self, response: Response) -> Results:
        """The home page, a shelf, or what its visitors are told."""
        yield response.follow_all("nav a, footer a, a.next")
        yield response.follow_all("a.detail", self.parse_book)

    async def parse_book(self, response: Response) -> Results:
        """A book's own page; what it says goes along to the reviews."""
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
        """The reviews complete the book."""
        stars = [review["stars"] for review in response.json()["reviews"]]
        rating = round(sum(stars) / len(stars), 1) if stars else None
        return [{**response.meta, "rating": rating, "reviews": len(stars)}]
