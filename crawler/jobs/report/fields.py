"""Computes how often the fields of items have values, and which fields changed. No
I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

#: Maximum number of items of a run that are read.
SAMPLE = 20_000
#: Maximum number of fields that are counted. Items with more fields probably use data
#: as keys.
MAX_FIELDS = 100
#: A field counts as emptier if the share of items (0 to 1) that have a value for it
#: fell by more than this.
DROP = 0.05

_EMPTY: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Fill:
    """The share of items, from 0 to 1, in which a field has a value.

    `now` is for this run, `before` for the earlier run.
    """

    name: str
    now: float
    #: None if there is no earlier run to compare with.
    before: float | None = None

    @property
    def has_dropped(self) -> bool:
        return self.before is not None and self.before - self.now > DROP


def shares(items: Iterable[bytes]) -> dict[str, float]:
    """Return for each field the share of items in which it has a value.

    `items` are JSON objects. The fields are in the order in which they appear.
    """
    filled: dict[str, int] = {}
    count = 0
    for body in items:
        count += 1
        values = msgspec.json.decode(body)
        if not isinstance(values, dict):
            continue
        for name, value in values.items():
            if name in filled or len(filled) < MAX_FIELDS:
                filled[name] = filled.get(name, 0) + (value not in _EMPTY)
    return {name: amount / count for name, amount in filled.items()}


def fills(now: Mapping[str, float], before: Mapping[str, float] | None) -> list[Fill]:
    """Return each field with the share of the items that have a value for it, in this
    run and in the earlier run.

    `before` is None if there is no earlier run. A missing field has the share 0.
    """
    names = list(dict.fromkeys([*now, *(before or {})]))
    return [
        Fill(
            name,
            now.get(name, 0.0),
            None if before is None else before.get(name, 0.0),
        )
        for name in names
    ]


#: Maximum number of changed fields that are shown.
MAX_CHANGED = 12


@dataclass(frozen=True)
class ChangedField:
    """A field that differs between the items of two runs.

    `count` is the number of items in which the field differs; `before` and `now` are
    the two values in one of these items, as an example.
    """

    name: str
    count: int
    before: str
    now: str


def changed_fields(pairs: Iterable[tuple[bytes, bytes]]) -> list[ChangedField]:
    """Return the fields in which items differ, the most frequent first.

    Each pair is one item as JSON, from the earlier run and from this run.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, tuple[str, str]] = {}
    for before, now in pairs:
        was, item = msgspec.json.decode(before), msgspec.json.decode(now)
        if not (isinstance(was, dict) and isinstance(item, dict)):
            continue
        for name in {**was, **item}:
            if was.get(name) != item.get(name):
                counts[name] += 1
                examples.setdefault(name, (_shown(was, name), _shown(item, name)))
    return [
        ChangedField(name, count, *examples[name])
        for name, count in counts.most_common(MAX_CHANGED)
    ]


def _shown(item: Mapping[str, object], name: str) -> str:
    if name not in item:
        return ""
    value = item[name]
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
