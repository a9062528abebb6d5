"""The text direction of a field, for `dirname` (HTML 3.2.6.4). No I/O."""

from __future__ import annotations

from unicodedata import bidirectional

from selectolax.lexbor import LexborNode

from crawler.web.forms.controls import Control

#: Types of fields whose own text decides the direction if the field has `dir=auto`.
_BY_VALUE = frozenset(
    {"hidden", "text", "search", "tel", "url", "email", "password", "submit", "reset"}
    | {"button", "textarea"}
)
_NOT_COUNTED = frozenset({"bdi", "script", "style", "textarea"})
#: The direction is decided by at most this many nodes of an element, and at most this
#: many characters of its text.
_LOOKED_AT = 10_000


def sends_direction(control: Control) -> bool:
    """Return whether the field sends its direction under the name in `dirname`."""
    return control.type in _BY_VALUE and bool(control.attributes.get("dirname"))


class Directions:
    """The directions of a form's fields; each ancestor is checked once."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def of(self, control: Control) -> str:
        """Return the direction of a field: "ltr" or "rtl"."""
        given = (control.attributes.get("dir") or "").lower()
        if given in ("ltr", "rtl"):
            return given
        if given == "auto":
            return _of_text(control.value) or "ltr"
        return "ltr" if control.type == "tel" else self._inside(control.node.parent)

    def _inside(self, node: LexborNode | None) -> str:
        """Return the direction for content of this node that has no direction of its
        own."""
        path: list[int] = []
        found = ""
        while node is not None and not found:
            found = self._known.get(node.mem_id, "") or _own(node)
            path.append(node.mem_id)
            node = node.parent
        found = found or "ltr"
        self._known.update(dict.fromkeys(path, found))
        return found


def _own(element: LexborNode) -> str:
    """Return the direction that an element declares; "" if it declares none."""
    given = (element.attributes.get("dir") or "").lower()
    if given in ("ltr", "rtl"):
        return given
    if given == "auto" or (element.tag == "bdi" and not given):
        return _of_text(_text_of(element)) or "ltr"
    return ""


def _of_text(text: str) -> str:
    """Return the direction of the first character that has one; "" if none has."""
    for char in text:
        kind = bidirectional(char)
        if kind in ("AL", "R"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return ""


def _text_of(element: LexborNode) -> str:
    """Return an element's text, without inner elements that have their own
    direction."""
    pieces: list[str] = []
    size = 0
    node = element.first_child
    for _ in range(_LOOKED_AT):
        if node is None or size > _LOOKED_AT:
            break
        if node.tag == "-text":
            text = node.text_content or ""
            pieces.append(text)
            size += len(text)
        is_entered = (
            node.is_element_node
            and node.tag not in _NOT_COUNTED
            and "dir" not in node.attributes
        )
        node = _following(node, element, is_entered=is_entered)
    return "".join(pieces)


def _following(
    node: LexborNode, within: LexborNode, *, is_entered: bool
) -> LexborNode | None:
    """Return the node after this node in document order; None at the end of `within`.
    The children of this node follow only if `is_entered`."""
    if is_entered and node.first_child is not None:
        return node.first_child
    current: LexborNode | None = node
    while current is not None and current.mem_id != within.mem_id:
        if current.next is not None:
            return current.next
        current = current.parent
    return None
