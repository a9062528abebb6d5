"""The key of a row in a database: equal keys mean the same row."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crawler.pipelines.items import canonical
from crawler.store.base import ItemRow


class RowOwner(msgspec.Struct, frozen=True):
    """The run that rows are of, as a database names it."""

    job: str
    run: int

    def key(self, row: ItemRow, item_key: Sequence[str]) -> str:
        """The values of the item's key, as JSON; without one, the row's own number."""
        if not item_key:
            return f"{self.job}/{self.run}/{row.sequence}"
        item = row.item
        return canonical([item.get(field) for field in item_key]).decode()
