"""A response read as text, JSON, XML or HTML."""

from __future__ import annotations

import pytest

from crawler import (
    FetchError,
    Reason,
    SelectorError,
)
from tests.message.made import URL, read, response


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/html; charset=iso-8859-1", b"\xfc", "ü"),
        ("text/html", b"<meta charset=windows-1251>\xfe", "ю"),
        ("application/json", '{"a":"ü"}'.encode(), '{"a":"ü"}'),
        ("text/plain; charset=base64", b"aGk=", "aGk="),
        ("", b"\xef\xbb\xbfx", "x"),
    ],
)
async def test_text_is_decoded_as_by_browsers(
    kind: str, body: bytes, text: str
) -> None:
    assert (await read(body, kind=kind)).text.endswith(text)


DEEP = 1_000_000


@pytest.mark.parametrize(
    "body",
    [b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP, b"", b"{", b"[NaN]"],
)
async def test_invalid_json_is_a_parse_error(body: bytes) -> None:
    made = await read(body, kind="application/json")

    with pytest.raises(FetchError) as caught:
        made.json()
    assert caught.value.reason is Reason.PARSE_ERROR


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"])
async def test_json_in_utf_16_and_utf_32_is_read(encoding: str) -> None:
    made = await read('{"a": "ü"}'.encode(encoding), kind="application/json")

    assert made.json() == {"a": "ü"}
    assert made.json(dict[str, str]) == {"a": "ü"}


async def test_json_is_read_and_converted_to_a_type() -> None:
    made = await read(b'{"a": [1, 2]}', kind="application/json")

    assert made.json() == {"a": [1, 2]}
    assert made.json(dict[str, list[int]]) == {"a": [1, 2]}
    with pytest.raises(FetchError, match="parse_error"):
        made.json(list[int])
    with pytest.raises(FetchError, match="parse_error"):
        (await read(b"{", kind="application/json")).json()


FEED = b"""<?xml version="1.0"?><rss><channel><item><title>One</title>
<link>https://site.example/1</link><a href="/2">x</a></item></channel></rss>"""


@pytest.mark.parametrize(
    "kind", ["application/rss+xml", "text/xml; charset=utf-8", "image/svg+xml", ""]
)
async def test_xml_is_not_parsed_as_html(kind: str) -> None:
    made = await read(FEED, kind=kind)

    for ask in (made.css, made.css_first, made.page.text, made.follow_all):
        with pytest.raises(SelectorError, match=r"response.xml or response.xpath\("):
            ask("item")
    with pytest.raises(SelectorError, match=r"XML document.* on https://site.example"):
        made.page.text()


async def test_xml_has_no_links() -> None:
    made = await read(FEED, kind="application/atom+xml")
    assert not made.page.has_no_links

    assert made.links() == []
    assert made.link_elements() == []
    assert made.follow_links().references == []
    assert made.page.has_no_links
    assert made.follow("3").url == "https://site.example/dir/3"
    assert made.text.startswith("<?xml")


async def test_xml_is_parsed_to_a_tree() -> None:
    made = await read(FEED, kind="application/rss+xml")

    assert made.xml.findtext("channel/item/link") == "https://site.example/1"
    assert made.xml is made.xml


async def test_broken_xml_is_a_parse_error_that_names_the_page() -> None:
    made = await read(b"<a>&nbsp;</a>", kind="text/xml")

    with pytest.raises(
        FetchError, match="the response cannot be read as XML: undefined entity"
    ) as caught:
        _ = made.xml
    assert (caught.value.reason, caught.value.url) == (Reason.PARSE_ERROR, URL)


async def test_the_number_of_xml_nodes_is_limited_like_that_of_a_page() -> None:
    made = await read(b"<a><b/><b/></a>", kind="text/xml")
    made.max_nodes = 2

    with pytest.raises(FetchError, match=r"over 2 elements.*http.max_nodes"):
        _ = made.xml


async def test_xml_elements_are_returned_while_the_body_is_received() -> None:
    made = response(FEED[:60], FEED[60:], kind="application/xml; charset=latin1")
    titles = [item.findtext("title") async for item in made.xml_elements("item")]

    assert titles == ["One"]
    whole = await read(FEED)
    assert [item.tag async for item in whole.xml_elements("title", "link")] == [
        "title",
        "link",
    ]


async def test_xml_elements_before_an_error_are_returned() -> None:
    made = response(FEED[:-16], b"<item>", kind="text/xml")
    elements = made.xml_elements("item")

    assert (await anext(elements)).findtext("title") == "One"
    with pytest.raises(FetchError, match="; 1 element came before") as caught:
        await anext(elements)
    assert caught.value.reason is Reason.PARSE_ERROR


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("application/xhtml+xml", ""),
        ("application/xml", "<?xml version='1.0'?>"),
        ("text/xml", "\ufeff <!-- <rss> -->\n<!DOCTYPE html [<!ENTITY a 'b'>]>"),
        ("", "<?xml version='1.0'?><!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0'>"),
    ],
)
async def test_xhtml_is_parsed_as_html(kind: str, head: str) -> None:
    made = await read(f"{head}<html><a href=2>x</a></html>".encode(), kind=kind)

    assert made.links() == ["https://site.example/dir/2"]
    assert made.css_first("a") is not None
    assert not made.page.has_no_links
