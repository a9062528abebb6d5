"""A page: its elements, their text, and its links."""

from typing import assert_type

import pytest

from crawler.errors import ConfigError, SelectorError
from crawler.page import Page
from crawler.page.node import Node
from crawler.web.html_limits import PageTooComplex

ROOT = "https://books.example/"
URL = ROOT + "shelf/"
BOOKS = """
<!doctype html><html lang=en><head><title> Books
 </title><style>p{}</style></head><body>
<article class="book sale" id=one><h3><a href="/1" title="One &amp; only">The
  <b>first</b></a></h3><p class=price>12 €</p><script>track()</script></article>
<article class=book><h3>Second</h3><ul><li>a</li><li>b</li></ul></article>
<nav><a class=next href="?page=2">next</a><a>nowhere</a><a href>here</a></nav>
<img src=cover.png><map><area href=/map></map><link rel=x href=/feed>
<iframe src=/frame></iframe></body></html>
"""


def page_of(markup: str, max_links: int = 10_000) -> Page:
    return Page(markup.encode(), URL, "utf-8", max_links=max_links)


def test_elements_are_found_once_in_document_order() -> None:
    page = page_of(BOOKS)

    found = page.css("li, article, ul li, .book")

    assert [node.tag for node in found] == ["article", "article", "li", "li"]


def test_css_of_an_element_searches_inside_it() -> None:
    page = page_of("<div id=a><div id=b><p>x</p></div></div>")
    outer = page.css("div")[0]

    assert [node.attr("id") for node in outer.css("div")] == ["b"]
    inner = outer.css_first("div")
    assert inner is not None
    assert inner.attr("id") == "b"
    assert inner.css_first("div") is None


def test_the_root_element_can_be_selected() -> None:
    page = page_of(BOOKS)

    assert page.attr("lang", "html") == "en"
    assert page.attr("lang") == "en"
    assert page.css_first("html") is not None


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        pytest.param("a \n\t b", "a b", id="white space"),
        pytest.param("\xa0a\xa0 \xa0b \n", "\xa0a\xa0 \xa0b", id="no-break spaces"),
        pytest.param("1&nbsp;000 &euro;", "1\xa0000 €", id="a price"),
        pytest.param(
            "a\u3000b\u2003 c\u2028d", "a\u3000b\u2003 c\u2028d", id="typography"
        ),
        pytest.param("\tü\r\n\f ü <i>\n ü</i> ", "ü ü ü", id="white space among words"),
        pytest.param("<b>H</b>ello", "Hello", id="inline elements"),
        pytest.param("Street 1<br>City", "Street 1 City", id="line break"),
        pytest.param("<p>One</p><p>Two</p>three", "One Two three", id="blocks"),
        pytest.param("<table><tr><td>1<td>2</table>", "1 2", id="cells"),
        pytest.param("a<script>b</script><style>c</style>d", "ad", id="scripts"),
        pytest.param("<script src=x></script>d", "d", id="empty script"),
        pytest.param("a<!-- b -->c", "ac", id="comment"),
        pytest.param("&lt;a&gt; &amp;", "<a> &", id="entities"),
        pytest.param("<noscript>a</noscript>", "a", id="noscript"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_text_has_the_spacing_that_a_person_sees(markup: str, text: str) -> None:
    assert page_of(f"<main>{markup}</main>").text("main") == text


def test_the_text_of_a_script_is_returned_by_its_element() -> None:
    assert page_of(BOOKS).text("script") == "track()"


def test_the_text_of_a_page_is_its_whole_text() -> None:
    assert page_of("<title>T</title><p>a<p>b").text() == "T a b"


def test_a_missing_element_is_an_error_that_names_selector_and_url() -> None:
    book = page_of(BOOKS).css("article")[1]

    with pytest.raises(SelectorError) as caught:
        book.text(".price")

    assert str(caught.value) == f"'.price' matched nothing on {URL}"
    with pytest.raises(SelectorError, match="matched nothing"):
        book.attr("href", "a")
    with pytest.raises(SelectorError, match="has no attribute 'href'"):
        book.attr("href", "h3")
    with pytest.raises(
        SelectorError,
        match="'article' matched <article>, but this element has no attribute 'href'",
    ):
        book.attr("href")


def test_a_default_replaces_a_missing_element() -> None:
    book = page_of(BOOKS).css("article")[1]

    assert_type(book.text(".price", default=None), str | None)
    assert_type(book.text("h3"), str)
    assert book.text(".price", default=None) is None
    assert book.attr("href", "a", default="") == ""
    assert book.attr("href", "h3", default=0) == 0


def test_attribute_values_are_decoded() -> None:
    page = page_of(BOOKS)

    assert page.attr("title", "h3 a") == "One & only"
    assert page.attr("class", "article") == "book sale"
    assert page.attr("href", "a[href='']") == ""


def test_the_repr_of_a_node_shows_its_tag() -> None:
    node = page_of(BOOKS).css("li")[0]

    assert (node.tag, node.html, repr(node)) == ("li", "<li>a</li>", "<Node li>")
    assert isinstance(node, Node)


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        pytest.param("a[", "is not a CSS selector", id="unclosed"),
        pytest.param("", "is not a CSS selector", id="empty"),
        pytest.param("a::text", r'write text\("a"\)', id="scrapy's"),
        pytest.param("//a", "looks like XPath", id="xpath"),
        pytest.param("a:contains(x)", "lexbor-contains", id="jquery's"),
        pytest.param("a\ud800", "is not a CSS selector", id="surrogate"),
    ],
)
def test_an_invalid_selector_is_a_clear_error(selector: str, hint: str) -> None:
    page = page_of(BOOKS)

    for ask in (page.css, page.css_first, page.root.css, page.root.css_first):
        with pytest.raises(SelectorError, match=hint):
            ask(selector)
    assert page.css("a")


def test_references_are_unchanged_and_in_document_order() -> None:
    page = page_of(BOOKS)

    assert page.references() == ["/1", "?page=2", "", "/map"]
    assert page.references(tags=("link",)) == ["/feed"]
    assert page.references(tags=("a", "img", "iframe")) == [
        "/1",
        "?page=2",
        "",
        "cover.png",
        "/frame",
    ]


def test_only_the_plain_href_of_an_svg_link_counts() -> None:
    page = page_of("<svg><a xlink:href=old>x</a><a href=new>y</a></svg><a href=z>z</a>")

    assert page.references() == ["new", "z"]


def test_a_selector_finds_links_and_the_links_inside_its_matches() -> None:
    page = page_of(BOOKS)

    assert page.references("a.next") == ["?page=2"]
    assert page.references("article, h3") == ["/1"]
    assert page.references("h3 b") == []
    assert page.references("nav, img", tags=("a", "img")) == [
        "?page=2",
        "",
        "cover.png",
    ]


MEDIA = """
<a href=1>x</a><frame src=2><object data=3></object><video src=4 poster=5></video>
<track src=6><input src=7 type=image><form action=8></form><embed src=9>
<img src=10 srcset="11 2x, 12.png?a,b 3x,13" data-src=14 data-srcset="15 1x">
<div data-href=16></div><form></form>
"""


@pytest.mark.parametrize(
    ("tags", "attributes", "expected"),
    [
        (None, None, "1"),
        ("img", None, "10"),
        ("IMG", None, "10"),
        (("object", "form", "embed"), None, "3 8 9"),
        (["track", "input"], None, "6 7"),
        (None, "poster", "5"),
        (None, ("data-src", "data-href"), "14 16"),
        ("img", ("src", "srcset"), "10 11 12.png?a,b 13"),
        (("a", "img"), ("href", "data-srcset"), "1 15"),
        ("div", None, ""),
    ],
)
def test_tags_and_attributes_decide_which_links_are_found(
    tags: str | tuple[str, ...] | None,
    attributes: str | tuple[str, ...] | None,
    expected: str,
) -> None:
    markup = MEDIA.replace("<track src=6>", "<video><track src=6></video>")

    found = page_of(markup).references(None, tags, attributes)

    assert found == expected.split()


def test_a_frame_is_a_link_only_in_a_frameset() -> None:
    page = page_of("<frameset><frame src=menu><frame src=main></frameset>")

    assert page.references(tags="frame") == ["menu", "main"]


def test_an_invalid_attribute_name_is_an_error() -> None:
    with pytest.raises(ConfigError, match="is not the name of an HTML attribute"):
        page_of(MEDIA).references(attributes="a b")


def test_references_beyond_the_limit_are_counted() -> None:
    page = page_of("<a href=1>" * 5, max_links=3)

    assert page.references() == ["1", "1", "1"]
    assert page.links_cut == 2


def test_a_query_uses_the_encoding_of_the_page() -> None:
    page = Page("<a href='/?q=кот'>".encode("windows-1251"), URL, "windows-1251")

    assert page.references() == ["/?q=%EA%EE%F2"]


@pytest.mark.parametrize(
    ("markup", "base"),
    [
        ("<base href=/other/><base href=/third/>", "https://books.example/other/"),
        ("<p>late</p><base href='//cdn.example'>", "https://cdn.example/"),
        ("<base target=_top>", URL),
        ("<base href='data:x'>", URL),
        ("<a href=/x>", URL),
        ("", URL),
        ("<svg><base href=/svg/></svg>", URL),
        ("<math><base href=/m/></math><base href=/b/>", "https://books.example/b/"),
        ("<svg><g><base href=/svg/></g></svg><base href=/b/>", f"{ROOT}b/"),
        ("<svg><foreignObject><base href=/f/></foreignObject></svg>", f"{ROOT}f/"),
        ("<svg><desc><base href=/d/></desc></svg>", f"{ROOT}d/"),
        ("<template><base href=/t/></template>", URL),
    ],
)
def test_the_first_base_element_is_used_for_relative_links(
    markup: str, base: str
) -> None:
    assert page_of(markup).base_url == base


def test_the_page_records_whether_its_selectors_matched() -> None:
    page = page_of(BOOKS)

    for book in page.css("article"):
        book.css("h9")
    page.css_first(".gone")
    page.text(".gone", default="")
    page.references("a.next")

    assert page.asked == {
        "article": True,
        "h9": False,
        ".gone": False,
        "a.next": True,
    }


@pytest.mark.parametrize(
    ("body", "charset", "name"),
    [
        (b"\xef\xbb\xbf<p>\xc3\xa9", None, "utf-8"),
        (b"<p>\xc3\xa9", "utf-8", "utf-8"),
        (b"<p>\xe9", "latin1", "windows-1252"),
        (b"<meta charset=latin1><p>\xe9", None, "windows-1252"),
        ("<p>é".encode("utf-16"), None, "utf-16le"),
    ],
)
def test_a_page_is_decoded_by_its_encoding(
    body: bytes, charset: str | None, name: str
) -> None:
    page = Page(body, URL, charset)

    assert page.text("p") == "é"
    assert page.encoding == name
    assert page.source.endswith("<p>é")


def test_bytes_that_are_not_utf_8_do_not_fail_a_page() -> None:
    page = Page(b"<p title='\xff'>a\xffb\0c</p>", URL, "utf-8")

    assert page.attr("title", "p") == "\ufffd"
    assert page.text("p").startswith("a\ufffdb")


@pytest.mark.parametrize("body", [b"", b"\0", b"plain", b"<", b"<!doctype html>"])
def test_any_bytes_can_be_parsed_as_a_page(body: bytes) -> None:
    page = Page(body, URL)

    assert page.root.tag == "html"
    assert page.references() == []


def test_a_page_that_would_block_the_parser_is_not_parsed() -> None:
    page = page_of("<div>" * 80_000)

    with pytest.raises(PageTooComplex, match=URL):
        page.css("div")


def test_an_error_about_a_slow_selector_names_the_selector_and_the_page() -> None:
    page = page_of("<p>x</p>" * 20_000)

    with pytest.raises(PageTooComplex, match=URL) as caught:
        page.css("p:nth-child(3n)")

    assert "'p:nth-child(3n)' would take too long" in str(caught.value)


def test_a_selector_finds_the_same_on_a_deeply_nested_page() -> None:
    page = page_of("<div class='item price'>" * 300 + "<span>x</span>" * 100)

    assert len(page.css(".item .price .item span")) == 100
    assert len(page.css("div")[150].css(".item .price .item span")) == 100
    assert page.css(".results .item .price span") == []
    assert page.css_first(".results .item .price span") is None
    assert page.text(".item .price span") == "x"


def test_the_first_links_of_a_page_with_very_many_are_used() -> None:
    page = page_of(
        "<base href=/b/><a href=1>x</a><A HREF=2>y</a><img src=3>" * 9_000,
        max_links=5_000,
    )

    assert page.has_many_links
    assert page.references()[:3] == ["1", "2", "1"]
    assert page.links_cut == 13_000
    assert page.references(tags=("img",))[:2] == ["3", "3"]
    assert page.links_cut == 13_000 + 4_000
    assert page.base_url == "https://books.example/b/"


def test_the_total_length_of_a_pages_urls_is_limited() -> None:
    page = page_of(f"<a href=/{'x' * 8_000}>x</a>" * 1_000)

    assert len(page.references()) == 522  # of 4 MiB
    assert page.links_cut == 1_000 - 522


def test_the_length_of_a_base_counts_for_each_link() -> None:
    page = page_of(f"<base href=/{'x' * 8_000}/>" + "<a href=1>x</a>" * 1_000)

    assert len(page.references()) == 522
