"""Sitemaps of every form, whole and in pieces, and invalid ones."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.sitemaps import SitemapEntry, SitemapParser, moment, parse

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>'
NAMES = (
    b'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    b'xmlns:xhtml="http://www.w3.org/1999/xhtml"'
)
URLSET = b"%s<urlset %s><url><loc> https://a.example/1?x=1&amp;y=2 </loc>" % (
    HEAD,
    NAMES,
) + (
    b"<lastmod>2026-01-02</lastmod><changefreq>daily</changefreq>"
    b"<priority>0.5</priority>"
    b'<xhtml:link rel="alternate" hreflang="de" href="https://a.example/de/1"/></url>'
    b"<url><loc><![CDATA[https://a.example/2]]></loc></url></urlset>"
)
FIRST = SitemapEntry(
    "https://a.example/1?x=1&y=2",
    lastmod="2026-01-02",
    alternates=(("de", "https://a.example/de/1"),),
    priority="0.5",
    changefreq="daily",
)
SECOND = SitemapEntry("https://a.example/2")
INDEX = (
    b"<sitemapindex %s><sitemap><loc>https://a.example/s.xml.gz</loc>"
    b"</sitemap></sitemapindex>" % NAMES
)
RSS = (
    b"<rss><channel><link>https://a.example/</link><item>"
    b"<link>https://a.example/1</link>"
    b"<pubDate>Tue, 03 Jun 2003 09:39:21 GMT</pubDate></item></channel></rss>"
)
ATOM = (
    b'<feed xmlns="http://www.w3.org/2005/Atom"><link href="https://a.example/"/>'
    b'<entry><link rel="self" href="https://a.example/self"/>'
    b'<link href="https://a.example/1"/><updated>2003-12-13T18:30:02Z</updated>'
    b"</entry></feed>"
)
TEXT = b"\xef\xbb\xbfhttps://a.example/1\r\nnonsense\n\n https://a.example/2"


@pytest.mark.parametrize(
    ("data", "entries"),
    [
        pytest.param(URLSET, [FIRST, SECOND], id="a set of URLs"),
        pytest.param(
            INDEX, [SitemapEntry("https://a.example/s.xml.gz", True)], id="an index"
        ),
        pytest.param(
            RSS,
            [
                SitemapEntry(
                    "https://a.example/1", lastmod="Tue, 03 Jun 2003 09:39:21 GMT"
                )
            ],
            id="RSS",
        ),
        pytest.param(
            ATOM,
            [SitemapEntry("https://a.example/1", lastmod="2003-12-13T18:30:02Z")],
            id="Atom",
        ),
        pytest.param(TEXT, [SitemapEntry("https://a.example/1"), SECOND], id="text"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(b" \n", [], id="blanks"),
        pytest.param(b"\n\n" + URLSET, [FIRST, SECOND], id="blanks before the XML"),
        pytest.param(
            URLSET.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
            [FIRST, SECOND],
            id="UTF-16",
        ),
        pytest.param(gzip.compress(URLSET), [FIRST, SECOND], id="gzip"),
        pytest.param(
            gzip.compress(TEXT),
            [
                FIRST._replace(
                    url="https://a.example/1",
                    lastmod="",
                    alternates=(),
                    priority="",
                    changefreq="",
                ),
                SECOND,
            ],
            id="text in gzip",
        ),
    ],
)
def test_a_sitemap_of_any_form_gives_its_entries(
    data: bytes, entries: list[SitemapEntry]
) -> None:
    found = parse(data)

    assert found.entries == entries
    assert found.error == ""


@given(
    data=st.sampled_from([URLSET, INDEX, RSS, ATOM, TEXT, gzip.compress(URLSET)]),
    cuts=st.lists(st.integers(0, 600), max_size=8),
)
def test_a_sitemap_is_parsed_however_it_is_split(data: bytes, cuts: list[int]) -> None:
    parser, entries = SitemapParser(), []
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})

    for start, end in pairwise(places):
        entries += parser.feed(data[start:end])
    entries += parser.close()

    assert entries == parse(data).entries


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(
            URLSET.replace(b"<url><loc><!", b"<url><loc>a&b<!"),
            "the sitemap is not valid XML: not well-formed",
            id="a stray ampersand",
        ),
        pytest.param(
            URLSET[: URLSET.index(b"<url><loc><!")],
            "the sitemap is not valid XML: no",
            id="cut off",
        ),
        pytest.param(
            gzip.compress(URLSET)[:10] + b"\xff" * 9,
            "the sitemap's gzip data is damaged:",
            id="gzip",
        ),
    ],
)
def test_entries_before_an_error_are_returned_and_the_error_is_reported(
    data: bytes, error: str
) -> None:
    found = parse(data)

    assert found.entries in ([FIRST], [])
    assert found.error.startswith(error)


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(
            BOMB + b"<urlset><url><loc>&b;</loc></url></urlset>",
            "the sitemap declares XML entities, which are refused",
            id="entities",
        ),
        pytest.param(
            b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><urlset/>',
            "the sitemap declares XML entities, which are refused",
            id="a local file",
        ),
        pytest.param(
            b"<urlset>" + b"<a>" * 100,
            "the sitemap's elements are nested over 64 levels deep",
            id="depth",
        ),
    ],
)
def test_dangerous_xml_in_a_sitemap_is_rejected(data: bytes, error: str) -> None:
    assert parse(data).error == error


def test_an_endless_text_is_not_a_url_and_takes_no_memory() -> None:
    parser = SitemapParser()
    long = b"https://a.example/" + b"x" * 100_000

    entries = parser.feed(b"https://a.example/1\n")
    for _ in range(20):
        entries += parser.feed(long)
    entries += parser.feed(b"\nhttps://a.example/2\n")

    assert [entry.url for entry in entries] == [
        "https://a.example/1",
        "https://a.example/2",
    ]


def test_a_location_of_many_megabytes_is_skipped() -> None:
    long = b"<url><loc>https://a.example/" + b"x" * 100_000 + b"</loc></url>"

    found = parse(URLSET.replace(b"<url>", long + b"<url>", 1))

    assert found.entries == [FIRST, SECOND]


@pytest.mark.parametrize("name", ["xUTF-8", "hex", "idna", "utf-7", "undefined"])
def test_an_unreadable_encoding_is_an_error_of_the_sitemap(name: str) -> None:
    found = parse(f'<?xml version="1.0" encoding="{name}"?><urlset/>'.encode())

    assert found.entries == []
    assert found.error.startswith("the encoding of the sitemap cannot be read")


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 20))
def test_no_bytes_raise_an_error(noise: bytes, place: int, removed: int) -> None:
    mutated = URLSET[:place] + noise + URLSET[place + removed :]

    found = parse(mutated)

    assert isinstance(found.entries, list)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-03", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-04", datetime(2026, 3, 4, tzinfo=UTC)),
        ("2026-03-04T05:06+02:00", datetime(2026, 3, 4, 3, 6, tzinfo=UTC)),
        ("2026-03-04T05:06:07.5Z", datetime(2026, 3, 4, 5, 6, 7, 500000, tzinfo=UTC)),
        ("Wed, 04 Mar 2026 05:06:07 GMT", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_the_time_of_a_change_is_parsed_in_all_common_forms(
    text: str, expected: datetime | None
) -> None:
    assert moment(text) == expected
