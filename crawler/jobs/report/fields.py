"""How often the fields of items have values. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

#: Maximum number of items that are read.
SAMPLE = 20_000
#: Maximum number of fields; an item with more uses data as keys.
MAX_FIELDS = 100
#: A field counts as emptier if its share fell by more than this.
DROP = 0.05

_EMPTY: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Fill:
    """The share of items in which a field has a value, now and before."""

    name: str
    now: float
    #: None: there is no earlier run to compare with.
    before: float | None = None

    @property
    def has_dropped(self) -> bool:
        return self.before is not None and self.before - self.now > DROP


def shares(items: Iterable[bytes]) -> dict[str, float]:
    """The share of items in which each field has a value, in order of appearance."""
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
    """Each field with its share now and before; a missing field has 0."""
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
    """A field that differs between two runs: in how many items, and one example."""

    name: str
    count: int
    before: str
    now: str


def changed_fields(pairs: Iterable[tuple[bytes, bytes]]) -> list[ChangedField]:
    """The fields in which items differ, each pair an item before and now."""
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
