"""Forms on a page, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selectolax.lexbor import LexborNode

from crawler.web import encoding as encodings
from crawler.web.forms.controls import Control, Document, controls_of
from crawler.web.forms.submission import Submission, submission
from crawler.web.html_parser import parse

URL = "https://site.example/dir/page?old=1"


def document_of(html: str, encoding: str = "utf-8", base: str = URL) -> Document:
    """The page of this markup."""
    markup = html.encode()
    root = parse(markup)
    assert root is not None
    return Document(root, markup, URL, base, encodings.label(encoding) or encoding)


def form_of(document: Document, selector: str = "form") -> LexborNode:
    found = document.root.css_first(selector)
    assert found is not None
    return found


def controls(html: str, selector: str = "form") -> list[Control]:
    document = document_of(html)
    return controls_of(form_of(document, selector), document)


def sent(
    html: str,
    fill: Mapping[str, Any] | None = None,
    *,
    extra: Mapping[str, Any] | None = None,
    submit: str | bool | None = None,
    encoding: str = "utf-8",
    base: str = URL,
) -> Submission:
    """What the first form of the page sends."""
    document = document_of(html, encoding, base)
    clicked: Any = submit
    if isinstance(submit, str):
        clicked = document.root.css(submit)
    return submission(form_of(document), document, fill or {}, extra or {}, clicked)


def query(html: str, fill: Mapping[str, Any] | None = None, **options: Any) -> str:
    """The query that the first form of the page, a GET, sends."""
    return sent(html, fill, **options).url.partition("?")[2]
