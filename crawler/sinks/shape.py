"""The form of the items in one output: their fields, the fields' types and the key
fields, under the names that the output gives them.

Rule: no I/O. Field names are those in the items' JSON. A selected field that the item
type does not have is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from crawler.errors import ConfigError
from crawler.pipelines.item_type import ItemField, ItemType
from crawler.settings import unknown


class OutputShape(msgspec.Struct, frozen=True):
    """The form that items have in one output: their fields, types and key."""

    #: By the name in the item's JSON: the name in the output of each selected field.
    #: Empty: all fields with their own names.
    fields: Mapping[str, str]
    item_type: ItemType | None
    #: The fields of the item's key, by their names in the output.
    item_key: tuple[str, ...]

    @classmethod
    def of(
        cls,
        fields: Mapping[str, str],
        item_type: ItemType | None,
        item_key: Sequence[str],
        place: str,
    ) -> OutputShape:
        """Return the shape of the items in an output that selects `fields`.

        Raises ConfigError if a field does not exist; its message begins with `place`.
        """
        key = item_type.in_json(item_key) if item_type else tuple(item_key)
        if not fields:
            return cls({}, item_type, key)
        names = item_type.in_json(fields) if item_type else tuple(fields)
        chosen = dict(zip(names, fields.values(), strict=True))
        if twice := _repeated(names):
            raise ConfigError(
                f"{place}: `fields` contains the field {twice!r} twice; remove one of "
                "them"
            )
        if twice := _repeated(tuple(fields.values())):
            raise ConfigError(
                f"{place}: `fields` gives the name {twice!r} to two fields; rename one "
                "of them"
            )
        known = item_type.names if item_type else names
        for name in names:
            if name not in known:
                raise ConfigError(unknown(f"field {name!r}", name, known, place))
        for name in key:
            if name not in chosen:
                raise ConfigError(
                    f"{place}: `fields` must contain {name!r}, because item_key "
                    "names it"
                )
        renamed = _renamed(item_type or ItemType.named(names), chosen)
        return cls(chosen, renamed, tuple(chosen[name] for name in key))


def _repeated(names: Sequence[str]) -> str:
    """Return the first name that occurs more than once in `names`; "" if none does."""
    return next((name for name in names if names.count(name) > 1), "")


def _renamed(found: ItemType, chosen: Mapping[str, str]) -> ItemType:
    fields = found.only(chosen).fields
    renamed = (ItemField(chosen[field.name], field.type) for field in fields)
    return ItemType(found.name, tuple(renamed))
