"""The text of a parsed page, as a person would read it. No I/O.

Rule: only the ASCII characters that HTML counts as white space are white space, so a
no-break space stays.
"""

from selectolax.lexbor import LexborNode

_HIDDEN = frozenset({"script", "style"})
# Elements that separate the text before and after them: blocks, list items, parts of
# tables.
# fmt: off
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center",
    "dd", "details", "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head",
    "header", "hgroup", "hr", "html", "legend", "li", "main", "menu", "nav", "ol",
    "optgroup", "option", "p", "pre", "search", "section", "summary", "table",
    "tbody", "td", "tfoot", "th", "thead", "title", "tr", "ul",
})
# fmt: on


def text_of(node: LexborNode) -> str:
    """Return the text inside an element, as a person would read it in one line."""
    child = node.first_child
    if child is None or (child.next is None and child.is_text_node):
        text = node.text()
        return " ".join(text.split()) if text.isascii() else folded(text)
    pieces: list[str] = []
    hidden = False
    for each in node.traverse(include_text=True):
        tag = each.tag or ""
        if tag == "-text":
            parent = each.parent
            if hidden and parent is not None and parent.tag in _HIDDEN:
                continue
            before = each.prev
            if before is not None and before.tag in _BLOCKS:
                pieces.append(" ")
            pieces.append(each.text_content or "")
        elif tag in _BLOCKS:
            pieces.append(" ")
        hidden = tag in _HIDDEN
    return folded("".join(pieces))


def own_text_of(node: LexborNode) -> str:
    """Return the text directly in the element, without the text of inner elements."""
    pieces: list[str] = []
    child = node.first_child
    while child is not None:
        if child.is_text_node:
            pieces.append(child.text_content or "")
        elif child.tag in _BLOCKS:
            pieces.append(" ")
        child = child.next
    return folded("".join(pieces))


def text_after(node: LexborNode) -> str:
    """Return the text between the end of an element and the next element."""
    pieces: list[str] = []
    sibling = node.next
    while sibling is not None and not sibling.is_element_node:
        if sibling.is_text_node:
            pieces.append(sibling.text_content or "")
        sibling = sibling.next
    return folded("".join(pieces))


def folded(text: str) -> str:
    """Return `text` with each run of HTML's white space as one space.

    Only ASCII white space counts, so a no-break space stays.
    """
    if text.isascii():
        return " ".join(text.split())
    # bytes.split() splits at ASCII white space only, and is faster than a pattern.
    words = text.encode("utf-8", "surrogatepass").split()
    return b" ".join(words).decode("utf-8", "surrogatepass")
