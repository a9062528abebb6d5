"""A response with the names of httpx: read once or streamed, and its links."""

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
    Request,
    Response,
)
from crawler.http.response_body import HeadersHead
from crawler.message.saving import Saved
from tests.message.made import URL, Pieces, read, response


async def test_links_are_absolute_and_unique() -> None:
    made = await read(
        b"<a href=a></a><a href='a#x'></a><a href=/b></a><a href=mailto:x>"
    )

    assert made.links() == ["https://site.example/dir/a", "https://site.example/b"]
    assert made.links(allow="https://site.example/dir/") == [
        "https://site.example/dir/a"
    ]
    assert made.links(deny=re.compile("a$")) == ["https://site.example/b"]


async def test_a_base_element_is_used() -> None:
    made = await read(b"<base href='/other/'><a href=a>x</a>")

    assert made.links() == ["https://site.example/other/a"]
    assert made.follow("b").url == "https://site.example/other/b"


BASED = (
    "<base href='/other/'><a href='a?q=é#f' rel='Next nofollow'>An <b>a</b></a>"
    "<a href='a?q=é'></a><a href='https://x.example'>X</a><a href='mailto:a@b'>M</a>"
    "<img srcset='1.png, 2.png 2x'>"
)


async def test_links_have_text_rel_and_element() -> None:
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


async def test_links_with_elements_have_the_same_limits() -> None:
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


async def test_follow_accepts_a_reference_or_an_element() -> None:
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


async def test_following_a_missing_element_is_an_error() -> None:
    made = await read(b"<p>no link</p>")
    missing: Any = made.css_first("a")

    with pytest.raises(
        ConfigError, match=r"follow\(None\): the argument is neither a URL nor"
    ):
        made.follow(missing)


async def test_a_batch_has_one_callback_for_all_its_links() -> None:
    made = await read(b"<nav><a href=a>x</a></nav><a href=b>y</a>")

    batch = made.follow_all("nav", "parse_more", priority=3, meta={"k": 1})

    assert (batch.callback, batch.priority, batch.references) == (
        "parse_more",
        3,
        ["a"],
    )
    assert list(made.follow_links().references) == ["a", "b"]
    assert made.page.asked == {"nav": True}


async def test_lines_are_joined_over_pieces() -> None:
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
async def test_lines_are_complete_however_the_body_is_split(
    pieces: list[bytes], expected: list[str]
) -> None:
    made = response(*pieces, kind="text/plain")

    assert [line async for line in made.aiter_lines()] == expected


async def test_an_endless_line_is_an_error() -> None:
    made = response(*[bytes(1024**2)] * 40)

    with pytest.raises(FetchError, match="too_large"):
        _ = [line async for line in made.aiter_lines()]
    assert made.received <= 33 * 1024**2


async def test_a_body_is_saved_to_a_part_file_that_is_renamed(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"

    saved = await response(b"x" * 700_000, b"y" * 700_000).save(target)

    body = target.read_bytes()
    assert body == b"x" * 700_000 + b"y" * 700_000
    assert saved == Saved(target, 1_400_000, hashlib.sha256(body).hexdigest())
    assert _names(target.parent) == ["file.bin"]


async def test_a_body_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
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


def test_a_crawl_that_reads_only_html_imports_no_other_parser() -> None:
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
