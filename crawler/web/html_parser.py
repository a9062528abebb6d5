"""The HTML parser (selectolax's lexbor) and its options."""

from selectolax.lexbor import LexborHTMLParser, LexborNode

# No script runs here, so events for changes of the tree are not needed.
_WITHOUT_EVENTS = 1


def parse(markup: bytes) -> LexborNode | None:
    """Return the `<html>` element of a page in UTF-8; any bytes give a page."""
    return LexborHTMLParser(markup, options=_WITHOUT_EVENTS).root
