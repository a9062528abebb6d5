"""FeedSpider: reads the records of feeds (RSS, Atom, XML, CSV or JSON) of any size.

    class News(FeedSpider):
        name = "news"
        start_urls = ["https://news.example/feed.xml"]

        async def parse_record(self, response: Response, record: FeedEntry) -> Results:
            yield response.follow(record.url, self.parse_article)

Rule: a feed is streamed, even if it is compressed, and only one record is in memory at
a time. If a feed cannot be read to its end, the records before the error are kept and a
warning is logged.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, Literal, Protocol, get_args

import anyio.lowlevel

from crawler.errors import ConfigError, FetchError, Reason
from crawler.message.received import BodyStream
from crawler.request import Request
from crawler.response import Response
from crawler.spider.base import Results, Spider
from crawler.spider.feed_entries import entry_of
from crawler.web.records.csv_records import CsvRecords
from crawler.web.records.json_records import JsonRecords
from crawler.web.records.unpacking import Unpacker

Kind = Literal["", "feed", "xml", "csv", "json"]


_KINDS = get_args(Kind)


class Records(Protocol):
    """A parser: `feed` takes the next bytes of a feed and yields the records that are
    complete, and `close` yields the last record."""

    def feed(self, data: bytes) -> Iterator[Any]: ...
    def close(self) -> Iterator[Any]: ...


class FeedSpider(Spider):
    """Fetches its start URLs, and passes each record of these feeds to `parse_record`.

    A record of RSS or Atom is a FeedEntry. A record of other XML is an element named
    `element`. A record of CSV is a dict. A record of JSON is one value of a JSON array
    or one line of JSON lines. Feeds compressed with gzip or zstd are decompressed.
    """

    #: The kind of the feeds: "feed" (RSS and Atom), "xml", "csv" or "json" (an array,
    #: or one value on each line). Empty: the first byte and the media type decide.
    kind: ClassVar[Kind] = ""
    #: The name of the XML elements that are records, if the feed is not RSS or Atom;
    #: required if `kind` is "xml".
    element: str = ""
    #: The delimiter of CSV feeds; "": it is detected from the first lines.
    delimiter: str = ""
    #: The column names of CSV feeds; empty: the first row of the feed has the names.
    columns: tuple[str, ...] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.kind not in _KINDS:
            raise ConfigError(
                f"{cls.__name__}.kind is {cls.kind!r}, which is not a kind of feed; "
                f"use one of {', '.join(filter(None, _KINDS))}"
            )
        if cls.kind == "xml" and not cls.element:
            raise ConfigError(
                f"{cls.__name__}.kind is 'xml', but {cls.__name__}.element is not set; "
                "set `element` to the name of the XML elements that are records"
            )

    async def start(self) -> Results:
        """Yield a request for each start URL; its response is streamed to
        `parse_feed`."""
        for url in self.start_urls:
            yield Request(url, "parse_feed", stream=True)

    async def parse_record(self, response: Response, record: Any) -> Results:
        """Process one record of a feed; by default the record becomes an item."""
        yield record

    async def parse_feed(self, response: Response) -> Results:
        """Read a feed, and pass its records to `parse_record`."""
        count = 0
        try:
            async for record in self._records(response):
                count += 1
                async for value in self.parse_record(response, record):
                    yield value
        except FetchError as exc:
            if exc.reason is not Reason.PARSE_ERROR or not count:
                raise
            self.count("feeds that ended early")
            self.logger.warning(
                "Feed %s cannot be read to its end: %s (records that are kept: %d)",
                response.url,
                exc.detail,
                count,
            )

    async def _records(self, response: Response) -> AsyncIterator[Any]:
        unpacked = response.stream = UnpackedBody(response.stream, response.url)
        kind = self.kind or _kind_of(response, await unpacked.first())
        if kind == "feed" and not self.element:
            async for element in response.xml_elements("item", "entry"):
                yield entry_of(element, response)
            return
        if kind in ("feed", "xml"):
            async for element in response.xml_elements(self.element):
                yield element
            return
        reader: Records = JsonRecords()
        if kind == "csv":
            charset = response.headers.get("content-type", "").partition("charset=")[2]
            reader = CsvRecords(charset or None, self.columns, self.delimiter)
        async for record in _read(response, reader):
            yield record


async def _read(response: Response, reader: Records) -> AsyncIterator[Any]:
    try:
        async for piece in response.aiter_bytes():
            for record in reader.feed(piece):
                yield record
            await anyio.lowlevel.checkpoint()  # let other tasks run
        for record in reader.close():
            yield record
    except ValueError as exc:
        raise FetchError(Reason.PARSE_ERROR, str(exc), url=response.url) from exc


class UnpackedBody:
    """The body of a response, which is decompressed while it is read if it is
    compressed with gzip or zstd."""

    def __init__(self, body: BodyStream, url: str) -> None:
        self._body = body
        self._url = url
        self._pieces = self._unpacked()
        self._first = b""

    async def first(self) -> bytes:
        """Return the first chunk of the body that is not empty; iteration will yield
        this chunk again."""
        while not self._first:
            try:
                self._first = await anext(self._pieces)
            except StopAsyncIteration:
                break
        return self._first

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._first:
            first, self._first = self._first, b""
            yield first
        async for piece in self._pieces:
            yield piece

    async def _unpacked(self) -> AsyncIterator[bytes]:
        unpacker = Unpacker()
        try:
            async for piece in self._body:
                for plain in unpacker.feed(piece):
                    yield plain
            for plain in unpacker.close():
                yield plain
        except ValueError as exc:
            raise FetchError(Reason.PARSE_ERROR, str(exc), url=self._url) from exc

    @property
    def received(self) -> int:
        return self._body.received

    def take_complete(self) -> bytes | None:
        return None

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self])

    def keep_transferred(self) -> None:
        self._body.keep_transferred()

    @property
    def transferred(self) -> bytes:
        return self._body.transferred

    async def aclose(self) -> None:
        await self._body.aclose()


def _kind_of(response: Response, first: bytes) -> Kind:
    start = first.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<":
        return "feed"
    said = response.headers.get("content-type", "").lower()
    return "json" if start in (b"{", b"[") or "json" in said else "csv"
