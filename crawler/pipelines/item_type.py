"""The type of a crawl's items: its name, its fields, and the type of each field.

Rule: a field has the name that the item's JSON uses (an alias, if the class declares
one), and fields are in the order of the class.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec

from crawler.pipelines.items import ItemError, declared


class ItemField(msgspec.Struct, frozen=True):
    """One field of an item: its name in JSON and its annotation."""

    name: str
    #: The annotation, such as `str`, `int | None` or `list[Author]`; Any if unknown.
    type: Any = Any
    #: The name of the class's attribute for this field; "" if there is no class.
    attribute: str = ""


class ItemType(msgspec.Struct, frozen=True, dict=True):
    """The name and the fields of a type of items. An output takes its columns from an
    ItemType before the first item arrives."""

    name: str
    fields: tuple[ItemField, ...]
    #: The class itself; None if only the names of the fields are known.
    kind: type | None = None

    @classmethod
    def of(cls, kind: type) -> ItemType:
        """Return the type of a dataclass, msgspec.Struct, attrs or pydantic class."""
        hints = _annotations(kind)
        fields = tuple(
            ItemField(name, hints.get(attribute, Any), attribute)
            for attribute, name in declared(kind).items()
        )
        return cls(kind.__name__, fields, kind)

    @classmethod
    def named(cls, fields: Iterable[str]) -> ItemType:
        """Return a type for items of which only the field names are known."""
        return cls("", tuple(ItemField(name) for name in fields))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the fields, in order."""
        return tuple(field.name for field in self.fields)

    def only(self, names: Iterable[str]) -> ItemType:
        """Return an item type with only these fields, in this order. A field that the
        original item type does not have gets the annotation Any."""
        known = {field.name: field for field in self.fields}
        fields = tuple(
            known.get(name) or ItemField(name) for name in self.in_json(names)
        )
        return ItemType(self.name, fields)

    def in_json(self, attributes: Iterable[str]) -> tuple[str, ...]:
        """Return the JSON names of the given attributes; a name that is not an
        attribute is returned unchanged."""
        known = {field.attribute: field.name for field in self.fields}
        return tuple(known.get(name, name) for name in attributes)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of one item."""
        if self.kind is None:
            return self._schema_of_fields()
        own = getattr(self.kind, "model_json_schema", None)
        schema: dict[str, Any] = (
            own(mode="serialization") if own else msgspec.json.schema(self.kind)
        )
        return schema

    def _schema_of_fields(self) -> dict[str, Any]:
        kinds = [field.type for field in self.fields]
        try:
            schemas, defined = msgspec.json.schema_components(
                kinds, ref_template="#/$defs/{name}"
            )
        # a field has a type that msgspec does not know, such as a pydantic type
        except (TypeError, ValueError):
            schemas, defined = tuple({} for _ in kinds), {}
        properties = dict(zip(self.names, schemas, strict=True))
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        return {**schema, "$defs": defined} if defined else schema


def item_type(kind: type | Iterable[str] | None) -> ItemType | None:
    """Return the item type that a class, or a list of field names, describes.

    None if `kind` is None, or a class that declares no fields.
    """
    if kind is None:
        return None
    if not isinstance(kind, type):
        return ItemType.named(kind)
    try:
        return ItemType.of(kind)
    except ItemError:
        return None


def _annotations(kind: Any) -> dict[str, Any]:
    """Return the annotation of each attribute of a class; {} if an annotation cannot be
    resolved."""
    if hasattr(kind, "__pydantic_serializer__"):
        fields = {name: field.annotation for name, field in kind.model_fields.items()}
        computed = kind.model_computed_fields.items()
        return {**fields, **{name: field.return_type for name, field in computed}}
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError):
        return {}  # an annotation uses a name that does not exist at run time
