"""Finding the link to the next page, and a selector for it."""

import pytest

from crawler.cli.next_link import first_class, next_link_of
from crawler.page import Page


@pytest.mark.parametrize(
    ("html", "selector"),
    [
        ("<a rel=next href=2>x</a>", "a[rel~=next]"),
        ("<a href=1>1</a><ul><li class=next><a href=2>next</a></ul>", "li.next a"),
        ("<a href=1>1</a><a class=next href=2>More</a>", "a.next"),
        ("<a href=1>1</a><a class='b next-page' href=2>2</a>", "a.next-page"),
        ("<a href=1>1</a><a href=2 aria-label='Next page'>2</a>",
            'a[aria-label="Next page"]'),
        ("<a href=1>1</a><a href=2 id=n>›</a>", 'a[id="n"]'),
        ("<a href=1>1</a><a href=2>Next</a>", 'a:lexbor-contains("Next")'),
        ("<a href=1>1</a><a href=2>Weiter »</a>", 'a:lexbor-contains("Weiter »")'),
        ("<a href=1>1</a><a href=2>下一页</a>", 'a:lexbor-contains("下一页")'),
        ("<a href=1>Next of kin: a long story about what came then</a>", ""),
        ("<a href='#'>next</a>", ""),
        ("<a href=1>Nextcloud</a>", ""),
        ("<a href=1>1</a>", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_the_next_page_is_found_by_common_link_texts(html: str, selector: str) -> None:
    assert next_link_of(Page(html.encode(), "https://x.example/")) == selector


def test_a_class_that_needs_an_escape_is_not_used() -> None:
    page = Page(b"<p class='md:flex 9a price'>", "https://x.example/")

    assert first_class(page.css("p")[0]) == "price"
