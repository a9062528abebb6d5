"""Microdata is read by the algorithms of HTML, in bounded time."""

from __future__ import annotations

import pytest

from crawler import Page
from crawler.web.linked_item import LinkedItem
from crawler.web.microdata import MAX_DEPTH, items

URL = "https://shop.example/emma/"


def items_of(markup: str) -> list[LinkedItem]:
    page = Page(markup.encode(), URL, "utf-8")
    page.verdict = ""
    return items(page.root.lexbor, page.base_url)


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("<p itemprop=x> a <b>b</b>\n c</p>", "a b c"),
        ("<meta itemprop=x content=' y '>", " y "),
        ("<meta itemprop=x>", ""),
        ("<a itemprop=x href='../b?c#d'>t</a>", "https://shop.example/b?c#d"),
        ("<a itemprop=x>t</a>", ""),
        ("<a itemprop=x href='mailto:a@b.example'>t</a>", "mailto:a@b.example"),
        ("<a itemprop=x href='https://[x'>t</a>", "https://[x"),
        ("<img itemprop=x src=//cdn.example/i.png>", "https://cdn.example/i.png"),
        ("<object itemprop=x data=o></object>", f"{URL}o"),
        ("<data itemprop=x value=3>three</data>", "3"),
        ("<meter itemprop=x value=4>four</meter>", "4"),
        ("<time itemprop=x datetime=1815>x</time>", "1815"),
        ("<time itemprop=x>1815</time>", "1815"),
        ("<script itemprop=x>y</script>", "y"),
    ],
)
def test_the_value_of_a_property_depends_on_its_element(
    element: str, value: str
) -> None:
    (item,) = items_of(f"<div itemscope>{element}</div>")

    assert item.properties == {"x": value}


def test_an_item_has_types_and_an_absolute_identifier() -> None:
    markup = "<div itemscope itemtype='https://schema.org/A b:C' itemid=' x '></div>"

    (item,) = items_of(markup)

    assert (item.types, item.id) == (("A", "b:C"), f"{URL}x")
    assert items_of("<div itemscope itemid=x></div>")[0].id == ""


def test_referenced_properties_come_in_document_order() -> None:
    markup = (
        "<p id=a><b itemprop=x>1</b></p><div itemscope itemref='b a a nowhere'>"
        "<b itemprop=x>2</b></div><p id=b itemprop=x>3</p><p id=a itemprop=x>4</p>"
    )

    assert [item.properties for item in items_of(markup)] == [{"x": ["1", "2", "3"]}]


def test_a_reference_to_an_item_returns_the_item_without_its_properties() -> None:
    markup = (
        "<div itemscope itemref=a></div><div id=a itemscope itemprop=y>"
        "<b itemprop=x>1</b></div><div itemscope itemref=a></div>"
    )

    first, second = items_of(markup)

    assert first["y"] is second["y"]
    assert first["y"].properties == {"x": "1"}


def test_a_loop_of_items_is_cut() -> None:
    markup = (
        "<div itemscope itemref=a></div><div id=a itemprop=x itemscope itemref=b>"
        "</div><div id=b itemprop=y itemscope itemref=a></div>"
    )

    (item,) = items_of(markup)

    assert item["x"]["y"].properties == {}


def test_nested_items_are_read_up_to_a_depth() -> None:
    (item,) = items_of("<div itemscope>" + "<p><div itemscope itemprop=x>" * 500)

    depth = 0
    while "x" in item:
        item, depth = item["x"], depth + 1
    assert depth == MAX_DEPTH
