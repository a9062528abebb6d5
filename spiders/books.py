"""A bookshop: shelves lead to books, and each book is one item, once."""

from dataclasses import dataclass

from crawler import Arg, Dedupe, Required, Response, Results, Spider


@dataclass
class Book:
    """What is kept of a book's own page."""

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
