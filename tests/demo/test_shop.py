"""The pages of the bookshop, and the spider that crawls all of them."""

from typing import Any

from crawler import Report, crawl
from crawler.demo import Books, Shop
from crawler.testing import FakeSite

URL = "https://bookshop.example/"


def fake(shop: Shop) -> FakeSite:
    pages: dict[str, Any] = {}
    for path, page in shop.pages.items():
        headers = {"Content-Type": page.kind}
        if page.location:
            headers["Location"] = page.location
        pages[URL + path[1:]] = (page.status, headers, page.body)
    return FakeSite(pages)


def crawled(shop: Shop) -> Report:
    return crawl(Books, shop=URL, transport=fake(shop))


def test_the_shop_is_always_the_same_and_its_titles_are_unique() -> None:
    books = Shop().books

    assert books == Shop().books
    assert books != Shop(seed=2).books
    assert len({book.title for book in books}) == len(books) == 200


def test_the_spider_finds_every_book_once() -> None:
    shop = Shop()

    report = crawled(shop)

    assert sorted(item["url"] for item in report.items) == sorted(
        URL + book.path[1:] for book in shop.books
    )
    found = {item["url"]: item for item in report.items}
    first = shop.books[0]
    assert found[URL + first.path[1:]] == {
        "title": first.title,
        "author": first.author,
        "price": first.pence / 100,
        "shelf": first.shelf,
        "year": first.year,
        "url": URL + first.path[1:],
        "rating": round(sum(first.stars) / len(first.stars), 1)
        if first.stars
        else None,
        "reviews": len(first.stars),
    }


def test_the_report_shows_the_faults_of_the_shop() -> None:
    report = crawled(Shop())

    assert report.exit_code == 0
    assert report.errors == {"http_status": 1}
    assert report.skipped == {"robots_denied": 2, "scope": 1}
    assert report.redirected == 21
    assert report.pages == 436
    assert report.found == report.pages + 1 + 21 + 3
