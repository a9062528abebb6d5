"""The sources of fields: selectors, attributes and linked data."""

import pytest
from selectolax.lexbor import LexborNode

from crawler import ConfigError, SelectorError, css, linked_data
from crawler.extraction.sources import MISSING, FieldSource, Reading
from crawler.web.html_parser import parse
from crawler.web.selectors import Tree

HTML = (
    "<div id=a class=x><h3> A <b>b</b></h3><a href=/1 title>one</a><a>two</a>"
    "<div class=x><a href=/2>three</a></div></div>"
)


def at(selector: str) -> tuple[LexborNode, Reading]:
    root = parse(HTML.encode())
    assert root is not None
    node = root.css_first(selector)
    assert node is not None
    return node, Reading(Tree(root, "https://x.example/"), "", "https://x{}".format, 9)


@pytest.mark.parametrize(
    ("source", "first", "every"),
    [
        (css("h3"), "A b", ["A b"]),
        (css("a"), "one", ["one", "two", "three"]),
        (css("i"), MISSING, []),
        (css("a", attr="href"), "/1", ["/1", "/2"]),
        (css("a", attr="title"), "", [""]),
        (css("h3", attr="id"), MISSING, []),
        (css(attr="id"), "a", ["a"]),
        (css(), "A bonetwo three", ["A bonetwo three"]),
        (css(".x"), "three", ["three"]),
        (css("div.x, h3"), "A b", ["A b", "three"]),
    ],
)
def test_a_source_returns_texts_and_attributes(
    source: FieldSource, first: object, every: list[object]
) -> None:
    node, reading = at("#a")

    assert source.first(node, reading) == first
    assert source.all(node, reading) == every


def test_a_link_is_made_absolute_on_request() -> None:
    root = parse(HTML.encode())
    assert root is not None
    reading = Reading(Tree(root, ""), "", lambda text: f"https://x{text}", 9)

    assert css("a", attr="href", absolute=True).first(root, reading) == "https://x/1"
    with pytest.raises(ConfigError, match="does not name the attribute"):
        css("a", absolute=True)


def test_an_invalid_selector_is_an_error_with_its_url() -> None:
    node, reading = at("#a")

    with pytest.raises(SelectorError, match=r"looks like XPath.* https://x\.example/"):
        css("//a").first(node, reading)


def test_the_repr_of_a_source_is_its_code() -> None:
    assert str(css("a", attr="href")) == "css('a', attr='href')"
    assert str(css()) == "css()"
    assert str(css("h3")) == "css('h3')"
    assert str(linked_data("Product")) == "linked_data('Product', 'name')"
