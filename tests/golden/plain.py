"""Removes values that differ from run to run: ports, folders, times, speeds.

Rule: values in, values out; nothing is read or run here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

#: What differs from one run to the next in sentences, and what is shown in its place.
VARYING = (
    (re.compile(r"crawler/\d+\.\d+\.\d+[\w.+-]*"), "crawler/VERSION"),
    (re.compile(r"\b[\d,.]+ a second"), "# a second"),
    (re.compile(r"\bafter \d[\d.:]*( \w+)?"), "after #"),
    (re.compile(r"\b\d+ connections?\b"), "# connections"),
    (re.compile(r"^(resuming run \d+): .*"), r"\1: ..."),
    (re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d "), ""),
    (re.compile(r"\.py:\d+ in "), ".py:LINE in "),
    # Whether a shell needs quotes for it is up to the folder of the checkout.
    (re.compile(r"'(ROOT/[\w./:]*)'"), r"\1"),
    # The words of the system and of the event loop are not ours.
    (re.compile(r"\[Errno (\d+)\] [^;\"]*"), r"[Errno \1] ..."),
    (re.compile(r"\b1[6-9]\d{8}(\.\d+)?\b"), "TIME"),
    (re.compile(r"\[SSL: (\w+)\] [^;\"]*"), r"[SSL: \1] ..."),
    (re.compile(r"\b[\d,]+ bytes decode to over [\d,]+"), "# bytes decode to over #"),
    # Which of several failures came first is up to the machine.
    (
        re.compile(r"^(! (?:\d\d+|[2-9]) URLs failed as \w+), such as .*"),
        r"\1, such as ...",
    ),
)


class Names:
    """Names in place of values that differ between runs, such as URLs with ports."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        longest_first = sorted(map(re.escape, names), key=len, reverse=True)
        self._real = re.compile("|".join(longest_first))

    def plain(self, value: Any) -> Any:
        """The value, with a name for each thing that differs from run to run."""
        return _mapped(value, self._named)

    def told(self, value: Any) -> Any:
        """The value, without the times and speeds in its sentences either."""
        return _mapped(value, self._steady)

    def _named(self, text: str) -> str:
        return self._real.sub(lambda found: self._names[found[0]], text)

    def _steady(self, text: str) -> str:
        text = self._named(text)
        for pattern, shown in VARYING:
            text = pattern.sub(shown, text)
        return text


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The value with its texts changed, and moments left out."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(each, change) for each in value]
    return "TIME" if isinstance(value, float) and value > 1e9 else value


def order_of(value: Any) -> str:
    """What values are sorted by: their JSON."""
    return json.dumps(value, sort_keys=True)
