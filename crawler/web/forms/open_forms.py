"""Finds fields that belong to a form although they are not inside its element. No I/O.

In `<table><form><tr><td><input>` and `<div><form></div><input>` the parser closes the
form's element early, but remembers the form: until `</form>` fields still belong to it.
The tree does not show where `</form>` was. So the page is parsed again, with a
`<style>` element added at each `</form>`.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

from crawler.web.html_parser import parse

_END = re.compile(rb"</form(?=[\s/>])[^>]*>", re.I)
# Attribute of the `<style>` elements that mark where `</form>` was. A `<style>` is
# used, because the parser does not move it out of a table, and inside a script it
# changes nothing.
_IS_MARK = "data-crawler-form-end"
_MARK = rb"\g<0><style data-crawler-form-end></style>"
#: Maximum number of tags on a page that is parsed again.
_MOST_TAGS = 100_000
#: Maximum number of end tags `</form>` on a page that is parsed again.
_MOST_ENDS = 1_000
_FIELDS = frozenset({"input", "select", "textarea", "button"})


def fields_behind(form: LexborNode, root: LexborNode, markup: bytes) -> frozenset[int]:
    """Return the fields between the end of the form's element and the end tag
    `</form>`, as positions among all fields of the page."""
    if markup.count(b"<") > _MOST_TAGS or len(_END.findall(markup)) > _MOST_ENDS:
        return frozenset()
    marked = parse(_END.sub(_MARK, markup))
    if marked is None:
        return frozenset()
    forms = [each.mem_id for each in root.css("form")]
    number = forms.index(form.mem_id)
    found: set[int] = set()
    field = -1
    for node in marked.traverse():
        tag = node.tag
        if tag == "form":
            number -= 1
        elif tag in _FIELDS:
            field += 1
            if number < 0:
                found.add(field)
        elif number < 0 and tag == "style" and _IS_MARK in node.attributes:
            break
    return frozenset(found)
