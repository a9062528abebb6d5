"""Items of a group: numbered in order, their keys seen to, cut at the limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from crawler.stats import add
from crawler.store.base import Item, Outcome
from crawler.store.sqlite.write_batch import WriteBatch

#: Item rows gathered before they are written.
_MANY = 1_000

_TAKE_KEY = "INSERT OR IGNORE INTO item_keys VALUES(?, ?)"
_GIVE_KEY_BACK = "DELETE FROM item_keys WHERE rule = ? AND value = ?"
_STAGED = "SELECT keys, body FROM staged WHERE fingerprint = ? ORDER BY ordinal"


class ItemRows:
    """Takes in the items of outcomes whose page this transaction has ended."""

    def __init__(self, group: WriteBatch) -> None:
        self._group = group

    def add(self, outcome: Outcome, page: int, limit: int | None) -> int:
        """Items under (fingerprint, ordinal), up to the limit; returns how many."""
        group, run = self._group, self._group.run
        before, ordinal = group.item, outcome.first_ordinal
        items = outcome.items
        if outcome.entry is None:
            # What an earlier process has landed of `start()` is here already.
            skip = max(0, group.start_items - ordinal)
            ordinal += skip
            if items := items[skip:]:
                judged = self._add_each(items, 0, ordinal, limit)
                group.start_items = ordinal + judged
            return group.item - before
        fingerprint = outcome.entry.fingerprint
        # What an attempt put aside that then failed is nobody's.
        if outcome.first_ordinal and fingerprint in run.staged:
            self._add_each(self._staged(fingerprint), fingerprint, 0, limit)
        if run.earlier_items:
            ordinal += run.earlier_items.get(page, 0)
        if items:
            self._add_each(items, fingerprint, ordinal, limit)
        return group.item - before

    def drop_staged(self, fingerprint: int) -> None:
        """The attempt that staged them is over."""
        if fingerprint in self._group.run.staged:
            self._group.unstaged.add(fingerprint)
            self._group.connection.execute(
                "DELETE FROM staged WHERE fingerprint = ?", (fingerprint,)
            )

    def _add_each(
        self,
        items: Iterable[Item],
        fingerprint: int,
        ordinal: int,
        limit: int | None,
    ) -> int:
        """Returns how many were taken in or dropped as doubles."""
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
            group.item_rows.append(
                (group.item, fingerprint, ordinal + judged - 1, body)
            )
            if len(group.item_rows) >= _MANY:
                group.write_rows()
        counters = group.committed.counters
        counters.items += group.item - before
        if surplus:
            add(counters.dropped, "items_limit", surplus)
        group.committed.is_full = limit is not None and group.item >= limit
        return judged

    def _take_keys(self, keys: Sequence[tuple[str, bytes]]) -> bool:
        """Reserve an item's keys, all or none; one that is taken already is counted."""
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

    def _staged(self, fingerprint: int) -> Iterable[Item]:
        rows = self._group.connection.execute(_STAGED, (fingerprint,))
        for keys, body in rows:
            yield Item(body, decode_keys(keys))


def encode_keys(keys: Sequence[tuple[str, bytes]]) -> bytes:
    """An item's keys, for staging it."""
    return msgspec.json.encode(keys)


def decode_keys(data: bytes) -> tuple[tuple[str, bytes], ...]:
    """The keys that `encode_keys` wrote."""
    return msgspec.json.decode(data, type=tuple[tuple[str, bytes], ...])
