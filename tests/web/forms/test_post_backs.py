"""Post-backs in links, buttons and lists."""

import pytest

from crawler.web.forms.post_backs import PostBack, post_back_of
from crawler.web.html_parser import parse


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<a href=\"javascript:__doPostBack('a$b','c')\">", PostBack("a$b", "c")),
        ("<a href=\"javascript:__doPostBack('a','')\">", PostBack("a", "")),
        ("<a href='javascript:__doPostBack(\"a\", \"b\")'>", PostBack("a", "b")),
        ("<a href=\"javascript:__doPostBack(&#39;a&#39;,&#39;b&#39;)\">",
            PostBack("a", "b")),
        ("<a href=# onclick=\"return x() && __doPostBack('a','b')\">",
            PostBack("a", "b")),
        ("<a onchange=\"setTimeout('__doPostBack(\\'a$b\\',\\'\\')', 0)\">",
            PostBack("a$b", "")),
        (("<a href='javascript:WebForm_DoPostBackWithOptions(new "
            "WebForm_PostBackOptions(\"a\", \"b\", true))'>"), PostBack("a", "b")),
        ("<a href='/x'>", None),
        ("<a href=\"javascript:doPostBack('a','b')\">", None),
        ("<a href=\"javascript:__doPostBack(a, b)\">", None),
        ("<a>", None),
    ],
)  # fmt: skip
def test_an_element_with_a_post_back_is_recognised(
    html: str, found: PostBack | None
) -> None:
    root = parse(html.encode())
    assert root is not None
    link = root.css_first("a")
    assert link is not None

    assert post_back_of(link) == found
