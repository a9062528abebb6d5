"""Converts page data in the formats of Nuxt and Next.js to plain values. No I/O.

Nuxt 3 writes all values into one list, and refers to them by position (devalue).
Next.js pushes a text piece by piece (`__next_f`); each row of the text has a name and a
value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

#: Maximum nesting depth of the page data.
MAX_DEPTH = 200
#: Maximum number of values after expansion; a value counts once for each reference to
#: it.
MAX_VALUES = 1_000_000
# devalue writes undefined, a hole in an array, NaN, the infinities and -0 as the
# numbers -1 to -6; all of them become None.
_NONE = -6
# A list that begins with one of these words is only a wrapper of one value.
_WRAPPERS = frozenset(
    {"Reactive", "ShallowReactive", "Ref", "ShallowRef", "EmptyRef", "EmptyShallowRef"}
    | {"Island", "NuxtError"}
)
_LITERALS = frozenset({"Date", "BigInt", "Object", "RegExp", "URL"})
_ROW = re.compile(rb"([0-9a-f]*):(?:T([0-9a-f]{1,8}),)?")


def from_devalue(values: list[Any]) -> Any:
    """Return the value that a list in Nuxt's format (devalue) describes; the list
    itself if it is malformed or too large."""
    try:
        return _Devalue(values).value(0, 0)
    except (ValueError, IndexError, TypeError):
        return values


class _Devalue:
    """Expands the values of a devalue list, each once. If a value contains itself, the
    inner reference becomes None."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values
        self._made: dict[int, Any] = {}
        self._sizes: dict[int, int] = {}

    def value(self, place: Any, depth: int) -> Any:
        if type(place) is not int:
            raise TypeError(
                f"Nuxt's page data has the reference {place!r}, which is not a number"
            )
        if _NONE <= place < 0:
            return None
        if place < 0:
            raise ValueError(
                f"Nuxt's page data refers to the value {place}, which it lacks"
            )
        if depth > MAX_DEPTH:
            raise ValueError(f"Nuxt's page data is nested over {MAX_DEPTH} levels deep")
        if place not in self._made:
            self._made[place] = None  # for references to the value inside itself
            places = self._places(place)
            self._made[place] = self._filled(place, depth)
            size = self._weight(place)
            size += sum(self._sizes.get(each, 1) for each in places)
            if size > MAX_VALUES:
                raise ValueError(f"Nuxt's page data has over {MAX_VALUES:,} values")
            self._sizes[place] = size
        return self._made[place]

    def _places(self, place: int) -> list[Any]:
        """Return the positions of the values to which the value at `place` refers. All
        values of the page data are in one list."""
        value = self._values[place]
        if isinstance(value, dict):
            return list(value.values())
        if not isinstance(value, list):
            return []
        return [each for each in value if type(each) is int]

    def _weight(self, place: int) -> int:
        """Return how much a value counts toward `MAX_VALUES`: 1, or more for a long
        text."""
        value = self._values[place]
        return 1 + len(value) // 32 if isinstance(value, str) else 1

    def _filled(self, place: int, depth: int) -> Any:
        value = self._values[place]
        if isinstance(value, dict):
            return {name: self.value(each, depth + 1) for name, each in value.items()}
        if not isinstance(value, list):
            return value
        if not value or not isinstance(value[0], str):
            return [self.value(each, depth + 1) for each in value]
        word, *rest = value
        if word in _WRAPPERS:
            return self.value(rest[0], depth + 1)
        if word in _LITERALS:
            return rest[0]
        found = [
            each if isinstance(each, str) else self.value(each, depth + 1)
            for each in rest
        ]
        if word == "null":  # an object: names and values alternate
            return dict(zip(found[::2], found[1::2], strict=True))
        if word == "Map":
            return [list(pair) for pair in zip(found[::2], found[1::2], strict=True)]
        return found


def next_rows(pushed: Iterable[Any]) -> dict[str, Any]:
    """Return the values of Next.js's page data by row name. Rows that are neither JSON
    nor text are skipped."""
    pieces = [
        each[1]
        for each in pushed
        if isinstance(each, list) and len(each) == 2 and isinstance(each[1], str)
    ]
    data = "".join(pieces).encode("utf-8", "surrogatepass")
    rows: dict[str, Any] = {}
    at = 0
    while row := _ROW.match(data, at):
        name, at = row[1].decode(), row.end()
        if row[2]:
            end = min(at + int(row[2], 16), len(data))
            rows[name] = data[at:end].decode("utf-8", "replace")
            at = end
            continue
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        # rows such as imports and hints are not JSON
        with suppress(ValueError, RecursionError):
            rows[name] = msgspec.json.decode(data[at:end])
        at = end + 1
    return rows
