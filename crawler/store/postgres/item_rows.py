"""Writes the items of a group of outcomes (results of pages): unique by their keys,
within the limit on items, in order."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from crawler.stats import add
from crawler.store.base import Item, Outcome
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Blobs, Texts
from crawler.store.postgres.change import Change
from crawler.store.postgres.gathered import Key
from crawler.store.postgres.pipeline import Cursor, StatementPipeline

#: Number of items that are written at a time. Items that pages have written aside are
#: read in batches of the same size.
_MANY = 1_000

_Keys = tuple[tuple[str, bytes], ...]


class ItemWriter:
    """Numbers the items of pages that are done or failed in this transaction."""

    def __init__(self, pipeline: StatementPipeline, change: Change) -> None:
        self._pipeline = pipeline
        self._change = change
        #: Keys that this transaction has reserved, and no item has used yet.
        self._free: set[Key] = set()

    async def send_keys(self, keys: Iterable[Key]) -> Cursor | None:
        """Reserve keys, which no two items of the run may share; PostgreSQL's
        response says which keys were free."""
        ordered = sorted(keys)
        if not ordered:
            return None
        rules, values = zip(*ordered, strict=True)
        return await self._pipeline.send(sql.TAKE_KEYS, (Texts(rules), Blobs(values)))

    async def keep_keys(self, taken: Cursor | None) -> None:
        """Record which of the keys were free, from the response to `send_keys`."""
        for rule, value in await self._pipeline.rows(taken):
            self._free.add((rule, value))

    async def give_keys_back(self) -> None:
        """Release the keys that no item has used."""
        if self._free:
            rules, values = zip(*sorted(self._free), strict=True)
            columns = (Texts(rules), Blobs(values))
            await self._pipeline.send(sql.GIVE_KEYS_BACK, columns)
            self._free.clear()

    async def add(self, outcome: Outcome) -> int:
        """Add the items of an outcome (the result of a page), up to the run's limit on
        items; return how many were added."""
        change, items = self._change, outcome.items
        before = change.rows.count
        if outcome.entry is None:
            self._add_start_items(outcome)
            return change.rows.count - before
        fingerprint = outcome.entry.fingerprint
        # After `crawl retry`, new items follow the earlier items of the page.
        ordinal = change.run.earlier_items.get(fingerprint, 0)
        staged = change.staged(fingerprint)
        if staged is not None:
            if outcome.portions:
                await self._add_staged(fingerprint, ordinal)
                ordinal += staged.items
            # Items that were written aside came first, so they use their keys first.
            await self._take({key for item in items for key in item.keys})
        if items:
            self._add_each(items, fingerprint, ordinal)
        return change.rows.count - before

    async def _take(self, keys: Iterable[Key]) -> None:
        await self.keep_keys(await self.send_keys(keys))

    def _add_start_items(self, outcome: Outcome) -> None:
        change, ordinal = self._change, outcome.first_ordinal
        # `closing()` is called once, after `start()`, so none of its items is skipped.
        if outcome.is_closing:
            ordinal = change.start_items
        # Skip the items of `start()` that an earlier process has committed.
        skip = max(0, change.start_items - ordinal)
        ordinal += skip
        if items := outcome.items[skip:]:
            change.start_items = ordinal + self._add_each(items, 0, ordinal)

    async def _add_staged(self, page: int, first: int) -> None:
        """Add the items that the page has written aside before its end, in batches."""
        pipeline, place = self._pipeline, 0
        while True:
            cursor = await pipeline.send(sql.STAGED_ITEMS, (page, place, _MANY))
            rows = await pipeline.rows(cursor)
            if not rows:
                return
            items = [
                Item(body, msgspec.json.decode(keys, type=_Keys), type=kind)
                for keys, body, kind in rows
            ]
            await self._take({key for item in items for key in item.keys})
            self._add_each(items, page, first + place)
            await self.give_keys_back()
            place += len(rows)
            await self._change.rows.write_items(pipeline, None)

    def _add_each(self, items: Iterable[Item], page: int, ordinal: int) -> int:
        """Add items; return how many were added or dropped as duplicates."""
        change, counters = self._change, self._change.own
        judged = surplus = 0
        before = change.rows.count
        for item in items:
            if change.is_full:
                surplus += 1
                continue
            judged += 1
            if item.keys and not self._use_keys(item):
                continue
            change.rows.add_item(page, ordinal + judged - 1, item.type, item.body)
        counters.items += change.rows.count - before
        if surplus:
            add(counters.dropped, "items_limit", surplus)
        change.committed.is_full = change.is_full
        return judged

    def _use_keys(self, item: Item) -> bool:
        """Use an item's keys; return False if another item has one of them. Such a
        duplicate is counted under the name of that key's rule."""
        for key in item.keys:
            if key not in self._free:
                add(self._change.own.dropped, key[0])
                return False
        self._free.difference_update(item.keys)
        return True
