"""Finds the fields of a form, and their state. No I/O.

A form's fields are not only those inside its element. A field's attribute `form` may
name another form. If the parser closed the form's element early, later fields belong to
the form, too (HTML 4.10.17.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from crawler.errors import FormError
from crawler.web.forms import values
from crawler.web.forms.open_forms import fields_behind
from crawler.web.forms.places import Place, Places
from crawler.web.multipart import FilePiece

#: Maximum number of fields of a form; a form with more is refused.
MAX_FIELDS = 10_000
#: Maximum number of options in all lists of a form; a form with more is refused.
MAX_OPTIONS = 100_000

SUBMITTABLE = "input,select,textarea,button"
#: Known types of `<input>`; any other type is "text".
_TYPES = frozenset(
    {"hidden", "text", "search", "tel", "url", "email", "password", "date", "month"}
    | {"week", "time", "datetime-local", "number", "range", "color", "checkbox"}
    | {"radio", "file", "submit", "image", "reset", "button"}
)
_BUTTONS = frozenset({"submit", "image", "reset", "button"})


class Document(NamedTuple):
    """The page that contains the form."""

    root: LexborNode
    #: The page's HTML in UTF-8; empty if the page must not be parsed again.
    markup: bytes
    url: str
    base_url: str
    #: The WHATWG name of the page's encoding.
    encoding: str


class ChosenFile(NamedTuple):
    """A file to send: its content, or its path."""

    filename: str
    content: bytes | FilePiece
    kind: str


@dataclass(slots=True)
class Option:
    """An option of a `<select>`."""

    value: str
    label: str
    is_disabled: bool
    is_selected: bool


# This class has over 12 attributes, because it holds all that HTML says of a field.
@dataclass(slots=True)
class Control:
    """A field of a form, with its state, which filling in the form changes."""

    node: LexborNode
    attributes: Mapping[str, str | None]
    #: "select", "textarea", or a type of input or button.
    type: str
    name: str
    is_disabled: bool
    in_datalist: bool
    value: str = ""
    is_checked: bool = False
    #: Whether the user excluded the field with None, so that it is not sent.
    is_left_out: bool = False
    options: list[Option] = field(default_factory=list)
    files: list[ChosenFile] = field(default_factory=list)
    #: Horizontal position in pixels at which an image button is clicked.
    x: int = 0
    #: Vertical position in pixels at which an image button is clicked.
    y: int = 0

    @property
    def is_button(self) -> bool:
        return self.type in _BUTTONS

    @property
    def is_submit(self) -> bool:
        """Return whether a click on the field sends the form."""
        return self.type in ("submit", "image")

    @property
    def is_multiple(self) -> bool:
        return "multiple" in self.attributes

    def __str__(self) -> str:
        """Return the field for messages, such as `<input type=text name=q>`."""
        tag = self.node.tag or ""
        kind = f" type={self.type}" if tag == "input" else ""
        return f"<{tag}{kind} name={self.name}>"


def controls_of(form: LexborNode, document: Document) -> list[Control]:
    """Return the fields that belong to the form, in document order."""
    places = Places()
    owners = _Owners(form, document)
    found: list[Control] = []
    options = 0
    for index, node in enumerate(document.root.css(SUBMITTABLE)):
        place = places.inside(node.parent)
        attributes = node.attributes
        if place.is_foreign or not owners.owns(node, attributes, place, index):
            continue
        if len(found) == MAX_FIELDS:
            raise FormError(
                f"the form has over {MAX_FIELDS:,} fields, too many to fill in; yield "
                "a Request instead of response.form()",
                document.url,
            )
        control = _control(node, attributes, place)
        options += len(control.options)
        if options > MAX_OPTIONS:
            raise FormError(
                f"the form's lists have over {MAX_OPTIONS:,} options, too many to fill "
                "in; yield a Request instead of response.form()",
                document.url,
            )
        found.append(control)
    _check_one_radio(found)
    return found


class _Owners:
    """Decides which fields of a page belong to one form."""

    def __init__(self, form: LexborNode, document: Document) -> None:
        self._form = form
        self._key = form.mem_id
        self._document = document
        self._ids: dict[str, int] | None = None
        self._behind: frozenset[int] | None = None

    def owns(
        self,
        node: LexborNode,
        attributes: Mapping[str, str | None],
        place: Place,
        index: int,
    ) -> bool:
        """Return whether the field at position `index` among the page's fields belongs
        to the form."""
        if "form" in attributes:
            return self._by_id(attributes["form"] or "") == self._key
        if place.form:
            return place.form == self._key
        if self._behind is None:
            root, markup = self._document.root, self._document.markup
            self._behind = fields_behind(self._form, root, markup)
        return index in self._behind

    def _by_id(self, name: str) -> int:
        """Return the memory id of the page's first element with this `id` attribute; 0
        if there is none."""
        if self._ids is None:
            self._ids = {}
            for node in self._document.root.css("[id]"):
                self._ids.setdefault(node.attributes["id"] or "", node.mem_id)
        return self._ids.get(name, 0) if name else 0


def _control(
    node: LexborNode, attributes: Mapping[str, str | None], place: Place
) -> Control:
    tag = node.tag or ""
    control = Control(
        node,
        attributes,
        _type_of(tag, (attributes.get("type") or "").lower()),
        attributes.get("name") or "",
        is_disabled=place.is_disabled or "disabled" in attributes,
        in_datalist=place.in_datalist,
        is_checked="checked" in attributes,
    )
    if tag == "select":
        control.options = _options_of(node)
        _choose(control)
    elif tag == "textarea":
        control.value = values.with_newlines(node.text(), "\n")
    elif control.type in ("checkbox", "radio"):
        given = attributes.get("value", "on")
        control.value = given or ""
    elif control.type != "file":
        given = attributes.get("value") or ""
        control.value = values.sanitized(control.type, given, attributes)
    return control


def _type_of(tag: str, given: str) -> str:
    if tag == "input":
        return given if given in _TYPES else "text"
    if tag == "button":
        return given if given in ("reset", "button") else "submit"
    return tag


def _options_of(select: LexborNode) -> list[Option]:
    found = []
    for node in islice(select.css("option"), MAX_OPTIONS + 1):
        attributes = node.attributes
        label = " ".join("".join(_texts(node)).split())
        value = attributes.get("value", label)
        above = node.parent
        is_disabled = "disabled" in attributes or (
            above is not None
            and above.tag == "optgroup"
            and "disabled" in above.attributes
        )
        found.append(
            Option(
                value or "",
                attributes.get("label") or label,
                is_disabled,
                "selected" in attributes,
            )
        )
    return found


def _texts(option: LexborNode) -> Iterator[str]:
    for node in option.traverse(include_text=True):
        if node.tag == "-text":
            above = node.parent
            if above is None or above.tag not in ("script", "style"):
                yield node.text_content or ""


def _choose(select: Control) -> None:
    """In a `<select>` that allows one choice, keep only the last selected option.

    If none is selected and the list shows one line, select the first enabled option.
    """
    if select.is_multiple:
        return
    chosen = [each for each in select.options if each.is_selected]
    for each in chosen[:-1]:
        each.is_selected = False
    shows_one = values.leading_number(select.attributes.get("size")) < 2
    if not chosen and shows_one:
        first = next((each for each in select.options if not each.is_disabled), None)
        if first is not None:
            first.is_selected = True


def _check_one_radio(controls: list[Control]) -> None:
    """Of radio buttons with the same name, only the last checked one stays checked."""
    checked: dict[str, Control] = {}
    for control in controls:
        if control.type == "radio" and control.is_checked and control.name:
            if control.name in checked:
                checked[control.name].is_checked = False
            checked[control.name] = control
