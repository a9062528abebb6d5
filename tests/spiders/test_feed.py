"""The feed's spider yields more items than one ordinary page may."""

from collections.abc import AsyncIterator

from crawler import crawl
from crawler.testing import FakeSite
from spiders.feed import Feed

URL = "https://data.example/all.jsonl"


async def lines(number: int) -> AsyncIterator[bytes]:
    """A feed whose pieces do not end where its lines do."""
    for start in range(0, number, 100):
        text = "".join(f'{{"id":{each}}}\n' for each in range(start, start + 100))
        yield text[:500].encode()
        yield text[500:].encode()


def test_a_feed_of_any_length_is_read_line_by_line() -> None:
    site = FakeSite({URL: lambda request: lines(12_000)})

    report = crawl(Feed, url=URL, transport=site)

    assert report.items == [{"id": number} for number in range(12_000)]
    assert (report.pages, report.failed) == (1, 0)


def test_a_feed_that_breaks_off_yields_no_items() -> None:
    site = FakeSite({URL: b'{"id":1}\n{"id":'})

    report = crawl(Feed, url=URL, transport=site)

    assert report.items == []
    assert report.errors == {"spider_error": 1}
