"""The bookshop's spider, on the pages of a shop."""

from crawler import crawl
from crawler.testing import FakeSite
from spiders.books import Book, Books

SHOP = "https://books.example/"
SHELF = """
<article class="book"><h3>Emma</h3><a class="detail" href="/emma">more</a></article>
<article class="book"><h3>Persuasion</h3><a class="detail" href="/gone">no</a></article>
<a class="next" href="/2">next</a>
"""
EMMA = '<h1>Emma</h1><p class="price">£12.50</p>'


def test_every_book_is_found_once_with_its_price() -> None:
    site = FakeSite(
        {
            SHOP: SHELF,
            f"{SHOP}2": '<a class="detail" href="/emma">again</a>',
            f"{SHOP}emma": EMMA,
        }
    )

    report = crawl(Books, transport=site)

    assert report.items == [Book("Emma", "£12.50", f"{SHOP}emma")]
    assert report.errors == {"http_status": 1}


def test_a_book_without_a_price_is_dropped_and_counted() -> None:
    site = FakeSite({SHOP: SHELF, f"{SHOP}emma": "<h1>Emma</h1>"})

    report = crawl(Books, transport=site)

    assert report.items == []
    assert report.dropped == {"missing:price": 1}


def test_the_shop_is_an_argument() -> None:
    site = FakeSite({"https://other.example/shelf": EMMA})

    crawl(Books, shop="https://other.example/shelf", transport=site)

    assert site.urls == ["https://other.example/shelf"]
