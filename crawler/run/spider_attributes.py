"""Finds attributes that a spider sets during a run, because a resumed run loses them.

Rule: the contents of values are not compared, because a value may be of any size and
type. A list, dict or set counts as changed if its length has changed.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection
from functools import cached_property

from crawler.spider import Spider

logger = logging.getLogger(__name__)

_GROWING = (list, dict, set, deque)


class SpiderAttributes:
    """Finds the attributes of a spider that change after its creation."""

    def __init__(self, spider: Spider) -> None:
        self._values = vars(spider)
        self._kind = type(spider)
        self._marks = {name: _mark(value) for name, value in self._values.items()}
        self._named: set[str] = set()

    def changed(self) -> set[str]:
        """Return the names of attributes that have changed since the creation of the
        spider and were not returned before."""
        values, marks = self._values, self._marks
        found: set[str] = set()
        for name in list(values):
            value = values[name]
            before, size = marks.get(name, (_NONE, 0))
            if before is value and size == _size(value):
                continue
            marks[name] = _mark(value)
            if name not in self._named and not self._is_cached(name):
                found.add(name)
        self._named |= found
        return found

    def _is_cached(self, name: str) -> bool:
        """Return whether the attribute is a cached property, which Python computes
        again when it is missing."""
        return isinstance(getattr(self._kind, name, None), cached_property)


def warn(names: Collection[str]) -> None:
    """Log the attributes that a resumed run has lost."""
    shown = ", ".join(f"self.{name}" for name in sorted(names))
    logger.warning(
        "The resumed run has lost attributes that the spider set before the "
        "interruption: %s. Keep such values in meta, in items, or in self.count()",
        shown,
    )


def _mark(value: object) -> tuple[object, int]:
    return value, _size(value)


def _size(value: object) -> int:
    return len(value) if isinstance(value, _GROWING) else 0


#: Stands for the value of an attribute that did not exist.
_NONE = object()
