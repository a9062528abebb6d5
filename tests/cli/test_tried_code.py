"""Selectors that were tried in the shell become code for a callback."""

import ast

from crawler.cli.tried_code import code_of
from crawler.page import Page


def page(html: str, *selectors: str) -> Page:
    made = Page(html.encode(), "https://x.example/")
    for selector in selectors:
        made.css(selector)
    return made


def test_matched_selectors_become_fields_with_unique_names() -> None:
    lines = code_of(
        [page("<h1>a</h1><b class=h1>b</b><i x='1'>", "h1", ".h1", "[x='1']", "u")]
    )

    assert lines == [
        "async def parse(self, response: Response) -> Results:",
        "    # https://x.example/",
        "    # u matched nothing",
        "    yield {",
        '        "h1": response.page.text("h1"),  # a',
        '        "h1_2": response.page.text(".h1"),  # b',
        '        "x": response.page.text("[x=\'1\']"),  # ',
        "    }",
    ]
    ast.parse("\n".join(lines))


def test_a_selector_with_several_matches_becomes_a_list() -> None:
    (line,) = [x for x in code_of([page("<p>1<p>2", "p")]) if "for node" in x]

    assert line.strip() == '"p": [node.text() for node in response.css("p")],  # 1'


def test_without_tried_selectors_there_is_no_code() -> None:
    assert code_of([page("<p>1")]) == []
    assert code_of([]) == []


def test_text_of_a_page_cannot_end_the_comment_that_contains_it() -> None:
    lines = code_of([page(f"<p>a\n\rb\u2028c{'x' * 99}", "p")])

    assert all(len(line) < 200 for line in lines)
    ast.parse("\n".join(lines))
