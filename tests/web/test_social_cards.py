"""OpenGraph with its arrays, and the Twitter card, from `<meta>` elements."""

import pytest

from crawler import Page
from crawler.web.social_cards import items


def properties_of(markup: str) -> list[object]:
    root = Page(markup.encode(), "https://a.example/").root
    return [dict(item.properties) for item in items(root.lexbor.css("meta"))]


@pytest.mark.parametrize(
    ("markup", "properties"),
    [
        ("<meta property=og:title content=' T '>", [{"title": "T"}]),
        ("<meta name=og:title content=T>", [{"title": "T"}]),
        ("<meta property='og:title dc:title' content=T>", [{"title": "T"}]),
        ("<meta property=og:title>", []),
        (
            """<meta property=og:image content=1>
            <meta property=og:image:width content=5><meta property=og:image content=2>
            <meta property=og:image:alt content=x>
            <meta property=og:image:width content=6><meta property=og:image content=3>
            """,
            [
                {
                    "image": [
                        {"url": "1", "width": "5"},
                        {"url": "2", "alt": "x", "width": "6"},
                        {"url": "3"},
                    ]
                }
            ],
        ),
        ("<meta property=og:video:url content=1>", [{"video": {"url": "1"}}]),
        (
            """<meta property=og:image:url content=1>
            <meta property=og:image:url content=2>""",
            [{"image": [{"url": "1"}, {"url": "2"}]}],
        ),
        ("<meta property=article:tag content=a>", [{"article:tag": "a"}]),
        (
            """<meta name=twitter:card content=summary>
            <meta property=twitter:site content=@a>""",
            [{"card": "summary", "site": "@a"}],
        ),
        ("<meta name=description content=x><meta charset=utf-8>", []),
    ],
)
def test_meta_elements_are_read_as_a_card(
    markup: str, properties: list[object]
) -> None:
    assert properties_of(markup) == properties


def test_the_type_of_a_card_is_its_og_type() -> None:
    root = Page(
        b"<meta name=twitter:card content=player><meta property=og:type content=book>",
        "https://a.example/",
    ).root

    assert [item.types for item in items(root.lexbor.css("meta"))] == [
        ("book",),
        ("player",),
    ]
