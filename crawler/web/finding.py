"""Finds elements by CSS, and explains what is wrong with a selector. No I/O."""

from selectolax.lexbor import LexborNode, SelectolaxError

from crawler.errors import SelectorError
from crawler.errors.foreign_names import instead_of_pseudo
from crawler.web.html_limits import PageTooComplex
from crawler.web.selectors import TooCostly, Tree, select

# Number of selectors whose matches on a page are remembered.
_REMEMBERED = 8


def find_all(node: LexborNode, selector: str, tree: Tree) -> list[LexborNode]:
    """Return the elements that match in the tree at `node`, including `node`."""
    try:
        found = _stepwise(node, selector, tree)
        if found is None:
            found = node.css(selector)
    except (SelectolaxError, UnicodeEncodeError) as exc:
        raise _not_css(selector, tree.url) from exc
    if "," in selector and len(found) > 1:
        # lexbor returns an element once for each part of a selector list that it
        # matches.
        found = list({node.mem_id: node for node in found}.values())
    return found


def find_first(node: LexborNode, selector: str, tree: Tree) -> LexborNode | None:
    try:
        found = _stepwise(node, selector, tree)
        if found is None:
            return node.css_first(selector)
    except (SelectolaxError, UnicodeEncodeError) as exc:
        raise _not_css(selector, tree.url) from exc
    return found[0] if found else None


def matches(node: LexborNode, selector: str, tree: Tree) -> bool:
    """Return whether the element itself matches the selector. All matches in the page
    are found once and cached by selector."""
    known = tree.matching
    if selector not in known:
        if len(known) >= _REMEMBERED:
            known.clear()
        found = find_all(tree.root, selector, tree)
        known[selector] = frozenset(each.mem_id for each in found)
    return node.mem_id in known[selector]


def _stepwise(node: LexborNode, selector: str, tree: Tree) -> list[LexborNode] | None:
    """Return the matches, found step by step, if the parser's own engine (lexbor) could
    take too long; else None."""
    try:
        return select(node, selector, tree)
    except TooCostly as exc:
        detail = (
            f"the CSS selector {selector!r} would take too long: {exc}; use a simpler "
            "selector"
        )
        raise PageTooComplex(detail, tree.url) from exc


def _not_css(selector: str, url: str) -> SelectorError:
    advice = ""
    if instead := instead_of_pseudo(selector):
        advice = f": write {instead}"
    elif selector.lstrip().startswith(("/", "./", "(/")):
        advice = " (it looks like XPath, but css() takes CSS)"
    elif ":contains(" in selector:
        advice = ' (write :lexbor-contains("...") instead of :contains(...))'
    return SelectorError(selector, url, f"is not a CSS selector{advice}; it was used")
