"""What a field's ancestors say about it: its form, and whether it is disabled. No I/O.

A page may be deeply nested, so each ancestor is checked only once.
"""

from __future__ import annotations

from typing import NamedTuple

from selectolax.lexbor import LexborNode

# Elements whose content belongs to SVG or MathML, not to HTML.
_FOREIGN = frozenset({"svg", "math"})
# Elements of SVG and MathML whose content belongs to HTML again.
_HTML_AGAIN = frozenset({"foreignObject", "desc", "title", "annotation-xml"})


class Place(NamedTuple):
    """The facts about an element that follow from its ancestors."""

    #: The memory id of the nearest `<form>` around the element; 0 if there is none.
    form: int = 0
    is_disabled: bool = False
    in_datalist: bool = False
    is_foreign: bool = False


class Places:
    """Computes the `Place` (form, disabled or not) of the children of each node,
    once."""

    def __init__(self) -> None:
        self._known: dict[int, Place] = {}
        #: The memory id of the first legend, by the memory id of its disabled fieldset.
        self._legends: dict[int, int] = {}

    def inside(self, node: LexborNode | None) -> Place:
        """Return the `Place` (form, disabled or not) of this node's children."""
        path: list[LexborNode] = []
        while node is not None and node.mem_id not in self._known:
            path.append(node)
            node = node.parent
        place = Place() if node is None else self._known[node.mem_id]
        for each in reversed(path):
            place = self._known[each.mem_id] = self._within(each, place)
        return place

    def _within(self, node: LexborNode, place: Place) -> Place:
        tag = node.tag
        if tag in _FOREIGN:
            return place._replace(is_foreign=True)
        if tag in _HTML_AGAIN:
            return place._replace(is_foreign=False)
        if tag == "form" and not place.is_foreign:
            return place._replace(form=node.mem_id)
        if tag == "datalist":
            return place._replace(in_datalist=True)
        if tag == "fieldset" and "disabled" in node.attributes:
            return place._replace(is_disabled=True)
        if tag == "legend" and place.is_disabled:
            return self._in_legend(node, place)
        return place

    def _in_legend(self, legend: LexborNode, place: Place) -> Place:
        """Return the `Place` (form, disabled or not) of the children of a legend.
        Fields in the first legend of a disabled fieldset are enabled."""
        fieldset = legend.parent
        if fieldset is None or fieldset.tag != "fieldset":
            return place
        key = fieldset.mem_id
        if key not in self._legends:
            children = fieldset.iter()
            first = next((each for each in children if each.tag == "legend"), legend)
            self._legends[key] = first.mem_id
        if self._legends[key] != legend.mem_id:
            return place
        return place._replace(is_disabled=self.inside(fieldset.parent).is_disabled)
