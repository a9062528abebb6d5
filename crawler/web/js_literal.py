"""Finds the end of a JavaScript literal, and reads its value with chompjs. No I/O.

Rule: chompjs is an extra. It is used only for text that is not JSON.
"""

from __future__ import annotations

import re
from typing import Any

try:
    from chompjs import parse_js_object
except ImportError:  # the extra `scripts` installs it
    parse_js_object = None  # type: ignore[assignment]

#: Stands for a literal that could not be read because chompjs is not installed.
UNREAD = object()
#: A JavaScript string literal.
STRING = re.compile(
    r"\"(?:[^\"\\\n]++|\\.)*+\"|'(?:[^'\\\n]++|\\.)*+'|`(?:[^`\\]++|\\.)*+`", re.S
)
_TOKEN = re.compile(
    STRING.pattern + r"|//[^\n]*+|/\*(?:.*?\*/|.*+)|(?P<open>[\[{(])|(?P<close>[\]})])",
    re.S,
)
_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|.))", re.S
)
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_NAMED |= dict.fromkeys(("\n", "\r", "\r\n", "\u2028", "\u2029"), "")
# Texts that chompjs returns for JavaScript expressions, each with the value that the
# expression means.
_WORDS = {"undefined": None, "void 0": None, "!0": True, "!1": False}
_DEEPEST = 200


def end_of(text: str, start: int) -> int:
    """Return the position after the object or array that begins at `start`; the end of
    the text if the object or array is not closed."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        depth += bool(token["open"]) - bool(token["close"])
        if depth == 0 and token["close"]:
            return token.end()
    return len(text)


def value_of(literal: str) -> Any:
    """Return the value of a literal object or array; None if it is invalid, UNREAD if
    chompjs is not installed."""
    if literal[-1:] not in ("}", "]"):
        return None
    if parse_js_object is None:
        return UNREAD
    try:
        return _plain(parse_js_object(literal), 0)
    except (ValueError, RecursionError):
        return None


def text_of(literal: str) -> str:
    """Return the text of a string literal, given with its quotes."""
    return _ESCAPE.sub(_unescaped, literal[1:-1])


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    if code is None:
        return _NAMED.get(escape[4], escape[4])
    number = int(code, 16)
    return chr(number) if number < 0x110000 else "\ufffd"


def _plain(value: Any, depth: int) -> Any:
    """Return a value with the texts "undefined", "!0" and "!1" replaced by None, True
    and False."""
    if depth > _DEEPEST:
        raise ValueError(f"the JavaScript value is nested over {_DEEPEST} levels deep")
    if isinstance(value, str):
        return _WORDS.get(value, value)
    if isinstance(value, list):
        return [_plain(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each, depth + 1) for name, each in value.items()}
    return value
