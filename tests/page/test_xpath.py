"""XPath and JMESPath find the same as parsel, in bounded time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from parsel import Selector

from crawler import FetchError, Page, Reason, SelectorError
from crawler.web.html_limits import PageTooComplex
from tests.message.made import URL, read

BOOKS = """<html><body><article class=book><h3 title="Emma, a novel">Emma</h3>
<p class=price>9.50 <b>euros</b></p><dl><dt>Pages</dt><dd>474</dd><dt>Year</dt>
<dd>1815</dd></dl><a href="/1">one</a></article><p>é</p></body></html>"""
ATOM = b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"
xmlns:m="http://m.example/"><entry><title>Emma</title><m:size>474</m:size></entry>
<entry><title>Persuasion</title></entry></feed>"""
NAMES = {"a": "http://www.w3.org/2005/Atom", "m": "http://m.example/"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("//h3/text()", ["Emma"]),
        ("//h3/@title", ["Emma, a novel"]),
        ("string(//p[@class='price'])", ["9.50 euros"]),
        ("//dt[.='Year']/following-sibling::dd[1]/text()", ["1815"]),
        ("//b/ancestor::article/@class", ["book"]),
        ("count(//dd)", ["2.0"]),
        ("//p[re:test(., '^\\d')]/b/text()", ["euros"]),
        ("//p[last()]/text()", ["9.50 ", "é"]),
        ("//h9", []),
    ],
)
async def test_xpath_finds_the_same_as_parsel(query: str, found: list[str]) -> None:
    made = await read(BOOKS.encode("latin-1"), kind="text/html; charset=latin1")

    assert made.xpath(query).getall() == found
    assert Selector(BOOKS).xpath(query).getall() == found


async def test_the_selector_of_parsel_is_created_once() -> None:
    made = await read(BOOKS.encode())

    assert isinstance(made.selector, Selector)
    assert made.selector is made.selector
    assert made.selector.css("h3::text").get() == "Emma"
    assert made.selector.css("h3::attr(title)").re(r"\w+") == ["Emma", "a", "novel"]
    variable = made.xpath("//dt[.=$name]/text()", name="Year")
    assert variable.getall() == ["Year"]


async def test_xml_keeps_namespaces_and_the_case_of_names() -> None:
    made = await read(ATOM, kind="application/atom+xml")

    assert made.xpath("//a:title/text()", NAMES).getall() == ["Emma", "Persuasion"]
    assert made.xpath("//m:size/text()", NAMES).get() == "474"
    assert made.xpath("//title").getall() == []
    assert made.selector.type == "xml"


async def test_json_can_be_queried_with_jmespath() -> None:
    made = await read(b'{"books": [{"n": "a"}, {"n": "b"}]}', kind="application/json")

    assert made.jmespath("books[].n").getall() == ["a", "b"]
    assert made.selector.jmespath("books[1].n").get() == "b"
    with pytest.raises(SelectorError, match=r"'books\[' is not a valid JMESPath"):
        made.jmespath("books[")
    with pytest.raises(FetchError, match="JSON"):
        (await read(b"<p>", kind="application/json")).jmespath("a")


async def test_an_invalid_xpath_is_an_error_that_names_it() -> None:
    made = await read(BOOKS.encode())

    with pytest.raises(
        SelectorError, match=r"'//a\[' is not a valid XPath .* on https://site"
    ):
        made.xpath("//a[")
    assert made.page.asked == {}


async def test_xpath_expressions_are_counted_as_selectors() -> None:
    made = await read(BOOKS.encode())

    made.xpath("//h3")
    made.xpath("//h9")

    assert made.page.asked == {"//h3": True, "//h9": False}


@pytest.mark.parametrize(
    "body", [b"", b" ", b"\0", b"<!-- x -->", b"\xff\xfe\xfd", b"<p>a\0b\xffc"]
)
async def test_any_bytes_can_be_parsed_as_a_page(body: bytes) -> None:
    made = await read(body)

    assert made.xpath("count(//p)").get() in ("0.0", "1.0")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            b"<!DOCTYPE a [<!ENTITY l 'x'>]><a b='&l;'/>",
            "declares the entity 'l', which is refused",
        ),
        (b"<!DOCTYPE a [<!ATTLIST a b CDATA 'x'>]><a/>", "contains a DTD"),
        (b"<a><b></a>", "mismatch"),
        (b"<a>" * 300 + b"</a>" * 300, "Excessive depth"),
        (b"", "the response cannot be read as XML: "),
    ],
)
async def test_broken_or_hostile_xml_is_a_parse_error(body: bytes, detail: str) -> None:
    made = await read(body, kind="text/xml")

    with pytest.raises(FetchError, match=detail) as caught:
        made.xpath("//a")
    assert (caught.value.reason, caught.value.url) == (Reason.PARSE_ERROR, URL)


def page_of(markup: str) -> Page:
    page = Page(markup.encode(), URL, "utf-8")
    page.verdict = ""  # as after a trial
    return page


@pytest.mark.parametrize(
    ("markup", "detail"),
    [
        ("<p>x" * 60_000, "has over 50,000 elements, which is too many for XPath"),
        ("<div>" * 1_000, "nested over 512 levels deep"),
        ("<p " + " ".join(f"a{n}=1" for n in range(20_000)), "1,000 attributes"),
    ],
    ids=["large", "deep", "wide"],
)
def test_a_page_on_which_xpath_could_take_long_is_rejected(
    markup: str, detail: str
) -> None:
    with pytest.raises(PageTooComplex, match=detail):
        page_of(markup).xpath("//p")


def test_a_page_that_css_rejects_is_rejected_for_xpath() -> None:
    page = Page(b"<div>" * 80_000, URL)

    with pytest.raises(PageTooComplex, match="no trial has shown"):
        page.xpath("//div")


def test_a_slow_expression_is_rejected_on_every_object() -> None:
    page = page_of("<div>" + "<p>x</p>" * 3_000 + "<i>y</i></div>")

    with pytest.raises(PageTooComplex, match="'//p/following-sibling::p' could take"):
        page.xpath("//p/following-sibling::p")
    with pytest.raises(PageTooComplex, match="take"):
        page.selector.css("p ~ p")
    with pytest.raises(PageTooComplex, match="take"):
        page.xpath("//div").xpath("./p/following::p")
    assert len(page.xpath("//p[5]/following-sibling::p")) == 2_995
    assert len(page.xpath("//p/following-sibling::*[1]")) == 3_000
    assert len(page.xpath("//i/preceding-sibling::p")) == 3_000


def test_a_deep_page_with_many_columns_rejects_slow_expressions() -> None:
    page = page_of(("<div><a>x</a>" * 200 + "</div>" * 200) * 100)

    for query in ("//div//a", "//a/ancestor::div", "//div//*"):
        with pytest.raises(PageTooComplex, match="could take too long"):
            page.xpath(query)
    assert len(page.xpath("//a")) == 20_000
    assert len(page.xpath("/html/body/div[1]//a")) == 200


def test_without_parsel_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['parsel'] = None\n"
        "from crawler import ConfigError, Page\n"
        "page = Page(b'<p>', 'https://a.example/')\n"
        "for ask in (lambda: page.xpath('//p'), lambda: page.json_selector(dict)):\n"
        "    try: ask()\n"
        "    except ConfigError as error: print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )

    assert done.stdout.splitlines() == [
        f"{feature} needs the package parsel, which is not installed; run: "
        "pip install 'exact-crawler[xpath]'"
        for feature in ("XPath", "JMESPath")
    ]
    assert done.stderr == ""


GUIDE = Path(__file__).parents[2] / "docs" / "xml-and-xpath.md"
EMMA = """<h1 title="Emma, a novel"><small>Jane Austen</small> Emma</h1>
<p class="price old">12.00</p><p class="price">9.50</p>
<dl><dt>Pages<dd>474<dt>Year<dd>1815</dl>
<ul><li>one<li>two<li>three</ul><div class=shelf><a href="/sanditon">Sanditon</a></div>
"""


@pytest.mark.parametrize(
    ("query", "selector"),
    [
        ("//h1", "h1"),
        ("//div/a", "div > a"),
        ("//div//a", "div a"),
        ('//p[@class="price"]', 'p[class="price"]'),
        ('//p[contains(@class, "price")]', "p.price"),
        ("//a[@href]", "a[href]"),
        ('//a[starts-with(@href, "/")]', 'a[href^="/"]'),
        ('//a[contains(@href, "san")]', 'a[href*="san"]'),
        ("//li[1]", "li:nth-of-type(1)"),
        ("//li[last()]", "li:last-of-type"),
        ("//li[position() > 1]", "li:nth-of-type(n+2)"),
        ('//p[not(@class="price")]', 'p:not([class="price"])'),
        ("//div[a]", "div:has(> a)"),
        ("//div[.//a]", "div:has(a)"),
        (r"//h1 \| //dt", "h1, dt"),
        ('//a[contains(., "San")]', 'a:lexbor-contains("San")'),
        ("//dt/following-sibling::dd", "dt ~ dd"),
    ],
)
def test_the_translated_selectors_of_the_guide_find_the_same(
    query: str, selector: str
) -> None:
    page = page_of(EMMA)
    guide = GUIDE.read_text(encoding="utf-8")
    found = page.xpath(query.replace("\\", ""))

    assert f"`{query}`" in guide
    assert f"css({selector!r})".replace("'", '"') in guide.replace("'", '"')
    assert found
    assert [each.xpath("normalize-space()").get() for each in found] == [
        node.text() for node in page.css(selector)
    ]
