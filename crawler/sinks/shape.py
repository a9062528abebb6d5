"""The fields, types and key of the items in one output, under the output's names.

Rule: pure. Names are those in the items' JSON; a field that no item type has is an
error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from crawler.errors import ConfigError
from crawler.pipelines.item_type import ItemField, ItemType
from crawler.settings import unknown


class OutputShape(msgspec.Struct, frozen=True):
    """The form that items have in one output."""

    #: By JSON name: the new name of each selected field; empty: all fields, unchanged.
    fields: Mapping[str, str]
    item_type: ItemType | None
    #: The fields of the item's key, under their new names.
    item_key: tuple[str, ...]

    @classmethod
    def of(
        cls,
        fields: Mapping[str, str],
        item_type: ItemType | None,
        item_key: Sequence[str],
        place: str,
    ) -> OutputShape:
        """Return the shape of an output that selects `fields`. ConfigError names
        `place`."""
        key = item_type.in_json(item_key) if item_type else tuple(item_key)
        if not fields:
            return cls({}, item_type, key)
        names = item_type.in_json(fields) if item_type else tuple(fields)
        chosen = dict(zip(names, fields.values(), strict=True))
        if len(set(chosen.values())) < len(fields):
            raise ConfigError(f"{place}: two of its fields have the same name")
        known = item_type.names if item_type else names
        for name in names:
            if name not in known:
                raise ConfigError(unknown(f"field {name!r}", name, known, place))
        for name in key:
            if name not in chosen:
                raise ConfigError(
                    f"{place}: fields has no {name!r}, which item_key needs"
                )
        renamed = _renamed(item_type or ItemType.named(names), chosen)
        return cls(chosen, renamed, tuple(chosen[name] for name in key))


def _renamed(found: ItemType, chosen: Mapping[str, str]) -> ItemType:
    fields = found.only(chosen).fields
    renamed = (ItemField(chosen[field.name], field.type) for field in fields)
    return ItemType(found.name, tuple(renamed))
