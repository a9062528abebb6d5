"""How full the fields of items are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

#: Items that are looked at.
SAMPLE = 20_000
#: A name that is one among so many is no field, but a key.
MAX_FIELDS = 100
#: A share that fell by more than this is worth a word.
DROP = 0.05

_EMPTY: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Fill:
    """A field: the share of items that have a value there, now and before."""

    name: str
    now: float
    #: None: there is no run to compare with.
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
    """Each field beside what it was; one that has gone is there with 0."""
    names = list(dict.fromkeys([*now, *(before or {})]))
    return [
        Fill(
            name,
            now.get(name, 0.0),
            None if before is None else before.get(name, 0.0),
        )
        for name in names
    ]
