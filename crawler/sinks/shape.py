"""How one output has the items: its fields, their types and the key, under their names.

Rule: pure. Names are those of the items' JSON; a field that no item has is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from crawler.errors import ConfigError
from crawler.pipelines.item_type import ItemField, ItemType
from crawler.settings import unknown


class OutputShape(msgspec.Struct, frozen=True):
    """What an output makes of the items."""

    #: The name that each chosen field gets, by its name in JSON; {}: all, as they are.
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
        """The shape of an output that chooses `fields`; ConfigError names `place`."""
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
                    f"{place}: fields lacks {name!r}, which item_key names"
                )
        renamed = _renamed(item_type or ItemType.named(names), chosen)
        return cls(chosen, renamed, tuple(chosen[name] for name in key))


def _renamed(found: ItemType, chosen: Mapping[str, str]) -> ItemType:
    fields = found.only(chosen).fields
    renamed = (ItemField(chosen[field.name], field.type) for field in fields)
    return ItemType(found.name, tuple(renamed))
