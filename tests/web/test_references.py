"""The links of a page as written, and its `<base>`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from crawler import ConfigError
from crawler.web.references import Wanted, base_reference


def found(markup: str, wanted: Wanted) -> list[str]:
    tree = LexborHTMLParser(markup)
    # A list of selectors gives an element once for each that it matches.
    nodes = {node.mem_id: node for node in tree.css(wanted.selector)}
    return wanted.addresses(nodes.values())


PAGE = """<a href=/a>a</a><area href=/b><link href=/c><img src=/d data-src=/e
srcset='/f 1x, /g 2x'><form action=/h></form><object data=/i></object><a>none</a>"""


@pytest.mark.parametrize(
    ("tags", "attributes", "links"),
    [
        pytest.param(None, None, ["/a", "/b"], id="by default"),
        pytest.param("img", None, ["/d"], id="HTML says src"),
        pytest.param(["form", "object"], None, ["/h", "/i"], id="action and data"),
        pytest.param("IMG", "data-src", ["/e"], id="another attribute"),
        pytest.param("img", "srcset", ["/f", "/g"], id="many in one"),
        pytest.param(None, "href", ["/a", "/b", "/c"], id="any element"),
        pytest.param("img", ["src", "data-src"], ["/d", "/e"], id="two attributes"),
    ],
)
def test_links_are_found_in_their_elements_and_attributes(
    tags: str | Sequence[str] | None,
    attributes: str | Sequence[str] | None,
    links: list[str],
) -> None:
    assert found(PAGE, Wanted(tags, attributes)) == links


def test_only_links_in_href_are_cached() -> None:
    assert Wanted().is_href
    assert not Wanted("img").is_href


@pytest.mark.parametrize("name", ["data src", "", "1a", "a]"])
def test_an_invalid_attribute_name_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="not the name of an HTML attribute"):
        Wanted("img", name)


@pytest.mark.parametrize(
    ("markup", "base"),
    [
        ("<base href=/x/><base href=/y/>", "/x/"),
        ("<base target=_top><base href=/y/>", "/y/"),
        ("<svg><base href=/x/></svg><p>", ""),
        ("<svg><foreignObject><base href=/x/></foreignObject></svg>", "/x/"),
        ("<p>no base", ""),
    ],
)
def test_the_first_base_element_of_html_counts(markup: str, base: str) -> None:
    nodes: list[LexborNode] = LexborHTMLParser(markup).css("*")

    assert base_reference(nodes, [node.tag for node in nodes]) == base
