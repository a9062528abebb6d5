"""An element gives its text and attributes, and the elements around it."""

import re

import pytest

from crawler import Node, Page, SelectorError

URL = "https://books.example/shelf/"
SHOP = """
<main id=m><article class="book sale" data-id=7><h3>Emma <small>a novel</small></h3>
<p class=price>from <b>9.50</b> euros<br>or 12 <i>dollars</i></p>
<dl><dt>Pages<dd>474<dt>Year<dd>1815<dd>1816</dl>
<!-- sold --><a href="/emma?id=12&amp;p=3" hidden>buy</a> now <span>x</span></article>
<article class=book><h3>Persuasion</h3></article></main>
"""


def page_of(markup: str) -> Page:
    return Page(markup.encode(), URL, "utf-8")


def one(selector: str, markup: str = SHOP) -> Node:
    found = page_of(markup).css_first(selector)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("markup", "own"),
    [
        ("one <b>two</b> three", "one three"),
        ("on<b>two</b>e", "one"),
        ("a<br>b", "a b"),
        ("a<div>x</div>b<!-- c -->", "a b"),
        ("<b>x</b>", ""),
        ("1&nbsp;000 \n <i>x</i>", "1\xa0000"),
        ("", ""),
    ],
)
def test_own_text_excludes_inner_elements(markup: str, own: str) -> None:
    assert one("main", f"<main>{markup}</main>").own_text() == own


def test_an_inner_element_has_its_own_text_too() -> None:
    book = one("article")

    assert book.own_text("h3") == "Emma"
    assert book.own_text("h9", default=None) is None
    with pytest.raises(SelectorError, match="'h9' matched nothing"):
        book.own_text("h9")


@pytest.mark.parametrize(
    ("selector", "tail"),
    [
        ("b", "euros"),
        ("br", "or 12"),
        ("i", ""),
        ("a", "now"),
        ("dl", ""),
        ("html", ""),
    ],
)
def test_the_tail_is_the_text_up_to_the_next_element(selector: str, tail: str) -> None:
    assert one(selector).tail == tail


def test_attributes_behave_as_a_mapping() -> None:
    assert one("article").attrs == {"class": "book sale", "data-id": "7"}
    assert one("a").attrs == {"href": "/emma?id=12&p=3", "hidden": ""}
    assert one("h3").attrs == {}


def test_siblings_are_elements() -> None:
    link = one("a")

    assert repr([link.previous, link.next]) == "[<Node dl>, <Node span>]"
    assert one("span").next is None
    assert one("article").previous is None
    assert [node.text() for node in one("dt").next_siblings()] == [
        "474",
        "Year",
        "1815",
        "1816",
    ]
    assert [node.tag for node in link.previous_siblings()] == ["dl", "p", "h3"]


def test_siblings_can_be_filtered_by_a_selector() -> None:
    year = one("dt:nth-of-type(2)")

    assert [node.text() for node in year.next_siblings("dd")] == ["1815", "1816"]
    assert [node.text() for node in year.previous_siblings("dl dt")] == ["Pages"]
    assert year.next_siblings("article") == []


def test_parent_and_children_are_elements() -> None:
    price = one(".price")
    above = price.parent

    assert above is not None
    assert above.attr("data-id") == "7"
    assert [node.tag for node in above.children] == ["h3", "p", "dl", "a", "span"]
    assert one("html").parent is None
    assert one("br").children == []


def test_the_closest_element_is_the_element_itself_or_an_ancestor() -> None:
    small = one("small")
    book = small.closest("main > .book")

    assert book is not None
    assert book.attr("data-id") == "7"
    assert repr(small.closest("small")) == "<Node small>"
    assert small.closest(".shelf") is None
    assert small.closest("p") is None


def test_an_element_knows_whether_it_matches_a_selector() -> None:
    page = page_of(SHOP)
    sale = [book.matches("main .sale") for book in page.css("article")]

    assert sale == [True, False]
    for number in range(20):  # more selectors than are remembered
        assert not page.root.matches(f".n{number}")
    assert page.css("article")[0].matches(".sale")


@pytest.mark.parametrize(
    ("pattern", "selector", "attribute", "found"),
    [
        (r"\d+", ".price", None, ["9", "50", "12"]),
        (r"(\d+)\.(\d+)", None, None, ["9", "50"]),
        (r"([a-z])?(\d{4})", "dd", None, ["", "1815", "", "1816"]),
        (re.compile("EMMA", re.I), None, None, ["Emma"]),
        (r"id=(\d+)", "a", "href", ["12"]),
        (r"\d", None, "data-id", ["7"]),
        (r"\d", "a", "title", []),
        (r"x", "h9", None, []),
    ],
)
def test_a_regular_expression_searches_the_text_or_an_attribute(
    pattern: str | re.Pattern[str],
    selector: str | None,
    attribute: str | None,
    found: list[str],
) -> None:
    book = one("article")

    assert book.re(pattern, selector, attribute=attribute) == found
    first = book.re_first(pattern, selector, attribute=attribute, default=None)
    assert first == (found[0] if found else None)


def test_a_pattern_without_a_match_is_an_error_that_names_the_pattern() -> None:
    with pytest.raises(SelectorError, match=r"'sold (.*)' matched nothing on https"):
        one("article").re_first("sold (.*)")
    with pytest.raises(SelectorError, match="'x' matched nothing"):
        one("article").re_first(re.compile("x"), "h3")


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("<main>", "<Node main>"),
        ("<main id=m class='a b'>", '<Node main id="m" class="a b">'),
        ("<main hidden>", '<Node main hidden="">'),
        (f"<main id={'x' * 50}>", f'<Node main id="{"x" * 40}…">'),
        ("<main a b c d e f>", '<Node main a="" b="" c="" d="" e="" …>'),
    ],
)
def test_the_repr_of_an_element_shows_its_tag_and_attributes(
    markup: str, shown: str
) -> None:
    assert repr(one("main", markup)) == shown


def test_selectors_used_on_elements_are_recorded_by_the_page() -> None:
    page = page_of(SHOP)

    for book in page.css("article"):
        book.text(".price", default=None)
        book.css("h9")
        book.closest("section")
    page.css("dt")[0].next_siblings("dd")

    assert page.asked == {
        "article": True,
        ".price": True,  # of one of the two
        "h9": False,
        "section": False,
        "dt": True,
        "dd": True,
    }


def test_an_element_is_equal_to_itself_however_it_was_found() -> None:
    page = page_of(SHOP)
    book = page.css("article")[0]

    assert book.css("h3")[0].parent == book
    assert len({book, page.css(".sale")[0], page.css("article")[1]}) == 2
    assert book != page_of(SHOP).css("article")[0]
    assert book != "article"
