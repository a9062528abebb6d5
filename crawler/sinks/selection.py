"""Selects the items that one output receives (by their types), and their fields.

Rule: no I/O. A selected row keeps the item's number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from crawler.pipelines.items import encode
from crawler.store.base import ItemRow


class Selection(msgspec.Struct, frozen=True):
    """Selects the items that an output receives, and their fields."""

    #: Names of item types; empty: all items.
    types: frozenset[str] = frozenset()
    #: The selected fields in order, each with its name in the output; empty: all fields
    #: with their own names.
    fields: Mapping[str, str] = msgspec.field(default_factory=dict)

    def of(self, rows: Sequence[ItemRow]) -> Sequence[ItemRow]:
        """Return the rows of the selected item types, with the selected fields."""
        if self.types:
            rows = [row for row in rows if row.type in self.types]
        if self.fields:
            rows = [self._shaped(row) for row in rows]
        return rows

    def _shaped(self, row: ItemRow) -> ItemRow:
        item = row.item
        shaped = {new: item[name] for name, new in self.fields.items() if name in item}
        return msgspec.structs.replace(row, body=encode(shaped), value=None)


ALL = Selection()
