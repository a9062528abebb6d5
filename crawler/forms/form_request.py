"""Turns a form of a page into the Request that a browser would send for it.

No I/O: the files to upload are read only when the request is sent.
"""

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

#: The button that submits the form: an element, or a selector. False: no button. None:
#: the button that the Enter key would click.
Submit = str | Node | Literal[False] | None

#: Maximum size in bytes of a page that is parsed a second time. The second parse finds
#: the end tags of forms, which the first parse does not keep.
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
    """Return the request that a browser would send for the form `target` of a page.

    The other arguments are those of `Response.form`. Raises SelectorError if `target`
    or `submit` is a selector that matches nothing. Raises FormError if the form cannot
    be filled in with the given values.
    """
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
        raise FormError(
            f"the given target {target!r} is a <{node.tag}>; give the <form> element",
            page.url,
        )
    return node


def _document(page: Page) -> Document:
    # `page.verdict` is None unless the page looked costly to parse. A costly page is
    # not parsed a second time.
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
    """Return the headers of the form's request: Referer, Origin and Content-Type as a
    browser sends them, and the headers `given` by the caller, which take precedence.

    `page` is the URL of the form's page. Many servers accept a form only if Origin and
    Referer name the server's own origin.
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
