"""Finds data that a page contains for its own scripts: JSON and JavaScript literals. No
I/O.

Data is found in `<script type="application/json">`, such as `__NEXT_DATA__`; in
assignments such as `window.state = {...}` and `state = JSON.parse("...")`; and in calls
such as `dataLayer.push({...})`. JSON is parsed as JSON. A literal that is not JSON is
parsed by chompjs, if it is installed.

Rule: no script is run, and the work is at most a few times the length of the scripts.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from selectolax.lexbor import LexborNode

from crawler.web import js_literal
from crawler.web.framework_data import from_devalue, next_rows
from crawler.web.tolerant_json import loads

#: Maximum number of scripts read on a page.
MAX_SCRIPTS = 1_000
#: Maximum number of values read from the scripts of a page.
MAX_VALUES = 10_000
#: Maximum number of values that are searched for a key.
MAX_SEARCHED = 1_000_000
_JSON_TYPE = re.compile(r"(?:application|text)/(?:[\w.-]*\+)?json\Z")
_SCRIPT_TYPE = re.compile(r"|module|(?:application|text)/(?:x-)?(?:java|ecma)script\Z")
# Name of the page data of Nuxt, whose values have a special format.
_NUXT = "__NUXT_DATA__"
# Name of the page data of Next.js, whose values have a special format.
_NEXT = "__next_f"
_LINKED_DATA = "application/ld+json"
# Matches an assignment or a call of push, up to the start of the object, the array or
# the JSON string that follows.
_START = re.compile(
    r"(?:(?<![=!<>+*/%&|^-])=\s*+|\.push\(\s*+)"
    r"(?P<parse>JSON\s*+\.\s*+parse\(\s*+(?P<uri>decodeURIComponent\(\s*+)?(?=['\"`])"
    r"|(?=[\[{]))"
)
# The name to which a script assigns a value, or on which the script calls push: a
# variable (`x`) or a property (`x.y`).
_NAME = re.compile(
    r"(?:[A-Za-z_$][\w$]*+|\[\s*(?:\"[^\"]*\"|'[^']*')\s*\])"
    r"(?:\.[A-Za-z_$][\w$]*+|\[\s*(?:\"[^\"]*\"|'[^']*')\s*\])*+\s*\Z"
)
_LONGEST_NAME = 200
# In characters. A value is first parsed within a text of this length: most values are
# shorter, and the cost of a JSON error grows with the length of the text.
_WINDOW = 4_096
# Each attempt to parse a value counts as this many extra characters toward the maximum
# number of characters that are read.
_ATTEMPT = 50
_GLOBAL = re.compile(r"(?:window|self|globalThis|this|document)(?=[.\[])\.?")
_QUOTED = re.compile(r"\.?\[\s*[\"']([^\"']*)[\"']\s*\]")


class EmbeddedJson(NamedTuple):
    """One value in the scripts of a page, and its name.

    The name is the `id` of the value's script, or the variable to which the value is
    assigned, without "window.".
    """

    name: str
    value: Any


class Embedded(NamedTuple):
    """The values in the scripts of a page, in order, and the names of unreadable
    literals.

    A literal that is not JSON is unreadable if chompjs is not installed.
    """

    values: list[EmbeddedJson]
    unread: list[str]


def read(root: LexborNode) -> Embedded:
    """Return all values in the scripts of the page with this root element."""
    found = Embedded([], [])
    for node in root.css("script")[:MAX_SCRIPTS]:
        attributes = node.attrs
        kind = (attributes.get("type") or "").partition(";")[0].strip().lower()
        if _JSON_TYPE.match(kind):
            if kind != _LINKED_DATA:
                _read_json(attributes.get("id") or "", node.text(), found)
        elif _SCRIPT_TYPE.fullmatch(kind) or not kind:
            _read_script(node.text(), found)
        if len(found.values) > MAX_VALUES:
            break
    return Embedded(_plain(found.values), found.unread)


def _plain(values: list[EmbeddedJson]) -> list[EmbeddedJson]:
    """Return the values, with those of Nuxt and Next.js converted to plain values."""
    pushed = [each.value for each in values if each.name == _NEXT]
    rows = next_rows(pushed) if pushed else {}
    plain = []
    for name, value in values:
        if name == _NUXT and isinstance(value, list):
            plain.append(EmbeddedJson(name, from_devalue(value)))
        elif name != _NEXT or not rows:
            plain.append(EmbeddedJson(name, value))
    return [*plain, EmbeddedJson(_NEXT, rows)] if rows else plain


def bare_name(name: str) -> str:
    """Return a name without "window." and brackets: "a.b" for `window["a"].b`."""
    name = _QUOTED.sub(r".\1", _GLOBAL.sub("", name.strip(), count=1))
    return name.removeprefix(".")


def is_named(own: str, name: str | None) -> bool:
    """Return whether a value has the wanted name; None accepts any name."""
    return name is None or own == bare_name(name)


def find_key(value: Any, key: str) -> Iterator[Any]:
    """Yield the values of a key at any depth, those nearest to the root first."""
    waiting = deque([value])
    for _ in range(MAX_SEARCHED):
        if not waiting:
            return
        value = waiting.popleft()
        if isinstance(value, dict):
            if key in value:
                yield value[key]
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _read_json(name: str, text: str, found: Embedded) -> None:
    try:
        values = loads(text)
    except ValueError:
        return
    found.values.extend(EmbeddedJson(name, value) for value in values)


def _read_script(text: str, found: Embedded) -> None:
    reader = _ScriptReader(text)
    at = 0
    while len(found.values) <= MAX_VALUES:
        start = _START.search(text, at)
        if start is None:
            return
        at = start.end()
        before = text[
            max(at - _LONGEST_NAME, 0, start.start() - _LONGEST_NAME) : start.start()
        ]
        name = _NAME.search(before)
        if name is None:
            continue
        named = bare_name(name[0])
        value = reader.value(start)
        if value is js_literal.UNREAD:
            found.unread.append(named)
        elif value not in (None, {}, []):
            found.values.append(EmbeddedJson(named, value))
            at = reader.end


class _ScriptReader:
    """Reads the values in a script; `end` is the position after the last value that was
    read."""

    def __init__(self, text: str) -> None:
        self.end = 0
        self._text = text
        self._decoder = json.JSONDecoder(strict=False)
        # Number of characters that may still be read. If a value breaks off, its text
        # is read again for each value that begins in it, so the total is limited.
        self._left = 4 * len(text) + 10_000

    def value(self, start: re.Match[str]) -> Any:
        """Return the value that begins at a match of `_START`; None if no value can be
        read there, UNREAD if chompjs is needed but not installed."""
        if start["parse"]:
            return self._parsed(start)
        if self._left < 0:
            return None
        at = start.end()
        try:
            value, size = self._decoder.raw_decode(self._text[at : at + _WINDOW])
        except (ValueError, RecursionError):
            return self._long_or_literal(at)
        self.end = at + size
        return value

    def _long_or_literal(self, at: int) -> Any:
        """Return a value that is longer than 4,096 characters, or that is a JavaScript
        literal instead of JSON."""
        self.end = js_literal.end_of(self._text, at)
        self._left -= self.end - at + _ATTEMPT
        literal = self._text[at : self.end]
        if len(literal) > _WINDOW:
            try:
                return self._decoder.decode(literal)
            except (ValueError, RecursionError):
                pass
        return js_literal.value_of(literal)

    def _parsed(self, start: re.Match[str]) -> Any:
        literal = js_literal.STRING.match(self._text, start.end())
        if literal is None:
            return None
        self.end = literal.end()
        text = js_literal.text_of(literal[0])
        try:
            values = loads(unquote(text) if start["uri"] else text)
        except ValueError:
            return None
        return values[0] if values else None
