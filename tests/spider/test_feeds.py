"""Feeds of all kinds as streams: records, detection, and errors."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from crawler import ConfigError, FeedEntry, FeedSpider, Report, Response, Results, crawl
from crawler.testing import FakeSite
from tests.run.killing import durable

URL = "https://feeds.example/feed"
RSS = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>
<item><title>One &amp; more</title><link>/one</link><guid>g1</guid></item>
<item><guid>https://feeds.example/two</guid></item></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title>
<entry><id>urn:1</id><title>One</title><link href="/one"/></entry></feed>"""


def read(
    body: Any, kind: str = "", of: type[FeedSpider] = FeedSpider, **more: Any
) -> Report:
    attributes = {"name": "feed", "start_urls": [URL], **more}
    spider = type("Reads", (of,), attributes)
    headers = {"Content-Type": kind} if kind else {}
    return crawl(spider, transport=FakeSite({URL: (200, headers, body)}))


@pytest.mark.parametrize(
    ("body", "kind", "urls"),
    [
        (RSS, "application/rss+xml", ["/one", "/two"]),
        (ATOM, "application/atom+xml", ["/one"]),
    ],
)
def test_feeds_of_both_kinds_yield_entries(
    body: bytes, kind: str, urls: list[str]
) -> None:
    items = read(body, kind).items

    assert all(isinstance(item, FeedEntry) for item in items)
    assert [item.url for item in items] == [
        f"https://feeds.example{url}" for url in urls
    ]


def test_xml_is_read_element_by_element() -> None:
    class ByElement(FeedSpider):
        element = "book"

        async def parse_record(self, response: Response, record: Any) -> Results:
            yield {"title": record.findtext("title")}

    body = b"<books><book><title>a</title></book><book><title>b</title></book></books>"

    assert read(body, of=ByElement).items == [{"title": "a"}, {"title": "b"}]


def test_names_of_csv_columns_can_be_given() -> None:
    items = read(b"1,2\n3,4\n", "text/csv", columns=("a", "b")).items

    assert items == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstd.compress, lambda body: gzip.compress(body) * 2]
)
@pytest.mark.parametrize(
    ("body", "count"), [(RSS, 2), (b'{"a": 1}\n' * 3, 3), (b"a,b\n1,2\n", 1)]
)
def test_compressed_feeds_are_decompressed(
    pack: Callable[[bytes], bytes], body: bytes, count: int
) -> None:
    packed = pack(body)
    if len(gzip.compress(body)) * 2 == len(packed) and not body.startswith(b"{"):
        return  # twice in a row makes sense for lines only

    items = read(packed, "application/octet-stream").items

    assert len(items) == (2 * count if packed == gzip.compress(body) * 2 else count)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b'[{"a": 1}, {"a": 2}, {"a"', 2),
        (b'[{"a": 1}, {"a": 2}', 2),
        (b'{"a": 1}\n{"a": 2}\nnothing\n', 2),
        (b"a,b\n1,2\n3,x\ry\n", 1),
        (RSS[: RSS.index(b"<item><guid>")] + b"<item><", 1),
        (gzip.compress(b'{"a": 1}\n{"a": 2}\n' * 9000)[:-40], 1),
    ],
)
def test_records_before_an_error_are_kept_and_the_error_is_logged(
    body: bytes, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    report = read(body)

    assert report.item_count >= count
    assert report.pages == 1
    assert report.counts == {"feeds that ended early": 1}
    assert "cannot be read to its end" in caplog.text


def test_a_body_that_is_not_a_feed_fails_its_page() -> None:
    report = read(b"[nothing]", "application/json")

    assert report.errors == {"parse_error": 1}


@pytest.mark.parametrize(
    ("attributes", "text"),
    [({"kind": "xml"}, "set `element`"), ({"kind": "yaml"}, "use one of feed, xml")],
)
def test_an_unknown_kind_of_feed_is_an_error_of_the_class(
    attributes: Any, text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        type("Wrong", (FeedSpider,), attributes)


def pieces(count: int, make: Callable[[int], str], first: str) -> Any:
    async def body() -> AsyncIterator[bytes]:
        yield first.encode()
        for start in range(0, count, 500):
            yield "".join(map(make, range(start, start + 500))).encode()

    return body()


@pytest.mark.parametrize(
    ("first", "make", "last"),
    [
        ("id,text\n", lambda n: f"{n},{'x' * 200}\n", ""),
        ("", lambda n: json.dumps({"id": n, "text": "x" * 200}) + "\n", ""),
    ],
)
def test_a_long_feed_takes_little_memory(
    tmp_path: Path, first: str, make: Callable[[int], str], last: str
) -> None:
    count, seen = 100_000, []

    class Counts(FeedSpider):
        name = "counts"
        start_urls = [URL]

        async def parse_record(self, response: Response, record: Any) -> Results:
            seen.append(1)
            if len(seen) == count:
                yield {"id": int(record["id"])}

    site = FakeSite({URL: (200, {}, pieces(count, make, first))})
    tracemalloc.start()
    run = durable(Counts, site, tmp_path, http={"total": "1h"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert run.report.items == [{"id": count - 1}]
    assert peak < 20 * 1024**2
