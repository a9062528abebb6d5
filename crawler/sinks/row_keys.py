"""The key of a row in a database: equal keys mean the same row."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crawler.pipelines.items import canonical
from crawler.store.base import ItemRow


class RowOwner(msgspec.Struct, frozen=True):
    """The run to which rows belong, as a database stores it."""

    job: str
    run: int

    def key(self, row: ItemRow, item_key: Sequence[str]) -> str:
        """Return the item's key values as JSON; without a key, the row's own number."""
        if not item_key:
            return self.number(row.sequence)
        item = row.item
        return canonical([item.get(field) for field in item_key]).decode()

    def number(self, sequence: int) -> str:
        """Return the key of an item without one of its own: its number in the run."""
        return f"{self.job}/{self.run}/{sequence}"
