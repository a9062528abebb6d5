"""Parses JSON as written in pages: with comments, trailing commas, HTML escapes.

No I/O. The time is linear in the length of the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import msgspec

_STRING = r'(?P<string>"(?:[^"\\]++|\\.)*+"?+)'
# Comments of JavaScript and HTML, and CDATA marks; an unclosed comment extends to the
# end.
_COMMENT = re.compile(
    _STRING + r"|//\s*<!\[CDATA\[|//\s*\]\]>|<!\[CDATA\[|\]\]>|<!--|-->"
    r"|//[^\n]*+|/\*(?:.*?\*/|.*+)",
    re.S,
)
_TRAILING = re.compile(_STRING + r"|,(?=\s*+(?:[}\]]|\Z))", re.S)
# Escapes that JSON does not know, such as \' and \x41.
_ESCAPE = re.compile(
    r"\\(?:([\"\\/bfnrt]|u[0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.S
)
_QUOTES = ("&quot;", "&#34;", "&#x22;", "&#034;")
_PAST = re.compile(r"[\s;\ufeff]*+")


def loads(text: str) -> list[Any]:
    """Return the JSON values in a text, usually one. Raises ValueError if no repair
    makes the text valid JSON, or if the values are nested too deeply."""
    try:
        return [msgspec.json.decode(text)]
    except (ValueError, RecursionError):  # UnicodeError is a ValueError, too
        pass
    try:
        return [*_repaired(text)]
    except (ValueError, RecursionError) as exc:
        if any(quote in text for quote in _QUOTES):
            return _unescaped(text)
        raise ValueError(str(exc)) from exc


def _unescaped(text: str) -> list[Any]:
    try:
        return [*_repaired(unescape(text))]
    except RecursionError as exc:
        raise ValueError(str(exc)) from exc


def _repaired(text: str) -> Iterator[Any]:
    text = _TRAILING.sub(_keep, _COMMENT.sub(_keep, text))
    decoder = json.JSONDecoder(strict=False, parse_constant=_no_constant)
    at = _past(text, 0)
    if at == len(text):
        raise ValueError("the text contains no JSON value")
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value
        at = _past(text, at)


def _past(text: str, at: int) -> int:
    """Return the position after the white space and semicolons that begin at `at`."""
    found = _PAST.match(text, at)
    return found.end() if found else at


def _keep(found: re.Match[str]) -> str:
    """Return a string literal with JavaScript's escapes (\\x41) converted to those of
    JSON; "" if the match of the regular expression is not a string, such as a
    comment."""
    string = found["string"] or ""
    return _ESCAPE.sub(_json_escape, string) if "\\" in string else string


def _json_escape(found: re.Match[str]) -> str:
    if found[1]:
        return found[0]
    if found[2]:
        return f"\\u00{found[2]}"
    return found[3]


def _no_constant(_: str) -> None:
    """Return None for NaN and Infinity, which JSON does not have."""
