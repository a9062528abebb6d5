"""Turns a form of a page into a Request. Pure: files are read when the request is
sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from crawler.errors import FormError, SelectorError
from crawler.page import Page
from crawler.page.node import Node
from crawler.request import Request
from crawler.web import urls
from crawler.web.forms.controls import Document
from crawler.web.forms.submission import Clicked, Submission, submission

#: What submits the form: an element, a selector, False for no button, None for Enter.
Submit = str | Node | Literal[False] | None

#: Maximum size in bytes of a page that may be parsed again, to find the end tags of
#: forms.
_PARSED_AGAIN = 1024**2


def form_request(
    page: Page,
    target: str | Node,
    callback: str | Callable[..., Any],
    fill: Mapping[str, Any],
    extra: Mapping[str, Any],
    submit: Submit,
    options: Mapping[str, Any],
) -> Request:
    """Return the request that the filled-in form sends."""
    form = _form(page, target)
    sent = submission(form.lexbor, _document(page), fill, extra, _clicked(page, submit))
    headers = _headers(sent, page.url, options.get("headers"))
    request = Request(
        sent.url,
        callback,
        method=sent.method,
        content=sent.body.content or None,
        **{**options, "headers": headers},
    )
    if not sent.body.pieces:
        return request
    return Request.build(
        request.url,
        request.callback,
        priority=request.priority,
        depth=request.depth,
        meta=request.encoded_meta,
        options=msgspec.structs.replace(request.options, pieces=sent.body.pieces),
    )


def _form(page: Page, target: str | Node) -> Node:
    node = page.css_first(target) if isinstance(target, str) else target
    if node is None:
        raise SelectorError(str(target), page.url)
    if node.tag != "form":
        raise FormError(f"{target!r} is a <{node.tag}>, not a form", page.url)
    return node


def _document(page: Page) -> Document:
    # A page that was harmless only in a trial parse is not parsed a second time.
    is_quick = page.verdict is None and len(page.markup) <= _PARSED_AGAIN
    markup = page.markup if is_quick else b""
    return Document(page.root.lexbor, markup, page.url, page.base_url, page.encoding)


def _clicked(page: Page, submit: Submit) -> Clicked:
    if submit is None or submit is False:
        return submit
    if isinstance(submit, Node):
        return [submit.lexbor]
    found = page.css(submit)
    if not found:
        raise SelectorError(submit, page.url)
    return [node.lexbor for node in found]


def _headers(sent: Submission, page: str, given: Any) -> list[tuple[str, str]]:
    """Return the headers that a browser sends with a form, unless `given` replaces
    them.

    Servers compare Origin and Referer with their own address.
    """
    pairs = given.items() if isinstance(given, Mapping) else given or ()
    own = [(str(name), str(value)) for name, value in pairs]
    names = {name.lower() for name, _ in own}
    origin = urls.origin_of(page)
    is_home = origin == urls.origin_of(sent.url)
    is_shown = is_home or not _is_downgrade(page, sent.url)
    usual = {"Referer": page if is_home else f"{origin}/"} if is_shown else {}
    if sent.method == "POST":
        usual["Origin"] = origin if is_shown else "null"
        usual["Content-Type"] = sent.body.content_type
    return [*((n, v) for n, v in usual.items() if n.lower() not in names), *own]


def _is_downgrade(page: str, url: str) -> bool:
    return urlsplit(page).scheme == "https" and urlsplit(url).scheme == "http"
