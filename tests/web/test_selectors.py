"""Selectors run in steps find the same as the parser's engine, in bounded time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborNode

from crawler.web import selectors
from crawler.web.html_parser import parse
from crawler.web.selectors import TooCostly, Tree, select

# No `:is(b, i) div`: the engine tries such a function on the nearest ancestor only.
# fmt: off
TAGS = st.sampled_from(["div", "p", "b", "i", "section"])
COMPOUNDS = st.sampled_from([
    "div", "p", "b", "i", "*", ".x", ".y", "div.x", ".x.y", "[id]", "[class~=x]",
    ":first-child", "b:not(.x)", "section:nth-child(2n + 1)",
    "[title='a > b, c']",
])
# fmt: on
COMBINATORS = st.sampled_from([" ", " > ", ">", " + ", "~", " ~ ", "  "])


@st.composite
def trees(draw: st.DrawFn) -> str:
    """Markup of elements in one another."""

    def element(depth: int) -> str:
        attributes = draw(
            st.sampled_from(["", " class=x", " class=y", " class='x y'", " id=a"])
        )
        children = draw(st.integers(0, 3 if depth else 0))
        inside = "".join(element(depth - 1) for _ in range(children))
        tag = draw(TAGS)
        return f"<{tag}{attributes}>{draw(st.sampled_from(['', 't']))}{inside}</{tag}>"

    return "".join(element(4) for _ in range(draw(st.integers(1, 3))))


@st.composite
def lists(draw: st.DrawFn) -> str:
    """A list of complex selectors."""

    def part() -> str:
        text = draw(COMPOUNDS)
        for _ in range(draw(st.integers(0, 3))):
            text += draw(COMBINATORS) + draw(COMPOUNDS)
        return text

    return ", ".join(part() for _ in range(draw(st.integers(1, 2))))


def root_of(markup: str) -> LexborNode:
    root = parse(markup.encode())
    assert root is not None
    return root


def keys(nodes: list[LexborNode]) -> list[int]:
    return list(dict.fromkeys(node.mem_id for node in nodes))


@given(trees(), lists(), st.integers(0, 5))
def test_the_step_engine_finds_the_same_as_the_parsers_engine(
    markup: str, selector: str, place: int
) -> None:
    root = root_of(markup)
    nodes = root.css("*")
    node = nodes[min(place, len(nodes) - 1)]

    in_steps = selectors.in_steps(node, selectors.parts_of(selector), root)

    assert keys(in_steps) == keys(node.css(selector))


@pytest.mark.parametrize(
    "selector",
    ["a", ".x > b + i", "a.x[href^='/a b']", "ul li", "a:not(.b)", "td:first-child"],
)
def test_an_ordinary_page_uses_the_parsers_engine(selector: str) -> None:
    root = root_of("<div><ul><li><a class=x>1</a></ul></div>" * 30)

    assert select(root, selector, Tree(root, "")) is None


DEEP = "<div class='item price'>" * 500 + "<span>x</span>" * 600
BROAD = "<p>x</p>" * 20_000


@pytest.mark.parametrize(
    ("markup", "selector", "count"),
    [
        (DEEP, ".results .item .price span", 0),
        (DEEP, ".item .price .item .price .item span", 600),
        (DEEP, "body .item span, .gone .item .price span", 600),
        (BROAD, "i ~ p ~ p ~ p", 0),
        (BROAD, "p ~ p ~ p ~ p", 19_997),
        (BROAD, "i ~ p", 0),
    ],
)
def test_selectors_that_would_take_minutes_are_recognised(
    markup: str, selector: str, count: int
) -> None:
    root = root_of(markup)

    found = select(root, selector, Tree(root, ""))

    assert found is not None
    assert len(found) == count


@pytest.mark.parametrize(
    ("markup", "selector"),
    [
        (DEEP, ":has(.item .gone)"),
        (DEEP, "span:not(.gone .item .price span)"),
        (BROAD, "p:nth-child(3n)"),
        (BROAD, "body > p:nth-last-of-type(2)"),
    ],
)
def test_a_selector_that_cannot_run_in_steps_is_rejected(
    markup: str, selector: str
) -> None:
    root = root_of(markup)

    with pytest.raises(TooCostly, match=r"levels deep|siblings"):
        select(root, selector, Tree(root, ""))


def test_cells_and_rows_of_a_long_table_can_be_counted() -> None:
    root = root_of("<table>" + "<tr><td>a<td>b<td>c" * 6_000)

    assert select(root, "td:nth-child(2)", Tree(root, "")) is None
    assert select(root, "tr:nth-child(3n)", Tree(root, "")) is None
    assert len(root.css("td:nth-child(2)")) == 6_000


@pytest.mark.parametrize(
    "selector", ["", "a[", "a >", "a::text", ")(", '"', "a,", "\\"]
)
def test_a_text_that_is_not_css_is_left_to_the_parsers_engine(selector: str) -> None:
    root = root_of("<p>")

    assert select(root, selector, Tree(root, "")) is None
