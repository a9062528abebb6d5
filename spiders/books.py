"""Reads a bookshop: follows its lists to the books, and makes one item of each book."""

from dataclasses import dataclass

from crawler import Arg, Dedupe, Required, Response, Results, Spider


@dataclass
class Book:
    """An item: the data of one book, from the book's own page."""

    title: str
    price: str
    url: str


class Books(Spider):
    name = "books"
    shop: str = Arg("https://books.example/", help="the page that lists the books")
    pipelines = (Required("title", "price"), Dedupe("url"))

    @property
    def start_urls(self) -> list[str]:
        return [self.shop]

    async def parse(self, response: Response) -> Results:
        yield response.follow_all("a.next")
        yield response.follow_all("a.detail", self.parse_book)

    async def parse_book(self, response: Response) -> Results:
        page = response.page
        price = page.text(".price", default="")
        yield Book(title=page.text("h1"), price=price, url=response.url)
