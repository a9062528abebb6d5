"""The key of an item's row in a database; a row replaces the row with the same key."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crawler.pipelines.items import canonical
from crawler.store.base import ItemRow


class RowOwner(msgspec.Struct, frozen=True):
    """The run to which rows belong: its job, and its number in the database."""

    job: str
    run: int

    def key(self, row: ItemRow, item_key: Sequence[str]) -> str:
        """Return the row's key: the values of the item's `item_key` fields as JSON, or
        a text with the item's number if there are no such fields."""
        if not item_key:
            return self.number(row.sequence)
        item = row.item
        return canonical([item.get(field) for field in item_key]).decode()

    def number(self, sequence: int) -> str:
        """Return the key of an item without `item_key` fields: job, run and number."""
        return f"{self.job}/{self.run}/{sequence}"
