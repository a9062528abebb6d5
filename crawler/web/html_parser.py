"""The HTML parser, and how it is set: selectolax's lexbor."""

from selectolax.lexbor import LexborHTMLParser, LexborNode

# No script runs here, so that nothing listens to the tree's mutation events.
_WITHOUT_EVENTS = 1


def parse(markup: bytes) -> LexborNode | None:
    """The `<html>` element of a page in UTF-8; any bytes are a page."""
    return LexborHTMLParser(markup, options=_WITHOUT_EVENTS).root
