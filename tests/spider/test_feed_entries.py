"""Entries of RSS and Atom as one type, with absolute URLs."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest

from crawler import FeedEntry, Request
from crawler.layers import respond
from crawler.spider.feed_entries import entry_of

URL = "https://feeds.example/news/feed"
RSS_ITEM = """<item xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><title>One &amp; more</title>
<link>/one</link><guid>g1</guid><pubDate>Thu, 26 Nov 2026 08:00:00 +0100</pubDate>
<dc:creator>Emma</dc:creator><description>short</description>
<content:encoded><![CDATA[<p>long</p>]]></content:encoded>
<category>a</category><category>b</category><category>a</category>
<enclosure url="/one.mp3" length="1"/></item>"""
ATOM_ENTRY = """<entry xmlns="http://www.w3.org/2005/Atom"><id>urn:1</id>
<title>One</title><link rel="self" href="/self"/><link href="/one"/>
<link rel="enclosure" href="/one.mp3"/><author><name>Emma</name></author>
<summary>short</summary><category term="a"/>
<published>2026-11-26T08:00:00Z</published><updated>2026-11-27T08:00:00Z</updated>
</entry>"""


def entry(markup: str) -> FeedEntry:
    element: Element = fromstring(markup)
    return entry_of(element, respond(Request(URL)))


def test_an_rss_item_becomes_an_entry() -> None:
    assert entry(RSS_ITEM) == FeedEntry(
        id="g1",
        url="https://feeds.example/one",
        title="One & more",
        summary="<p>long</p>",
        author="Emma",
        published="2026-11-26T07:00:00+00:00",
        updated="2026-11-26T07:00:00+00:00",
        categories=["a", "b"],
        enclosures=["https://feeds.example/one.mp3"],
    )


def test_an_atom_entry_becomes_an_entry_of_the_same_type() -> None:
    assert entry(ATOM_ENTRY) == FeedEntry(
        id="urn:1",
        url="https://feeds.example/one",
        title="One",
        summary="short",
        author="Emma",
        published="2026-11-26T08:00:00+00:00",
        updated="2026-11-27T08:00:00+00:00",
        categories=["a"],
        enclosures=["https://feeds.example/one.mp3"],
    )


@pytest.mark.parametrize(
    ("inside", "url"),
    [
        ("<link>two</link>", "https://feeds.example/news/two"),
        ("<guid>https://b.example/two</guid>", "https://b.example/two"),
        ('<guid isPermaLink="false">https://b.example/two</guid>', ""),
        ('<link rel="self" href="/self"/>', "https://feeds.example/self"),
        ('<link href="/b" rel="alternate"/>', "https://feeds.example/b"),
        ("<link>http://[</link>", "http://["),
        ("", ""),
    ],
)
def test_the_url_of_an_entry_is_its_best_link(inside: str, url: str) -> None:
    assert entry(f"<item>{inside}</item>").url == url


def test_an_entry_without_an_id_is_identified_by_its_url() -> None:
    assert entry("<item><link>/two</link></item>").id == "https://feeds.example/two"


def test_an_invalid_date_is_omitted() -> None:
    found = entry("<item><pubDate>soon</pubDate></item>")

    assert (found.published, found.updated) == ("", "")
