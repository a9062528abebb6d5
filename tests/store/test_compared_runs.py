"""The items of two runs, matched by their page and their position on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crawler.store.base import ItemRow
from crawler.store.compared_runs import MAX_COMPARED, compared
from crawler.store.reading import Changes


class Run:
    """A run with these items: (page, place on it) → body."""

    def __init__(self, items: dict[tuple[int, int], bytes], last: int = 0) -> None:
        self._items = items
        self._last = last or len(items)

    def last_item(self) -> int:
        return self._last

    def items(self) -> Iterator[ItemRow]:
        for number, ((page, place), body) in enumerate(self._items.items(), 1):
            yield ItemRow(number, page, place, body)


def changes(before: Any, now: Any) -> Changes | None:
    return compared(before, now)


def test_items_are_new_gone_changed_or_the_same() -> None:
    before = Run({(1, 0): b"a", (1, 1): b"b", (2, 0): b"c", (3, 0): b"d"})
    now = Run({(1, 0): b"a", (1, 1): b"B", (4, 0): b"d", (2, 1): b"e", (3, 0): b"d"})

    assert changes(before, now) == Changes(
        new=2, gone=1, changed=1, same=2, pairs=((b"b", b"B"),)
    )


def test_runs_without_items_have_no_changes() -> None:
    assert changes(Run({}), Run({})) == Changes(0, 0, 0, 0)
    assert changes(Run({(1, 0): b"a"}), Run({})) == Changes(0, 1, 0, 0)


def test_only_the_first_changed_items_are_kept() -> None:
    before = Run({(page, 0): b"a" for page in range(1500)})
    now = Run({(page, 0): b"b" for page in range(1500)})

    found = changes(before, now)

    assert found is not None
    assert (found.changed, len(found.pairs)) == (1500, 1000)


@pytest.mark.parametrize("is_before", [True, False])
def test_runs_with_very_many_items_are_not_compared(is_before: bool) -> None:
    small, large = Run({(1, 0): b"a"}), Run({(1, 0): b"a"}, last=MAX_COMPARED + 1)
    edge = Run({(1, 0): b"a"}, last=MAX_COMPARED)

    assert changes(*((large, small) if is_before else (small, large))) is None
    assert changes(edge, edge) == Changes(0, 0, 0, 1)
