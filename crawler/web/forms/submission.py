"""Builds the request that a form sends (HTML 4.10.22.3, "form submission"). No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from selectolax.lexbor import LexborNode

from crawler.errors import FormError
from crawler.web import encoding as encodings
from crawler.web import urls
from crawler.web.forms import bodies
from crawler.web.forms.controls import Control, Document, controls_of
from crawler.web.forms.entries import FormEntry, entry_list
from crawler.web.forms.filling import file_of, fill, text_of
from crawler.web.forms.post_backs import PostBack, post_back_of
from crawler.web.multipart import Multipart

#: Candidates for the element to click; the first that is a submit button or a post-back
#: link is clicked. None: the form's first submit button, as if Enter was pressed.
#: False: the form is sent without a button.
Clicked = Sequence[LexborNode] | Literal[False] | None
Extra = Mapping[str, Any]
#: An icon counts as part of a button if it is at most this many levels inside the
#: button.
_ICON_DEPTH = 5
_ENCTYPES = (bodies.URLENCODED, bodies.MULTIPART, bodies.TEXT)


class Submission(NamedTuple):
    """The request that a form sends."""

    method: Literal["GET", "POST"]
    url: str
    #: The body; empty for GET.
    body: Multipart


def submission(
    form: LexborNode,
    document: Document,
    values: Mapping[str, Any],
    extra: Extra,
    clicked: Clicked = None,
) -> Submission:
    """Return the request that the form sends. `values` fill in its fields by name;
    `extra` are added fields. Raises FormError if the form cannot be sent like this."""
    controls = controls_of(form, document)
    submitter, post_back = _submitter(controls, clicked, document.url)
    charset = _encoding(form, document.encoding)
    added = dict(extra)
    if post_back is not None:
        values, added = _with_post_back(controls, post_back, values, added)
    fill(controls, values, submitter, document.url)
    entries = entry_list(controls, submitter, charset, document.url)
    entries += _added(added, entries, document.url)
    return _request(form, submitter, document, entries, charset)


def _submitter(
    controls: Sequence[Control], clicked: Clicked, url: str
) -> tuple[Control | None, PostBack | None]:
    """Return the button that sends the form, or the post-back (ASP.NET's submission by
    a script) that the clicked element triggers."""
    if clicked is False:
        return None, None
    buttons = {each.node.mem_id: each for each in controls if each.is_submit}
    if clicked is None:
        first = next(iter(buttons.values()), None)
        return (None if first is None or first.is_disabled else first), None
    for path in map(_with_ancestors, clicked):
        for each in path:
            button = buttons.get(each.mem_id)
            if button is not None and not button.is_disabled:
                return button, None
            if button is not None:
                raise FormError(
                    f"the button {button} is disabled; name another button in submit=",
                    url,
                )
            if (post_back := post_back_of(each)) is not None:
                return None, post_back
    names = ", ".join(str(each) for each in [*buttons.values()][:10]) or "none"
    raise FormError(
        f"submit= matches no submit button of this form; its submit buttons: {names}",
        url,
    )


def _with_ancestors(node: LexborNode) -> Iterator[LexborNode]:
    """Yield an element and its ancestors, because a click on an icon is a click on its
    button."""
    current: LexborNode | None = node
    for _ in range(_ICON_DEPTH):
        if current is None or not current.is_element_node:
            return
        yield current
        current = current.parent


def _with_post_back(
    controls: Sequence[Control],
    post_back: PostBack,
    values: Mapping[str, Any],
    extra: dict[str, Any],
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return `values` and `extra` with the two values of a post-back (an ASP.NET link
    that submits the form). Its script writes these values to hidden fields."""
    names = {each.name for each in controls}
    fields = post_back.fields()
    present = {name: text for name, text in fields.items() if name in names}
    absent = {name: text for name, text in fields.items() if name not in names}
    return {**present, **values}, {**absent, **extra}


def _added(extra: Extra, entries: Sequence[FormEntry], url: str) -> list[FormEntry]:
    """Return the entries for the fields in `extra`, which the form does not have."""
    names = {entry.name for entry in entries}
    found = []
    for name, value in extra.items():
        if name in names:
            message = (
                f"extra={{{name!r}: ...}} names a field of the form; give the value in "
                "fill="
            )
            raise FormError(message, url)
        for each in value if isinstance(value, list) else [value]:
            is_text = not isinstance(each, tuple) and not hasattr(each, "__fspath__")
            try:
                found.append(
                    FormEntry(name, text_of(each) if is_text else file_of(each))
                )
            except ValueError as exc:
                raise FormError(
                    f"extra={{{name!r}: ...}} is invalid: {exc}", url
                ) from None
    return found


def _encoding(form: LexborNode, document: str) -> str:
    """Return the encoding for sending the form ("pick an encoding for the form")."""
    given = form.attributes.get("accept-charset")
    name = document
    if given is not None:
        labels = map(encodings.label, given.split()[:100])
        name = next((each for each in labels if each), "utf-8")
    return "utf-8" if name.startswith(("utf-16", "replacement")) else name


def _request(
    form: LexborNode,
    submitter: Control | None,
    document: Document,
    entries: Sequence[FormEntry],
    charset: str,
) -> Submission:
    method = _attribute("method", form, submitter).lower()
    if method == "dialog":
        raise FormError(
            "the form has method=dialog, which closes a dialog and sends nothing",
            document.url,
        )
    url = _action(form, submitter, document)
    if method != "post":
        _refuse_files(entries, "GET", document.url)
        query = bodies.urlencoded(entries, charset)
        return Submission("GET", _with_query(url, query, document.url), _NOTHING)
    kind = _attribute("enctype", form, submitter).lower()
    return Submission("POST", url, _body(kind, entries, charset, document.url))


_NOTHING = Multipart(b"", (), "")


def _body(kind: str, entries: Sequence[FormEntry], charset: str, url: str) -> Multipart:
    if kind == bodies.MULTIPART:
        return bodies.multipart_form(entries, charset)
    kind = kind if kind in _ENCTYPES else bodies.URLENCODED
    _refuse_files(entries, kind, url)
    if kind == bodies.TEXT:
        return Multipart(bodies.plain_text(entries, charset), (), kind)
    return Multipart(bodies.urlencoded(entries, charset).encode(), (), kind)


def _attribute(name: str, form: LexborNode, submitter: Control | None) -> str:
    """Return the button's own attribute, such as `formmethod`, if it has one, else the
    form's attribute, such as `method`."""
    if submitter is not None and (own := f"form{name}") in submitter.attributes:
        return submitter.attributes[own] or ""
    return form.attributes.get(name) or ""


def _action(form: LexborNode, submitter: Control | None, document: Document) -> str:
    """Return the URL of the form; an empty action means the page's own URL, even if the
    page has a `<base>`."""
    action = _attribute("action", form, submitter)
    if not action:
        return document.url
    reference = encodings.encode_query(action, document.encoding)
    try:
        return urls.join(document.base_url, reference)
    except urls.InvalidUrl as exc:
        raise FormError(
            f"the form's action is not a valid URL: {exc}", document.url
        ) from exc


def _with_query(url: str, query: str, page: str) -> str:
    try:
        return urls.canonical(f"{url.partition('?')[0]}?{query}")
    except urls.InvalidUrl as exc:
        raise FormError(
            f"the form's action with the fields as its query is not a valid URL: {exc}",
            page,
        ) from exc


def _refuse_files(entries: Iterable[FormEntry], how: str, url: str) -> None:
    """Raise FormError if a form that is not sent as multipart/form-data has files,
    because a browser would send only their names."""
    for entry in entries:
        if not isinstance(entry.value, str) and entry.value.filename:
            raise FormError(
                f"the field {entry.name!r} has a file, but the form is sent as {how}; "
                f"only {bodies.MULTIPART} can carry files",
                url,
            )
