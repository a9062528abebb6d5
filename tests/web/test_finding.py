"""Finding elements by CSS, and errors about invalid selectors."""

import pytest
from selectolax.lexbor import LexborNode

from crawler.errors import SelectorError
from crawler.web.finding import find_all, find_first, matches
from crawler.web.html_parser import parse
from crawler.web.selectors import Tree

URL = "https://books.example/"
SHOP = "<main><p class=a id=1>x<b>y</b></p><p class=b id=2>z</p></main>"


def tree_of(markup: str = SHOP) -> Tree:
    root = parse(markup.encode())
    assert root is not None
    return Tree(root, URL)


def ids(found: list[LexborNode]) -> list[str | None]:
    return [node.attributes.get("id") for node in found]


def test_elements_are_found_in_document_order() -> None:
    tree = tree_of()

    assert ids(find_all(tree.root, "p", tree)) == ["1", "2"]
    assert find_all(tree.root, "h1", tree) == []


def test_an_element_that_matches_several_selectors_of_a_list_is_found_once() -> None:
    tree = tree_of()

    assert ids(find_all(tree.root, "p, .a, [id]", tree)) == ["1", "2"]


def test_the_first_element_is_returned_or_none() -> None:
    tree = tree_of()
    first = find_first(tree.root, "p", tree)

    assert first is not None
    assert first.attributes["id"] == "1"
    assert find_first(tree.root, "h1", tree) is None


def test_an_element_matches_from_any_starting_element() -> None:
    tree = tree_of()
    first, second = find_all(tree.root, "p", tree)

    for number in range(20):  # more selectors than are remembered
        assert not matches(first, f".n{number}", tree)
    assert not matches(second, "main > .a", tree)
    assert matches(first, "main > .a", tree)


@pytest.mark.parametrize("find", [find_all, find_first, matches])
@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("p[", "is not a CSS selector"),
        ("\ud800", "is not a CSS selector"),
        ("//p", r"looks like XPath"),
        ("p:contains(x)", r":lexbor-contains"),
        ("p::text", r"write "),
    ],
)
def test_an_invalid_selector_is_an_error_with_advice(
    find: object, selector: str, said: str
) -> None:
    tree = tree_of()
    assert callable(find)

    with pytest.raises(SelectorError, match=said) as raised:
        find(tree.root, selector, tree)
    assert URL in str(raised.value)
