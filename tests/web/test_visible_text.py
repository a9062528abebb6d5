"""The text of elements as a person sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborNode

from crawler.web.html_parser import parse
from crawler.web.visible_text import folded, own_text_of, text_after, text_of


def one(markup: str, selector: str = "main") -> LexborNode:
    root = parse(markup.encode())
    assert root is not None
    found = root.css_first(selector)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("markup", "text", "own"),
    [
        ("one <b>two</b> three", "one two three", "one three"),
        ("on<b>two</b>e", "ontwoe", "one"),
        ("a<br>b", "a b", "a b"),
        ("a<div>x</div>b<!-- c -->", "a x b", "a b"),
        ("<p>a</p><p>b</p>", "a b", ""),
        ("<ul><li>a<li>b</ul>", "a b", ""),
        ("<table><tr><td>1<td>2</table>", "1 2", ""),
        ("a<script>1 < 2</script>b<style>p {}</style>c", "abc", "abc"),
        ("<script>1</script>", "", ""),
        ("1&nbsp;000 \n <i>x</i>", "1\xa0000 x", "1\xa0000"),
        ("\u2003a\u2003", "\u2003a\u2003", "\u2003a\u2003"),
        ("  a \t\n b  ", "a b", "a b"),
        ("", "", ""),
    ],
)
def test_text_breaks_at_block_elements_and_omits_scripts(
    markup: str, text: str, own: str
) -> None:
    main = one(f"<main>{markup}</main>")

    assert text_of(main) == text
    assert own_text_of(main) == own


@pytest.mark.parametrize(
    ("markup", "after"),
    [
        ("<b>x</b> y <i>z</i>", "y"),
        ("<b>x</b> y <!-- c --> z", "y z"),
        ("<b>x</b><i>z</i> y", ""),
        ("<b>x</b>", ""),
    ],
)
def test_the_text_after_an_element_ends_at_the_next_element(
    markup: str, after: str
) -> None:
    assert text_after(one(f"<main>{markup}</main>", "b")) == after


HTML_SPACES = " \t\n\r\f"


@given(st.text(st.sampled_from([*HTML_SPACES, "a", "é", "\xa0", "\u2003", "\ud800"])))
def test_only_html_white_space_is_collapsed(text: str) -> None:
    spaced = text
    for space in HTML_SPACES:
        spaced = spaced.replace(space, " ")

    assert folded(text) == " ".join(word for word in spaced.split(" ") if word)
