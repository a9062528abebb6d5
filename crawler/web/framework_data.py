"""Data of pages in the forms of Nuxt and Next.js, made plain. Pure.

Nuxt 3 writes all values into one list, and refers to them by their places (devalue).
Next.js pushes the rows of its components as text, piece by piece (`__next_f`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

#: Values within each other, and values in all once they are written out, at most.
MAX_DEPTH, MAX_VALUES = 200, 1_000_000
# What devalue writes for what JSON lacks: undefined, a hole, NaN, infinities, -0.
_NONE = -6
# Lists that begin with these words hold one value; others are given as they are.
_WRAPPERS = frozenset(
    {"Reactive", "ShallowReactive", "Ref", "ShallowRef", "EmptyRef", "EmptyShallowRef"}
    | {"Island", "NuxtError"}
)
_LITERALS = frozenset({"Date", "BigInt", "Object", "RegExp", "URL"})
_ROW = re.compile(rb"([0-9a-f]*):(?:T([0-9a-f]{1,8}),)?")


def from_devalue(values: list[Any]) -> Any:
    """The value that a list of devalue stands for; the list itself if it is none, or
    would grow too much."""
    try:
        return _Devalue(values).value(0, 0)
    except (ValueError, IndexError, TypeError):
        return values


class _Devalue:
    """Writes out the values of a list, each once; a loop is cut where it closes."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values
        self._made: dict[int, Any] = {}
        self._sizes: dict[int, int] = {}

    def value(self, place: Any, depth: int) -> Any:
        if type(place) is not int:
            raise TypeError("a value is referred to by its place")
        if _NONE <= place < 0:
            return None
        if place < 0 or depth > MAX_DEPTH:
            raise ValueError("it is no value, or too deep")
        if place not in self._made:
            self._made[place] = None  # within itself
            places = self._places(place)
            self._made[place] = self._filled(place, depth)
            size = self._weight(place)
            size += sum(self._sizes.get(each, 1) for each in places)
            if size > MAX_VALUES:
                raise ValueError("it would grow too much")
            self._sizes[place] = size
        return self._made[place]

    def _places(self, place: int) -> list[Any]:
        """What a value refers to."""
        value = self._values[place]
        if isinstance(value, dict):
            return list(value.values())
        if not isinstance(value, list):
            return []
        return [each for each in value if type(each) is int]

    def _weight(self, place: int) -> int:
        """What a value counts by itself: a long text for several."""
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
        if word == "null":  # an object: names and values in turn
            return dict(zip(found[::2], found[1::2], strict=True))
        if word == "Map":
            return [list(pair) for pair in zip(found[::2], found[1::2], strict=True)]
        return found


def next_rows(pushed: Iterable[Any]) -> dict[str, Any]:
    """The rows of Next.js by their names: those that are JSON, and texts."""
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
        with suppress(ValueError, RecursionError):  # an import, or a hint
            rows[name] = msgspec.json.decode(data[at:end])
        at = end + 1
    return rows
