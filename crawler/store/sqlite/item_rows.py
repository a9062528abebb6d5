"""Writes the items of a group of outcomes (results of pages): numbered in order, unique
by their keys, within the limit on items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crawler.stats import add
from crawler.store.base import Item, Outcome
from crawler.store.sqlite.staging import staged_items
from crawler.store.sqlite.write_batch import WriteBatch

#: Number of item rows that are collected before they are written.
_MANY = 1_000

_TAKE_KEY = "INSERT OR IGNORE INTO item_keys VALUES(?, ?)"
_GIVE_KEY_BACK = "DELETE FROM item_keys WHERE rule = ? AND value = ?"


class ItemRows:
    """Writes the items of pages that are done or failed in this transaction."""

    def __init__(self, group: WriteBatch) -> None:
        self._group = group

    def add(self, outcome: Outcome, page: int, limit: int | None) -> int:
        """Write the items of an outcome (the result of a page), up to the run's limit
        on items; return how many were written."""
        group, run = self._group, self._group.run
        before, items = group.item, outcome.items
        if outcome.is_closing:
            ordinal = group.start_items
            group.start_items += self._add_each(items, 0, ordinal, limit)
            return group.item - before
        if outcome.entry is None:
            ordinal = outcome.first_ordinal
            # Skip the items of `start()` that an earlier process has committed.
            skip = max(0, group.start_items - ordinal)
            ordinal += skip
            if items := items[skip:]:
                judged = self._add_each(items, 0, ordinal, limit)
                group.start_items = ordinal + judged
            return group.item - before
        fingerprint = outcome.entry.fingerprint
        # After `crawl retry`, new items follow the earlier items of the page.
        ordinal = run.earlier_items.get(page, 0)
        staged = run.staged.get(fingerprint)
        if staged is not None and outcome.portions:
            waiting = staged_items(group.connection, fingerprint)
            self._add_each(waiting, fingerprint, ordinal, limit)
            ordinal += staged.items
        if items:
            self._add_each(items, fingerprint, ordinal, limit)
        return group.item - before

    def _add_each(
        self,
        items: Iterable[Item],
        fingerprint: int,
        ordinal: int,
        limit: int | None,
    ) -> int:
        """Write items; return how many were written or dropped as duplicates."""
        group = self._group
        judged = surplus = 0
        before = group.item
        for item in items:
            if limit is not None and group.item >= limit:
                surplus += 1
                continue
            judged += 1
            if item.keys and not self._take_keys(item.keys):
                continue
            group.item += 1
            body = bytearray(item.body)
            group.rows.items.append(
                (group.item, fingerprint, ordinal + judged - 1, body, item.type)
            )
            if len(group.rows.items) >= _MANY:
                group.rows.write()
        counters = group.committed.counters
        counters.items += group.item - before
        if surplus:
            add(counters.dropped, "items_limit", surplus)
        group.committed.is_full = limit is not None and group.item >= limit
        return judged

    def _take_keys(self, keys: Sequence[tuple[str, bytes]]) -> bool:
        """Reserve an item's keys, and return True. If another item has one of the keys,
        reserve none, count the duplicate under this key's rule, and return False."""
        word, execute = self._group.run.names.word, self._group.connection.execute
        taken: list[tuple[int | str, bytes]] = []
        for rule, value in keys:
            key = (word(rule), value)
            if execute(_TAKE_KEY, key).rowcount:
                taken.append(key)
            elif key not in taken:
                add(self._group.committed.counters.dropped, rule)
                for other in taken:
                    execute(_GIVE_KEY_BACK, other)
                return False
        return True
