"""Open elements are counted as the parser has them, or as more."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from crawler.web.html_limits import measure
from crawler.web.open_elements import Nesting


def depth_of(markup: str) -> int:
    """How deep the parser's own tree is."""
    deepest, row = 0, [LexborHTMLParser(markup).root]
    while row := [child for node in row if node for child in children(node)]:
        deepest += 1
    return deepest


def children(node: LexborNode) -> list[LexborNode]:
    return list(node.iter(include_text=False))


@pytest.mark.parametrize(
    ("tags", "depth"),
    [
        ("div p b", 3),
        ("div /div", 0),
        ("p p p", 1),
        ("p b /p", 1),
        ("ul li li li", 2),
        ("ul li ul /li", 3),
        ("table tr td div td", 1),
        ("table tr td div /table", 0),
        ("div table /div", 2),
        ("span div /span", 2),
        ("a a", 1),
        ("b div /b", 1),
        ("h1 h2", 1),
        ("svg div", 1),
        ("svg g /svg", 0),
        ("select option option", 2),
        ("br img input", 0),
    ],
)
def test_open_elements_are_counted_as_html_closes_them(tags: str, depth: int) -> None:
    nesting = Nesting()

    for tag in tags.split():
        nesting.tag(tag.encode(), b"")

    assert nesting.depth == depth


MARKUP = (
    "<div> </div> <b> </b> <b_x=1> <p> </p> <table> </table> <td> </td> <tr> </tr> <li>"
    " </li> <ul> </ul> <a> </a> <span> </span> <select> </select> <form> </form> <h1>"
    " </h1> <button> </button> <object> </object> <dd> <dl> <svg> </svg> <desc> <x-y>"
    " </x-y> <template> </template> <!-- --> text <style> </style> <script> </script>"
    " <rt> <ruby> </ruby> <caption> <option> <optgroup>"
)


@settings(deadline=None, derandomize=True, max_examples=500)
@given(st.lists(st.sampled_from(re.split(" +", MARKUP)), max_size=12))
def test_what_grows_without_end_is_never_taken_for_flat(pieces: list[str]) -> None:
    unit = "".join(pieces).replace("_", " ")

    # What a unit adds, once the first ones have set the scene.
    growth = (depth_of(unit * 40) - depth_of(unit * 20)) / 20
    counted = (measure((unit * 40).encode()).depth, measure((unit * 20).encode()).depth)

    assert growth < 0.2 or counted[0] - counted[1] >= 20 * growth / 5
