"""A response under httpx's names: read once, or streamed; what it leads to."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from crawler import (
    ConfigError,
    FetchError,
    Reason,
    Request,
    Response,
    SelectorError,
)
from crawler.http.response_body import HeadersHead
from crawler.message.saving import Saved

URL = "https://site.example/dir/page"


class Pieces:
    """A body that comes in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.received = 0
        self.is_closed = False
        self.transferred = b""

    def take_complete(self) -> bytes | None:
        return None

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.received += len(piece)
            yield piece

    def keep_transferred(self) -> None:
        raise AssertionError("no test asks for it")

    async def aclose(self) -> None:
        self.is_closed = True


def response(
    *pieces: bytes,
    kind: str = "text/html",
    request: Request | None = None,
    set_cookie: str = "",
) -> Response:
    fields = {"content-type": kind, "set-cookie": set_cookie}
    headers = httpx.Headers({name: value for name, value in fields.items() if value})
    return Response(request or Request(URL), 200, HeadersHead(headers), Pieces(*pieces))


async def read(*pieces: bytes, **options: Any) -> Response:
    made = response(*pieces, **options)
    await made.aread()
    return made


async def test_the_body_is_at_hand_once_it_is_read() -> None:
    made = response(b"<p>one ", b"two</p>")

    with pytest.raises(ConfigError, match="aread"):
        _ = made.content
    assert await made.aread() == b"<p>one two</p>"
    assert made.content is await made.aread()
    assert made.received == 14


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
async def test_text_is_decoded_as_the_web_does(
    kind: str, body: bytes, text: str
) -> None:
    assert (await read(body, kind=kind)).text.endswith(text)


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("text/html,text/html", b"", "text/html"),
        ("", b"<!doctype html><p>x", "text/html"),
        ("*/*", b"<?xml version='1.0'?><rss/>", "text/xml"),
        ("unknown/unknown", b"GIF89a", "image/gif"),
        ("", b"{}", "text/plain"),
    ],
)
async def test_the_type_is_the_declared_one_or_sniffed(
    kind: str, body: bytes, expected: str
) -> None:
    made = response(body, kind=kind)
    is_declared = made.is_type_declared
    before = made.content_type
    await made.aread()

    assert made.content_type == expected
    assert before == (expected if is_declared else "")


DEEP = 1_000_000


@pytest.mark.parametrize(
    "body",
    [b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP, b"", b"{", b"[NaN]"],
)
async def test_what_is_no_json_is_a_parse_error(body: bytes) -> None:
    made = await read(body, kind="application/json")

    with pytest.raises(FetchError) as caught:
        made.json()
    assert caught.value.reason is Reason.PARSE_ERROR


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"])
async def test_json_is_read_in_other_encodings_of_unicode(encoding: str) -> None:
    made = await read('{"a": "ü"}'.encode(encoding), kind="application/json")

    assert made.json() == {"a": "ü"}
    assert made.json(dict[str, str]) == {"a": "ü"}


async def test_json_is_read_and_checked() -> None:
    made = await read(b'{"a": [1, 2]}', kind="application/json")

    assert made.json() == {"a": [1, 2]}
    assert made.json(dict[str, list[int]]) == {"a": [1, 2]}
    with pytest.raises(FetchError, match="parse_error"):
        made.json(list[int])
    with pytest.raises(FetchError, match="parse_error"):
        (await read(b"{", kind="application/json")).json()


async def test_cookies_are_those_that_it_sets() -> None:
    made = response(b"", set_cookie="a=1; Path=/")

    assert made.cookies == {"a": "1"}
    assert response(b"", set_cookie="a=1; Max-Age=0").cookies == {}


async def test_links_are_absolute_and_come_once() -> None:
    made = await read(
        b"<a href=a></a><a href='a#x'></a><a href=/b></a><a href=mailto:x>"
    )

    assert made.links() == ["https://site.example/dir/a", "https://site.example/b"]
    assert made.links(allow="https://site.example/dir/") == [
        "https://site.example/dir/a"
    ]
    assert made.links(deny=re.compile("a$")) == ["https://site.example/b"]


async def test_a_base_element_is_heeded() -> None:
    made = await read(b"<base href='/other/'><a href=a>x</a>")

    assert made.links() == ["https://site.example/other/a"]
    assert made.follow("b").url == "https://site.example/other/b"


BASED = (
    "<base href='/other/'><a href='a?q=é#f' rel='Next nofollow'>An <b>a</b></a>"
    "<a href='a?q=é'></a><a href='https://x.example'>X</a><a href='mailto:a@b'>M</a>"
    "<img srcset='1.png, 2.png 2x'>"
)


async def test_links_come_with_text_rel_and_element() -> None:
    made = await read(BASED.encode("latin-1"), kind="text/html; charset=latin1")

    first, again, other = made.link_elements()

    assert first.url == again.url == "https://site.example/other/a?q=%E9"
    assert (first.text, first.rel) == ("An a", ("next", "nofollow"))
    assert first.node.attr("href") == "a?q=é#f"
    assert (other.url, other.rel) == ("https://x.example/", ())
    assert made.link_elements(allow="https://x.example/", deny="*y*") == [other]
    assert [link.url for link in made.link_elements("a[rel]")] == [first.url]
    images = made.link_elements(tags="img", attributes="srcset")
    assert [link.url[-5:] for link in images] == ["1.png", "2.png"]


async def test_links_with_elements_are_bounded_as_links_are() -> None:
    made = await read(b"<a href=1></a><a href=2></a><a href=3></a>")
    made.max_links = 2

    assert [link.url[-1] for link in made.link_elements()] == ["1", "2"]
    assert made.page.links_cut == 1

    many = await read(b"<a href=x></a>" * 20_000 + b"<a href=y></a>")
    many.page.verdict = ""
    assert len(many.link_elements()) == 10_000
    assert many.page.links_cut == 10_001


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("a/../b?x=é", "https://site.example/other/b?x=%E9"),
        ("", "https://site.example/other/"),
        ("#top", "https://site.example/other/#top"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("HTTP://A.example/ü", "http://a.example/%C3%BC"),
    ],
)
async def test_a_reference_is_made_absolute_as_in_a_browser(
    reference: str, url: str
) -> None:
    made = await read(BASED.encode("latin-1"), kind="text/html; charset=latin1")

    assert made.urljoin(reference) == url


async def test_a_reference_in_json_is_relative_to_the_response() -> None:
    made = await read(b"{}", kind="application/json")

    assert made.urljoin("x") == "https://site.example/dir/x"
    with pytest.raises(FetchError, match="parse_error: urljoin") as caught:
        made.urljoin("https://[x")
    assert caught.value.url == URL


FEED = b"""<?xml version="1.0"?><rss><channel><item><title>One</title>
<link>https://site.example/1</link><a href="/2">x</a></item></channel></rss>"""


@pytest.mark.parametrize(
    "kind", ["application/rss+xml", "text/xml; charset=utf-8", "image/svg+xml", ""]
)
async def test_xml_is_not_read_as_html(kind: str) -> None:
    made = await read(FEED, kind=kind)

    for ask in (made.css, made.css_first, made.page.text, made.follow_all):
        with pytest.raises(SelectorError, match=r"response.xml or response.xpath\("):
            ask("item")
    with pytest.raises(SelectorError, match=r"is XML.* on https://site.example"):
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


async def test_xml_is_a_tree() -> None:
    made = await read(FEED, kind="application/rss+xml")

    assert made.xml.findtext("channel/item/link") == "https://site.example/1"
    assert made.xml is made.xml


async def test_broken_xml_is_a_parse_error_that_names_the_page() -> None:
    made = await read(b"<a>&nbsp;</a>", kind="text/xml")

    with pytest.raises(FetchError, match="XML: undefined entity") as caught:
        _ = made.xml
    assert (caught.value.reason, caught.value.url) == (Reason.PARSE_ERROR, URL)


async def test_the_nodes_of_xml_are_bounded_as_those_of_a_page() -> None:
    made = await read(b"<a><b/><b/></a>", kind="text/xml")
    made.max_nodes = 2

    with pytest.raises(FetchError, match=r"over 2 elements.*http.max_nodes"):
        _ = made.xml


async def test_xml_elements_come_while_the_body_streams() -> None:
    made = response(FEED[:60], FEED[60:], kind="application/xml; charset=latin1")
    titles = [item.findtext("title") async for item in made.xml_elements("item")]

    assert titles == ["One"]
    whole = await read(FEED)
    assert [item.tag async for item in whole.xml_elements("title", "link")] == [
        "title",
        "link",
    ]


async def test_xml_elements_before_a_break_are_given() -> None:
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
async def test_xhtml_is_html(kind: str, head: str) -> None:
    made = await read(f"{head}<html><a href=2>x</a></html>".encode(), kind=kind)

    assert made.links() == ["https://site.example/dir/2"]
    assert made.css_first("a") is not None
    assert not made.page.has_no_links


async def test_follow_takes_a_reference_or_an_element() -> None:
    made = await read(
        b"<a href=next>x</a><img src=/i.png>", request=Request(URL, session="s")
    )
    link, image = made.css_first("a"), made.css_first("img")
    assert link is not None
    assert image is not None

    assert made.follow(link, meta={"n": 1}).url == "https://site.example/dir/next"
    assert made.follow(link).options.session == "s"
    assert made.follow(image).url == "https://site.example/i.png"
    with pytest.raises(ConfigError, match="javascript"):
        made.follow("javascript:void(0)")


async def test_an_element_that_is_not_there_cannot_be_followed() -> None:
    made = await read(b"<p>no link</p>")
    missing: Any = made.css_first("a")

    with pytest.raises(
        ConfigError, match=r"follow\(None\): give it a URL or an element"
    ):
        made.follow(missing)


async def test_a_batch_carries_one_callback_for_all_its_links() -> None:
    made = await read(b"<nav><a href=a>x</a></nav><a href=b>y</a>")

    batch = made.follow_all("nav", "parse_more", priority=3, meta={"k": 1})

    assert (batch.callback, batch.priority, batch.references) == (
        "parse_more",
        3,
        ["a"],
    )
    assert list(made.follow_links().references) == ["a", "b"]
    assert made.page.asked == {"nav": True}


async def test_lines_are_found_across_pieces() -> None:
    made = response(b"one\r\ntw", b"o\n\nth", "rée".encode(), kind="text/plain")

    assert [line async for line in made.aiter_lines()] == ["one", "two", "", "thrée"]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"a\r", b"\nb"], ["a", "b"]),
        ([b"a", b"", b"b", b"c\n\nd"], ["abc", "", "d"]),
        ([b"\xc3", b"\xbc\n"], ["ü"]),
        ([], []),
    ],
)
async def test_lines_are_whole_however_they_come(
    pieces: list[bytes], expected: list[str]
) -> None:
    made = response(*pieces, kind="text/plain")

    assert [line async for line in made.aiter_lines()] == expected


async def test_a_line_without_an_end_is_given_up() -> None:
    made = response(*[bytes(1024**2)] * 40)

    with pytest.raises(FetchError, match="too_large"):
        _ = [line async for line in made.aiter_lines()]
    assert made.received <= 33 * 1024**2


async def test_a_body_is_saved_by_a_part_and_a_rename(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"

    saved = await response(b"x" * 700_000, b"y" * 700_000).save(target)

    body = target.read_bytes()
    assert body == b"x" * 700_000 + b"y" * 700_000
    assert saved == Saved(target, 1_400_000, hashlib.sha256(body).hexdigest())
    assert _names(target.parent) == ["file.bin"]


async def test_a_body_that_breaks_leaves_no_file(tmp_path: Path) -> None:
    class Torn(Pieces):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"half"
            raise ValueError("torn")

    made = Response(Request(URL), 200, HeadersHead(httpx.Headers()), Torn())

    with pytest.raises(ValueError, match="torn"):
        await made.save(tmp_path / "file")

    assert _names(tmp_path) == []


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_closing_lets_the_body_go() -> None:
    body = Pieces(b"x")
    made = Response(Request(URL), 204, HeadersHead(httpx.Headers()), body)

    await made.aclose()

    assert body.is_closed
    assert made.is_success
    assert repr(made) == f"<Response 204 {URL}>"


def test_a_crawl_that_reads_html_alone_loads_no_other_reader() -> None:
    code = (
        "import sys\n"
        "from crawler import Spider, crawl\n"
        "from crawler.testing import FakeSite\n"
        "class Books(Spider):\n"
        "    name, start_urls = 'books', ['https://a.example/']\n"
        "    def parse(self, response):\n"
        "        yield {'title': response.css_first('p').text()}\n"
        "report = crawl(Books, transport=FakeSite({'https://a.example/': '<p>x'}))\n"
        "words = 'etree parsel lxml chompjs curl linked_ microdata embedded xml_tree'\n"
        "print(report.items, [name for name in sys.modules\n"
        "      if any(word in name for word in words.split())])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )

    assert done.stdout == "[{'title': 'x'}] []\n"
